"""What of a store a run trains and tests on."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.config import Config
from hitrs.data.protocol import ProtocolSplit, protocol_split
from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.experiments.label_subsets import select_subjects, stratified_subset
from hitrs.models.card import ModelCard
from hitrs.tasks.base import Task, get_task
from hitrs.tasks.registry import TASKS
from hitrs.tasks.stores import converted_store

Notify = Callable[[str], None]


def silent(line: str) -> None:
    """Tells nobody."""


def opened(store: Store | str | Path) -> Store:
    return store if isinstance(store, Store) else Store.open(store)


def converted(data: Store, card: ModelCard, notify: Notify) -> Store:
    """The store in the unit of a model; what was converted is told, if to nobody else as a warning."""
    return converted_store(data, card, warnings.warn if notify is silent else notify)


def of_shown_classes(data: Store, notify: Notify) -> Store:
    """The store without classes that nothing shows: a model would have to guess what they are."""
    empty = data.empty_classes
    if not empty or len(empty) == len(data.classes):
        return data
    verb = "has" if len(empty) == 1 else "have"
    notify(f"note: {', '.join(empty)} {verb} no recording in {data.path}; the model does not know them")
    return data.without_classes(empty)


def fit_to_data(config: Config, store: Store) -> Config:
    """2-D recordings are in pixels, which depend on the camera: they are always scaled by body size."""
    if store.layout.dims == 2 and config.preprocessing.scale == "none":
        return dataclasses.replace(
            config, preprocessing=dataclasses.replace(config.preprocessing, scale="body")
        )
    return config


def training_part(store: Store, protocol: str | None) -> np.ndarray:
    return np.arange(len(store)) if protocol is None else store.split(protocol, "train")


def labeled_part(data: Store, protocol: str | None, usable: np.ndarray, task: Task) -> np.ndarray:
    """Store indices of the recordings that train."""
    indices = training_part(data, protocol)
    indices = indices[usable[indices]]
    if not len(indices):
        part = "" if protocol is None else f"in the training part of {protocol} "
        raise DataError(lack(data, part, task))
    return indices


@dataclass(frozen=True)
class Labels:
    """Which labels of the training part a run uses."""

    label_fraction: float = 1.0
    label_subset: int = 0
    subjects: Sequence[str] = ()
    validation_subjects: Sequence[str] = ()
    unknown_classes: Sequence[str] = ()
    """Classes that do not train."""

    @property
    def facts(self) -> dict[str, Any]:
        """For the record of a run."""
        facts = dataclasses.asdict(self)
        if not self.unknown_classes:
            del facts["unknown_classes"]  # as runs of before
        return facts

    @classmethod
    def of_run(cls, run: Mapping[str, Any]) -> Labels:
        """Those of a run's record."""
        return cls(**{each.name: run[each.name] for each in dataclasses.fields(cls) if each.name in run})

    def choose(self, data: Store, train: np.ndarray, task: Task) -> tuple[np.ndarray, np.ndarray]:
        """Of labeled training recordings those that train, and those that validate."""
        validate = self.validation_subjects
        held_out = select_subjects(data, train, validate) if validate else train[:0]
        train = select_subjects(data, np.setdiff1d(train, held_out), self.subjects)
        if not len(train):
            raise DataError("every training subject validates, so nobody is left to train on; name fewer")
        if self.label_fraction != 1:
            train = train[stratified_subset(task.strata(data, train), self.label_fraction, self.label_subset)]
        return train, held_out


def tested_part(data: Store, protocol: str | None, usable: np.ndarray) -> ProtocolSplit | None:
    """The protocol's parts, if there is something to test on."""
    if protocol is None or not usable[data.split(protocol, "test")].any():
        return None
    return protocol_split(data, protocol, usable)


def everything(data: Store, usable: np.ndarray) -> ProtocolSplit:
    labeled = np.flatnonzero(usable)
    return ProtocolSplit(data, "all labeled recordings", labeled[:0], labeled, labeled[:0])


def lack(data: Store, part: str, task: Task) -> str:
    """What no recording has that a task needs, what it has instead, and what that is good for."""
    needed, _, remedy = task.needs.partition("; ")
    missing = f"no recording {part}of {data.path} has {needed}, which {task.name} needs"
    found = []
    for name in TASKS.built_in:
        other = get_task(name)
        if other is not task and other.selects and (count := int(other.usable(data).sum())):
            what, _, _ = other.needs.partition("; ")
            found.append(
                f"{count} of {len(data)} have {what}: `hitrs finetune {data.path} --task {name} --out RUN`"
            )
    if found:
        return f"{missing}, but {', and '.join(found)} trains for that. Else {remedy} and import again"
    return f"{missing}; {remedy} and import again"


def note_rates(data: Store, train: np.ndarray, notify: Notify) -> None:
    rates = sorted({f"{rate:g}" for rate in np.asarray(data.fps)[train]} - {"nan"}, key=float)
    if not rates:
        notify(
            "note: the frame rate of the recordings is unknown, so the model cannot tell whether a recording "
            "has its rate; give it on import (column fps of labels.csv)"
        )
    else:
        notify(
            f"note: recordings have frame rates of {', '.join(rates)} or unknown ones, so the model "
            "cannot tell whether a recording has its rate; `hitrs clean --fps` makes them one"
        )
