"""Evaluation as people start it, in a shell or in Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hitrs.config import config_of, run_of
from hitrs.data.protocol import ProtocolSplit, protocol_split
from hitrs.data.store import Store
from hitrs.errors import ConfigError, DataError
from hitrs.experiments.run_data import Labels, Notify, converted, everything, lack, opened, silent
from hitrs.models.card import PRETRAINING
from hitrs.models.card_files import read_card, resolve_pretrained
from hitrs.tasks.base import EvalOptions, Metrics, Task, TaskModel, followed_remedies, get_task
from hitrs.tasks.inputs import check_rate
from hitrs.tasks.stores import store_conversion


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on the test part."""

    task: str
    protocol: str
    classes: tuple[str, ...]
    """Of the store, then those that only the model knows."""
    metrics: Metrics
    floors: Mapping[str, Metrics]
    """The same figures of what costs next to nothing; none where the store has no training part."""
    followed: frozenset[str] = frozenset()
    """Of what could be tried where a floor is better, what the model has behind it."""

    @property
    def behind(self) -> str | None:
        """A sentence where a floor is better than the model, and what to try."""
        return get_task(self.task).behind(self.metrics, self.floors, self.followed)


def evaluate(
    store: Store | str | Path,
    models: str | Path | Sequence[str | Path],
    *,
    protocol: str | None = None,
    options: EvalOptions | None = None,
    notify: Notify = silent,
) -> Evaluation:
    """How good a model is on the test part; a store without a protocol is tested as a whole.

    >>> hitrs.evaluate("motion", "runs/tuned").metrics["all"]["top1"]
    53.5
    >>> turned = hitrs.evaluate("motion", "runs/tuned", options=hitrs.EvalOptions(views=4))

    Args:
        store: a store with labels, or its folder.
        models: model directories, run folders or ``hub://owner/name``; several recognizers are one: their
            probabilities are averaged.
        protocol: whose test part; the store's first protocol if left out.
        options: how to test; what is left out is as the run that made the model had it.
        notify: as for :func:`probe`.

    Raises:
        ConfigError: for models of several tasks or units, or options that the task has no use for.
        DataError: if there is nothing to test on, or recordings have another frame rate than the model.
    """
    sources = [str(m) for m in ([models] if isinstance(models, str | Path) else models)]
    if not sources:
        raise ConfigError("name at least one model to evaluate")
    data = opened(store)
    task = _task_of(sources)
    options = options or EvalOptions()
    task.check_options(sources, options)
    loaded = [task.load(source) for source in sources]
    data = converted(data, loaded[0].card, notify)
    for source, model in zip(sources[1:], loaded[1:], strict=True):
        if store_conversion(data, model.card).changes:
            raise ConfigError(
                f"{source} was trained on another unit or up axis than {sources[0]}; evaluate them one by one"
            )
    if "views" in task.eval_options and options.views is None and len(sources) == 1:
        options = dataclasses.replace(options, views=_run_options(task, sources[0]).views)
    return evaluate_loaded(task, loaded, data, protocol, options, trained=sources[0], notify=notify)


def evaluate_loaded(
    task: Task,
    models: Sequence[TaskModel],
    data: Store,
    protocol: str | None = None,
    options: EvalOptions = EvalOptions(),
    trained: str | None = None,
    notify: Notify = silent,
) -> Evaluation:
    """The same for models of a task that are loaded, and a store in their unit.

    Args:
        trained: model whose labels something simple learns from, to stand beside it; None: nothing does.

    Raises:
        DataError: if there is nothing to test on, or recordings have another frame rate than a model.
    """
    usable = task.usable(data)
    if not usable.any():
        raise DataError(lack(data, "", task))
    split = protocol_split(data, protocol, usable) if protocol or data.protocols else everything(data, usable)
    if task.needs_rate:
        for model in models:
            for index in split.test:
                if np.isfinite(rate := float(data.fps[index])):
                    check_rate(rate, model.card.fps, f"recording '{data.name(int(index))}' of {data.path}")
    metrics = task.evaluate(models, split, options)
    floors: dict[str, Metrics] = {}
    if trained is not None and len(split.train):
        own = dataclasses.replace(split, train=_trained_on(trained, split, task))
        floors = task.floors(models[0].card, own, metrics, options, notify)
    elif trained is not None:
        notify(
            f"note: {data.path} has no training part, of which something simple could be made to compare with"
        )
    extra = dict.fromkeys(n for model in models for n in model.card.classes if n not in data.classes)
    followed = followed_remedies(models[0].card)
    return Evaluation(task.name, split.protocol, (*data.classes, *extra), metrics, floors, followed)


def _trained_on(model: str, split: ProtocolSplit, task: Task) -> np.ndarray:
    """The training recordings whose labels a model had, if its run tells; else all of them."""
    run = run_of(model)
    if run.get("data") != split.store.fingerprint or run.get("protocol") != split.protocol:
        return split.train
    labels = Labels.of_run(run)
    data = split.store.without_classes(labels.unknown_classes) if labels.unknown_classes else split.store
    train, _ = labels.choose(data, split.train[task.usable(data)[split.train]], task)
    return train


def _task_of(models: Sequence[str]) -> Task:
    """The task that all models are for."""
    names = list(dict.fromkeys(read_card(resolve_pretrained(model))[0].task for model in models))
    if len(names) > 1:
        raise ConfigError(
            f"models are evaluated together for one task only; these are for {' and '.join(names)}"
        )
    if names[0] == PRETRAINING:
        raise ConfigError(
            f"{models[0]} is a pre-trained encoder, which has no figures of its own; read it with `hitrs "
            "probe`, or make a model of it with `hitrs finetune`"
        )
    return get_task(names[0])


def _run_options(task: Task, model: str) -> EvalOptions:
    """How the run that made a model tests it; nothing for a model without its run."""
    config = config_of(model)
    return EvalOptions() if config is None else task.default_options(config)
