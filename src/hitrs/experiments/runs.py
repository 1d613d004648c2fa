"""Pre-training, fine-tuning and probing as people start them, in a shell or in Python.

A run folder that one of them has begun can be continued by the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.config import (
    DEFAULT,
    Config,
    differences,
    dump_config,
    inherited_config,
    load_config,
)
from hitrs.data.protocol import ProtocolSplit, protocol_split
from hitrs.data.space import UNCLEAR
from hitrs.data.store import Store
from hitrs.errors import ConfigError, DataError, counted
from hitrs.experiments.label_subsets import stratified_subset
from hitrs.experiments.run_data import (
    Labels,
    Notify,
    converted,
    fit_to_data,
    labeled_part,
    lack,
    note_rates,
    of_shown_classes,
    opened,
    silent,
    tested_part,
    training_part,
)
from hitrs.files import locked
from hitrs.models.encoder import HiTRS
from hitrs.pretext.job import one_or_list, train_encoder
from hitrs.process import is_main_process
from hitrs.skeleton.mapping import unseen_joints
from hitrs.tasks.base import Metrics, Task, get_task
from hitrs.tasks.finetune import finetune as train_model
from hitrs.tasks.probe import probe as probe_encoder
from hitrs.tasks.recognition.floors import recognition_floors
from hitrs.tasks.recognition.ridge import convolution_recognizer, ridge_recognizer
from hitrs.training.log import read_metrics
from hitrs.training.run_folder import CONFIG, WRITTEN_BY, run_folder, write_results
from hitrs.transforms.dataset import SkeletonDataset, training_layout


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    results: Mapping[str, Any] | None = None
    """What ``results.json`` holds; None where nothing was tested."""

    @property
    def model(self) -> Path:
        """Directory of the model."""
        return self.folder / "model"

    def log(self) -> list[dict[str, Any]]:
        """Rows of ``metrics.jsonl``, one a logged step."""
        return read_metrics(self.folder / "metrics.jsonl")


def pretrain(
    stores: Store | str | Path | Sequence[Store | str | Path],
    out: str | Path,
    *,
    config: Config | str | Path | None = None,
    protocol: str | Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
    resume: bool = False,
    command: str | None = None,
    notify: Notify = silent,
) -> Run:
    """Pre-train an encoder on stores' training parts, labels unseen, and write it to ``out/model``.

    Several stores make one encoder, in the layout that the configuration names or that of the first store;
    joints that another one lacks are masked. The folder holds configuration, run record, log and checkpoints,
    as ``hitrs pretrain`` writes them.

    >>> run = hitrs.pretrain("motion", "runs/tiny", config="tiny")
    >>> run = hitrs.pretrain(["motion", "own"], "runs/both", config="light", weights=[1, 2])
    >>> encoder = hitrs.HiTRS.from_pretrained(run.model)

    Args:
        stores: a store, or its folder, or several.
        out: folder of the run.
        config: a configuration, its name or file; "light" if left out, or the run's own where it is resumed.
        protocol: whose training part to learn from, one for each store; each store's first if left out,
            everything if it has none.
        weights: how often recordings of each store come, relative to each other; the root of their number if
            left out, so that a small store is not drowned by a large one.
        resume: go on with the run in ``out``; it ends with the same weights as one that was not interrupted.
        command: the command line, where one was given, for the run record; an interrupted run names it, else
            the call in Python, to go on with.
        notify: called with lines about what happens.

    Raises:
        ConfigError: if the folder is in use, or the run is resumed with other settings.
        DataError, TrainingError: if there is nothing to train on, or the loss is not finite.
        LayoutError: for stores of which one is 2-D and another one 3-D, or that share no joint.
    """
    data = [opened(s) for s in ([stores] if isinstance(stores, Store | str | Path) else stores)]
    if not data:
        raise ConfigError("name at least one store to pre-train on")
    chosen: list[str | None] = [protocol] if isinstance(protocol, str) else list(protocol or [])
    for what, count in (("protocols", len(chosen)), ("weights", len(weights or ()))):
        if count not in (0, len(data)):
            raise ConfigError(f"{counted(len(data), 'store')} and {count} {what}: give one for each")
    if weights is not None and not (min(weights) > 0 and np.isfinite(weights).all()):
        raise ConfigError(f"weights of stores must be above 0, got {', '.join(map(str, weights))}")
    out = Path(out)
    config = fit_to_data(_configuration(config, out, resume), data[0])
    _check_alike(data, config)
    layout = training_layout(data[0], config.layout)
    learned = chosen or [next(iter(store.protocols), None) for store in data]
    datasets = [
        SkeletonDataset(store, training_part(store, part), layout, config.preprocessing)
        for store, part in zip(data, learned, strict=True)
    ]
    facts = {
        "task": "pretrain",
        "store": one_or_list([str(store.path) for store in data]),
        "data": one_or_list([store.fingerprint for store in data]),
        "protocol": one_or_list(learned),
        **({} if weights is None else {"weights": list(weights)}),
        "seed": config.pretrain.optim.seed,
    }
    given = {"protocol": protocol, "weights": None if weights is None else list(weights)}
    call = _Call("pretrain", data, out, given, command)
    with _folder(out, config, facts, call, resume):
        for dataset, part in zip(datasets, learned, strict=True):
            words = "all recordings" if part is None else f"the training part of {part}"
            notify(
                f"pre-training on {words} of {dataset.origin}: {len(dataset)} of "
                f"{counted(len(dataset.store), 'recording')}, labels unseen"
            )
            unseen = unseen_joints(dataset.store.layout, dataset.store.layout, layout)
            if unseen.any():
                missing = ", ".join(np.array(layout.joints)[unseen])
                notify(f"note: {dataset.origin} has no {missing}; in its recordings they are masked")
        train_encoder(datasets, config, out, weights=weights, resume=resume)
    return Run(out)


def _check_alike(stores: Sequence[Store], config: Config) -> None:
    """Refuse stores that are not measured alike: what is up, and in which unit unless bodies are scaled."""
    first = stores[0]
    for store in stores[1:]:
        alike = [("has the up axis", first.space.up, store.space.up)]
        if config.preprocessing.scale != "body":
            alike.append(("is in", first.space.unit, store.space.unit))
        for what, one, other in alike:
            if one != other and UNCLEAR not in (one, other):
                repair = " or ".join(
                    f"`hitrs clean {each.path} NEW {each.space.cleaning()}`"
                    for each in (first, store)
                    if each.space.cleaning()
                )
                raise DataError(
                    f"{first.path} {what} {one} and {store.path} {other}, so they cannot be learned from "
                    f"together; make them alike with {repair}"
                )


def finetune(
    store: Store | str | Path,
    out: str | Path,
    *,
    start: str | Path | None = None,
    task: str = "recognition",
    config: Config | str | Path | None = None,
    protocol: str | None = None,
    label_fraction: float = 1.0,
    label_subset: int = 0,
    subjects: Sequence[str] = (),
    validation_subjects: Sequence[str] = (),
    unknown_classes: Sequence[str] = (),
    resume: bool = False,
    command: str | None = None,
    notify: Notify = silent,
) -> Run:
    """Train the model of a task on a store's training part and write it to ``out/model``.

    The test part only reports.

    >>> run = hitrs.finetune("motion", "runs/tuned", start="runs/tiny", config="tiny", label_fraction=0.1)
    >>> run.results["metrics"]["all"]["top1"]
    53.5

    Args:
        store: a store with labels, or its folder.
        out: folder of the run.
        start: pre-trained encoder to start from (model directory, run folder or ``hub://owner/name``), whose
            sizes and preprocessing then hold; None: from scratch.
        task: "recognition", "detection", "prediction", or a task of another package.
        config: a configuration, its name or file; if left out the run's own where it is resumed, else that of
            the run that made the encoder, else "light".
        protocol: training and test part; the store's first if left out. Without any, all labeled recordings
            train.
        label_fraction: share of the training labels, of every class.
        label_subset: which subset of that size: its random seed.
        subjects: use the labels of these training subjects only.
        validation_subjects: training subjects that do not train but validate; recognition also chooses on
            them how probable a class must be to be named, detection how frames become segments.
        unknown_classes: classes that do not train; the test then says how many of their recordings are named
            all the same.
        resume: go on with the run in ``out``.
        command, notify: as for :func:`pretrain`.

    Raises:
        ConfigError: if the folder is in use, or the run is resumed with other settings.
        DataError: if no recording has the labels that the task needs.
    """
    data, out, downstream, chosen = opened(store), Path(out), get_task(task), protocol
    config = _configuration(config, out, resume, start)
    encoder = None if start is None else HiTRS.from_pretrained(start, config.layout)
    if encoder is None:
        config = fit_to_data(config, data)
    else:
        downstream.check_encoder(encoder.card, config)
        data = converted(data, encoder.card, notify)
        config = dataclasses.replace(
            config, model=encoder.card.model, preprocessing=encoder.card.preprocessing
        )
    whole = data
    if downstream.selects:
        data = of_shown_classes(data, notify)
    if unknown_classes:
        _check_refuses(downstream, validation_subjects)
        data = data.without_classes(unknown_classes)
    wanted = config.preprocessing
    config = dataclasses.replace(config, preprocessing=downstream.preprocessing(wanted, config))
    protocol = protocol or next(iter(data.protocols), None)
    usable = downstream.usable(data)
    labels = Labels(
        label_fraction, label_subset, list(subjects), list(validation_subjects), list(unknown_classes)
    )
    train, held_out = labels.choose(data, labeled_part(data, protocol, usable, downstream), downstream)
    split = tested_part(whole, protocol, downstream.usable(whole))
    if split is not None:
        downstream.check_test(split, config)
    layout = training_layout(data, config.layout) if encoder is None else encoder.card.layout
    known = SkeletonDataset(data, train, layout, config.preprocessing)
    validation = SkeletonDataset(data, held_out, layout, config.preprocessing) if len(held_out) else None
    facts = {
        "task": task,
        "store": str(data.path),
        "data": data.fingerprint,
        "protocol": protocol,
        "from": None if start is None else str(start),
        **labels.facts,
        "seed": config.section(task).optim.seed,
    }
    for field in dataclasses.fields(wanted):
        before, now = getattr(wanted, field.name), getattr(config.preprocessing, field.name)
        if before != now:
            of_encoder = "" if encoder is None else " of the encoder"
            notify(f"note: {task} sets preprocessing.{field.name}{of_encoder} to {now}; it was {before}")
    if downstream.needs_rate and known.fps is None:
        note_rates(data, train, notify)
    given = {
        "start": None if start is None else str(start),
        "task": task if task != "recognition" else None,
        "protocol": chosen,
        "label_fraction": label_fraction if label_fraction != 1 else None,
        "label_subset": label_subset or None,
        "subjects": list(subjects) or None,
        "validation_subjects": list(validation_subjects) or None,
        "unknown_classes": list(unknown_classes) or None,
    }
    call = _Call("finetune", [data], out, given, command)
    with _folder(out, config, facts, call, resume):
        origin = "from scratch" if start is None else f"starting from {start}"
        recordings = counted(len(train), "recording")
        if downstream.selects:
            classes = counted(len(data.classes), "class", "classes")
            recordings = f"{counted(len(train), 'labeled recording')} of {classes}"
        notify(f"training on {recordings}, {origin}")
        model = train_model(
            downstream, known, config, out, encoder=encoder, validation=validation, resume=resume
        )
    if split is None or not is_main_process():
        return Run(out)
    options = downstream.default_options(config)
    metrics = downstream.evaluate([model], split, options)
    results: dict[str, Any] = {
        **facts,
        "labels": len(train),
        "classes": list(whole.classes),
        "tested_on": split.protocol,
        "metrics": metrics,
    }
    write_results(out, results)  # before the floors: what took hours is kept if they are interrupted
    own = dataclasses.replace(split, train=train)
    results["floors"] = downstream.floors(model.card, own, metrics, options, notify)
    write_results(out, results)
    return Run(out, results)


def probe(
    store: Store | str | Path,
    model: str | Path,
    *,
    config: Config | str | Path | None = None,
    protocol: str | None = None,
    label_fraction: float = 1.0,
    label_subset: int = 0,
    out: str | Path | None = None,
    convolutions: bool = False,
    notify: Notify = silent,
) -> tuple[ProtocolSplit, dict[str, Metrics]]:
    """Read a frozen encoder with nearest neighbors, a linear layer and ridge regression on training labels.

    >>> split, reports = hitrs.probe("motion", "runs/tiny", config="tiny")
    >>> reports["linear"]["all"]["top1"]
    41.8

    Args:
        store: a store with labels, or its folder.
        model: model directory, run folder or ``hub://owner/name``; of a recognizer the encoder alone is used.
        config: for how to probe; "light" if left out.
        protocol: training and test part; the store's first protocol if left out.
        label_fraction: share of the training labels, of every class.
        label_subset: which subset of that size: its random seed.
        out: write the ridge classifier with the encoder as a recognizer to this directory.
        convolutions: write it with the random convolutions beside it; the probabilities are averaged.
        notify: called with lines about what is converted because the encoder was trained on another unit or
            up axis; a warning each if left out.

    Raises:
        ConfigError: if there is something at ``out`` already.
        DataError: if another process is about to write there.

    Returns:
        the split, and the metrics of "knn", "linear", "knn, all levels", "linear, all levels", "ridge" and
        "ridge with convolutions"; beside them "knn on positions" and "random convolutions", which need no
        encoder.
    """
    with nullcontext() if out is None else _claimed(Path(out)):
        data = of_shown_classes(opened(store), notify)
        settings = config if isinstance(config, Config) else load_config(config or DEFAULT)
        encoder = HiTRS.from_pretrained(model, settings.layout)
        card = encoder.card
        recognition = get_task("recognition")
        if not recognition.usable(data).any():
            raise DataError(lack(data, "", recognition))
        split = protocol_split(converted(data, card, notify), protocol)
        train = split.train
        if label_fraction != 1:
            train = train[stratified_subset(split.store.labels[train], label_fraction, label_subset)]
        split = dataclasses.replace(split, train=train)
        labeled = SkeletonDataset(split.store, train, card.layout, card.preprocessing)
        ridge, without = ridge_recognizer(encoder, labeled, settings), convolution_recognizer(labeled)
        reports = {
            **probe_encoder(encoder, split, settings, ridge=ridge, convolutions=without),
            **recognition_floors(split, card, convolutions=without, tell=notify),
        }
        if out is not None:
            if convolutions:
                ridge.add_convolutions(without)
            ridge.save_pretrained(out)
        return split, reports


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Nobody else writes a recognizer to this place meanwhile; ConfigError if there is something already."""
    with locked(out.with_name(f"{out.name}.probing"), f"the recognizer {out}", target=out):
        if out.exists():
            raise ConfigError(f"{out} exists already; choose another place for the recognizer")
        yield


def _check_refuses(task: Task, validation_subjects: Sequence[str]) -> None:
    """Unknown classes test whether a model says "none of these", so it must be able to."""
    if not task.refuses:
        raise ConfigError(f'a model for {task.name} cannot say "none of these": leave unknown classes out')
    if not validation_subjects:
        raise ConfigError(
            'unknown classes test whether the model says "none of these"; how probable a class must be is '
            "chosen on validation subjects: name some (--validation-subjects)"
        )


def _configuration(
    config: Config | str | Path | None, out: Path, resume: bool, start: str | Path | None = None
) -> Config:
    """The configuration that was given, else that of the continued run, of the encoder's, or the default."""
    if isinstance(config, Config):
        return config
    if config is None and resume and (out / "config.yaml").is_file():
        return load_config(out / "config.yaml")
    own = inherited_config(start) if config is None and start is not None else None
    return own or load_config(DEFAULT if config is None else config)


@dataclass(frozen=True)
class _Call:
    """What started a run: a command line, else a function in Python."""

    function: str
    stores: Sequence[Store]
    out: Path
    given: Mapping[str, Any]
    """Arguments that the run has to be given again; None where one was left out."""
    command: str | None

    def text(self, *, resume: bool) -> str:
        """As one could type it. A run that goes on knows its own configuration."""
        if self.command is not None:
            added = resume and "--resume" not in self.command.split()
            return f"{self.command} --resume" if added else self.command
        words = [repr(one_or_list([str(store.path) for store in self.stores])), repr(str(self.out))]
        words += [f"{name}={value!r}" for name, value in self.given.items() if value is not None]
        words += ["resume=True"] if resume else []
        return f"hitrs.{self.function}({', '.join(words)})"


def _folder(out: Path, config: Config, facts: Mapping[str, Any], call: _Call, resume: bool):
    file, command = out / CONFIG, call.text(resume=resume)
    return run_folder(
        out,
        facts,
        command=command,
        again=call.text(resume=True),
        resume=resume,
        write_config=partial(dump_config, config, file, comment=f"{WRITTEN_BY}{command}"),
        changed=lambda: differences(load_config(file), config),
    )
