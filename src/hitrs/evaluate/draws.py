"""Draws of a few labels, the same share of every class."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hitrs.data.store import Store
from hitrs.errors import DataError


def draw_labels(labels: np.ndarray, fraction: float, draw: int) -> np.ndarray:
    """Positions, ascending, of a stratified draw: round(fraction x n) recordings of each class, at least one.

    Args:
        labels: (N,) class of each training recording.
        draw: number of the draw; the seed.
    """
    if not 0 < fraction <= 1:
        raise DataError(f"the share of labels must lie above 0 and up to 1, got {fraction}")
    chosen = []
    for label in np.unique(labels[labels >= 0]):
        members = np.flatnonzero(labels == label)
        order = np.random.default_rng([draw, int(label), round(1e6 * fraction)]).permutation(members)
        chosen.append(order[: max(1, round(fraction * len(members)))])
    return np.sort(np.concatenate(chosen))


def strata(store: Store, indices: np.ndarray, task: str) -> np.ndarray:
    """What a draw is stratified by: the class of each recording; nothing where it has no single one."""
    return np.asarray(store.labels)[indices] if task == "recognition" else np.zeros(len(indices), np.int64)


def of_subjects(store: Store, indices: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Those of the recordings that show one of the named subjects; all if none is named.

    Raises:
        DataError: if a subject is in none of the recordings.
    """
    if not names:
        return indices
    present = {store.subject_names[s] for s in np.unique(np.asarray(store.subjects)[indices]) if s >= 0}
    for name in names:
        if name not in present:
            raise DataError(
                f"no training recording of {store.path} shows subject '{name}'; they show "
                f"{', '.join(sorted(present)) or 'nobody who is named'}"
            )
    wanted = [store.subject_names.index(name) for name in names]
    return indices[np.isin(np.asarray(store.subjects)[indices], wanted)]


def write_draws(store: Store, protocol: str, fractions: list[float], draws: int, path: Path) -> None:
    """Write the draws of a protocol as lists of recording names: {"0.01": [[names], ...], ...}."""
    train = store.split(protocol, "train")
    labels = np.asarray(store.labels)[train]
    lists = {
        str(f): [[store.name(int(train[i])) for i in draw_labels(labels, f, d)] for d in range(draws)]
        for f in fractions
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(lists, indent=0) + "\n", encoding="utf-8")


def read_draw(store: Store, protocol: str, fraction: float, draw: int, path: Path) -> np.ndarray:
    """Store indices of a shipped draw.

    Raises:
        DataError: if the list is missing or names a recording that is not in the training part.
    """
    try:
        names = json.loads(path.read_text(encoding="utf-8"))[str(fraction)][draw]
    except (OSError, json.JSONDecodeError, KeyError, IndexError) as error:
        raise DataError(f"{path} has no draw {draw} of {fraction:.0%} of the labels: {error}") from error
    train = {store.name(int(i)): int(i) for i in store.split(protocol, "train")}
    unknown = [name for name in names if name not in train]
    if unknown:
        raise DataError(
            f"{path} names {unknown[0]}, which is not in the training part of {protocol} of {store.path}"
        )
    return np.sort(np.array([train[name] for name in names]))
