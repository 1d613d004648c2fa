"""What a downstream task is: one object that says what it needs, trains, predicts, measures and shows.

Nothing outside of a task's folder asks for its name. A task of another package is a subclass of ``Task``
behind the entry point "hitrs.tasks" (docs/extend.md).
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import torch
from torch import nn

from hitrs.data.protocol import ProtocolSplit
from hitrs.data.recording import Recording
from hitrs.data.store import Store
from hitrs.errors import CheckpointError, ConfigError
from hitrs.models.card import PRETRAINING, ModelCard
from hitrs.models.card_files import read_card, resolve_pretrained
from hitrs.models.config import ModelConfig
from hitrs.models.encoder import HiTRS
from hitrs.models.pretrained import load_pretrained, load_weights, save_pretrained
from hitrs.skeleton.layout import Layout
from hitrs.tasks.deployed import FrameAnswer
from hitrs.tasks.graph import Answer, Graph
from hitrs.tasks.registry import TASKS
from hitrs.tasks.reply import Replier
from hitrs.tasks.serving import Served
from hitrs.training.config import ProbeConfig
from hitrs.training.loop import Job
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

AnyModel = TypeVar("AnyModel", bound="TaskModel")
AnyObjective = TypeVar("AnyObjective", bound="FreezableObjective")
Metrics = dict[str, dict[str, Any]]
"""Part of the test recordings ("all" is the main one) -> name of a figure -> its value; JSON values."""
ReportTable = tuple[list[str], list[list[Any]]]
"""Head and rows."""


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    # A forked process has the record of its parent's threads, but not the threads: work that is shared out to
    # them would never end (a web server that forks after loading its model).
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


class RunConfig(Protocol):
    """What tasks read of a configuration (``hitrs.config.Config``)."""

    @property
    def model(self) -> ModelConfig: ...
    @property
    def preprocessing(self) -> PreprocessingConfig: ...
    @property
    def augment(self) -> AugmentConfig: ...
    @property
    def probe(self) -> ProbeConfig: ...
    @property
    def max_frames(self) -> int: ...
    def section(self, task: str) -> Any: ...


@dataclass(frozen=True)
class MetricColumn:
    """A column of a table."""

    title: str
    part: str
    """"all", or "deduplicated": without test recordings that stand in the training part too."""
    key: str
    """Of the metrics."""
    headline: bool = False
    """Whether a model is held against floors by it."""
    lower_is_better: bool = False

    def value(self, metrics: Metrics) -> float | None:
        """The figure in some metrics, None where they have none."""
        figure: float | None = metrics.get(self.part, {}).get(self.key)
        return figure


@dataclass(frozen=True)
class EvalOptions:
    """What an evaluation may be asked for beside the model; a task refuses what it has no use for.

    >>> fewer = hitrs.EvalOptions(seen_as=hitrs.get_layout("kinect20"))
    >>> evaluation = hitrs.evaluate("motion", "runs/tuned", options=fewer)
    """

    views: int | None = None
    """Turned copies of each recording whose scores are averaged."""
    seen_as: Layout | None = None
    """Test as if this joint layout had recorded the store."""
    early: bool | None = None
    """Also tell how often a beginning of the recording is enough."""

    def given(self) -> tuple[str, ...]:
        """Names of the options that are set."""
        return tuple(name for name, value in vars(self).items() if value is not None)


class TaskModel(nn.Module):
    """An encoder and what stands on it for one task."""

    task: ClassVar[str]
    card: ModelCard

    @classmethod
    def untrained(cls: type[AnyModel], card: ModelCard) -> AnyModel:
        """A model of the card's sizes with random weights."""
        return cls(HiTRS.untrained(card.model, card.layout, card.preprocessing), card)

    @classmethod
    def from_pretrained(cls: type[AnyModel], source: str | Path) -> AnyModel:
        """The model of a model directory, run folder or ``hub://owner/name``, in eval mode.

        Raises:
            CheckpointError: if there is none, or it is a model for something else.
        """
        card, weights = load_pretrained(source)
        check_task(card, cls.task, source)
        try:
            model = cls.untrained(card)
        except (ConfigError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"the card of {source} describes no model for {cls.task}: {error}"
            ) from error
        load_weights(model, weights, source)
        return model.eval()

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.parameters()).device

    def answers(self, recordings: Sequence[Recording]) -> list[np.ndarray]:
        """What it answers for recordings of its own layout, as its task says."""
        return get_task(self.task).answers(self, recordings)

    def frame_by_frame(self, persons: int) -> FrameAnswer:
        """The same for one recording of so many bodies, frame by frame, if its task can."""
        return get_task(self.task).frame_by_frame(self, persons)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the model as a model directory."""
        return save_pretrained(folder, self.card, self.state_dict())


class FreezableObjective(nn.Module):
    """The model of a task with its loss, whose encoder can be kept as it is while the head learns.

    Args:
        model: the model of a task; an encoder that it does not have needs no freezing.
        freeze_encoder: no gradient for the encoder, which stays in eval mode.
    """

    def __init__(self, model: TaskModel, freeze_encoder: bool):
        super().__init__()
        self.model, self.freeze_encoder = model, freeze_encoder
        if freeze_encoder and (encoder := getattr(model, "encoder", None)) is not None:
            encoder.requires_grad_(False)

    def train(self: AnyObjective, mode: bool = True) -> AnyObjective:
        super().train(mode)
        if self.freeze_encoder and (encoder := getattr(self.model, "encoder", None)) is not None:
            encoder.eval()
        return self


class FinetuneJob(Job, Protocol):
    """A job of the training loop that trains the model of a task."""

    dataset: SkeletonDataset

    @property
    def model(self) -> TaskModel:
        """What is trained, within ``module``."""

    def facts(self) -> dict[str, Any]:
        """Further facts for the model's card, for people."""


class Task(ABC):
    """One downstream task.

    A subclass says in class attributes what it is called and what it works with, and in methods what is done.
    """

    name: ClassVar[str]
    """For example "recognition"; ``--task`` takes it."""
    verb: ClassVar[str]
    """Command that uses a model of this task, for example "recognize"."""
    about: ClassVar[str]
    """What it answers, in a few words."""
    needs: ClassVar[str]
    """What it asks of a recording to train and test on; and where that comes from, behind a semicolon."""
    config_class: ClassVar[type]
    """Settings, a frozen dataclass whose attribute ``optim`` is a FinetuneOptimConfig."""
    model_class: ClassVar[type[TaskModel]]
    columns: ClassVar[tuple[MetricColumn, ...]]
    """What tables of experiments show."""
    eval_options: ClassVar[frozenset[str]] = frozenset()
    """Fields of ``EvalOptions`` that its evaluation knows."""
    ensembles: ClassVar[bool] = False
    """Whether several models can be evaluated together."""
    refuses: ClassVar[bool] = False
    """Whether a model of this task can say that a recording is of none of its classes."""
    needs_rate: ClassVar[bool] = True
    """Whether a model of this task answers otherwise for another frame rate, so that it should be known."""
    store_columns: ClassVar[tuple[str, ...]] = ("store", "protocol")
    """Fields of a result by which tables of experiments tell rows apart, beside labels, method and start."""
    floor_titles: ClassVar[Mapping[str, str]] = {}
    """What people are shown in place of the key of a floor."""
    remedies: ClassVar[Mapping[str, str]] = {
        "steps": "train for more steps",
        "start": "start from a pre-trained encoder (`--from general` comes with the package)",
        "data": "look for what is wrong with the data with `hitrs inspect`",
    }
    """What to try where a floor is better than the model, by what it changes."""

    def usable(self, store: Store) -> np.ndarray:
        """(N,) bool: recordings that have what training and testing need; by default all."""
        return np.ones(len(store), bool)

    def check_test(self, split: ProtocolSplit, config: RunConfig) -> None:  # noqa: B027  a hook
        """Refuse, before anything is trained, a test part that could not be measured; by default none.

        Raises:
            DataError: if it is one.
        """

    @property
    def selects(self) -> bool:
        """Whether it asks for something that not every recording has."""
        return type(self).usable is not Task.usable

    def preprocessing(self, settings: PreprocessingConfig, config: RunConfig) -> PreprocessingConfig:
        """What this task takes of the preprocessing of a configuration or encoder; by default all of it.

        Args:
            config: the whole configuration, of which the task's own section may matter.
        """
        return settings

    def check_encoder(  # noqa: B027  a hook
        self, card: ModelCard, config: RunConfig
    ) -> None:
        """Refuse a pre-trained encoder that a model of this task would leave out, or could not read with; by
        default none.

        Args:
            card: of the encoder.
            config: the whole configuration.

        Raises:
            ConfigError: with what to do instead.
        """

    def strata(self, store: Store, indices: np.ndarray) -> np.ndarray:
        """(n,) int64: groups of which a subset of the labels takes the same share; by default all are one."""
        return np.zeros(len(indices), np.int64)

    @abstractmethod
    def job(
        self,
        dataset: SkeletonDataset,
        config: RunConfig,
        encoder: HiTRS | None = None,
        validation: SkeletonDataset | None = None,
    ) -> FinetuneJob:
        """What the training loop trains.

        Args:
            dataset: the training recordings.
            encoder: a pre-trained encoder with its ``card``, or None to start from scratch.
            validation: recordings to validate on while training, or None.
        """

    def after_training(  # noqa: B027  a hook
        self, job: FinetuneJob, validation: SkeletonDataset | None
    ) -> None:
        """Choices that are made on validation recordings once the weights are there; by default none."""

    def load(self, source: str | Path) -> TaskModel:
        """The model of a model directory, run folder or ``hub://owner/name``, in eval mode."""
        return self.model_class.from_pretrained(source)

    @abstractmethod
    def evaluate(
        self,
        models: Sequence[TaskModel],
        split: ProtocolSplit,
        options: EvalOptions = EvalOptions(),
    ) -> Metrics:
        """The figures on the test part.

        Args:
            models: one, or several where ``ensembles``.
        """

    def floors(
        self,
        card: ModelCard,
        split: ProtocolSplit,
        metrics: Metrics,
        options: EvalOptions = EvalOptions(),
        tell: Callable[[str], None] = lambda line: None,
    ) -> dict[str, Metrics]:
        """Figures of what costs next to nothing, beside which those of a model stand.

        They cost a minute at most, however large the training part; by default there are none.

        Args:
            card: of the model; its layout and preprocessing are theirs, too.
            split: they learn from its training part and are measured on its test part.
            metrics: of the model.
            options: as the model was evaluated.
            tell: called with a line for people before something that takes a while, and where not all of the
                training part is used.
        """
        return {}

    def behind(
        self, metrics: Metrics, floors: Mapping[str, Metrics], followed: Collection[str] = ()
    ) -> str | None:
        """A sentence where the model is not better than each floor, and what to try; else None.

        Args:
            followed: keys of ``remedies`` that were tried already, or that nothing can be done about.
        """
        better = []
        for name, values in floors.items():
            for column in self.columns:
                own, other = column.value(metrics), column.value(values)
                if not column.headline or own is None or other is None:
                    continue
                perfect = 0 if column.lower_is_better else 100
                if own != perfect and (other <= own if column.lower_is_better else other >= own):
                    figures = f"{column.title}: {own:.1f} against {other:.1f}"
                    better.append(f"{self.floor_titles.get(name, name)} ({figures})")
                    break
        if not better:
            return None
        cost = "costs" if len(better) == 1 else "cost"
        floor = " and ".join(better)
        left = [remedy for name, remedy in self.remedies.items() if name not in followed]
        advice = f": {'; or '.join(left)}" if left else ""
        return f"the model is no better than {floor}, which {cost} next to nothing{advice}"

    def answers(self, model: TaskModel, recordings: Sequence[Recording]) -> list[np.ndarray]:
        """What a model answers for recordings of its own layout, of each what ``graph`` gives.

        Raises:
            ConfigError: if it does not answer for single recordings.
        """
        raise ConfigError(
            f"a model for {self.name} answers for no single recording: its task does not say how"
        )

    def frame_by_frame(self, model: TaskModel, persons: int) -> FrameAnswer:
        """What a model answers for the frames of a recording of so many bodies, one after the other.

        Raises:
            ConfigError: if it does not answer frame by frame.
        """
        raise ConfigError(f"a model for {self.name} does not answer frame by frame")

    def graph(self, model: TaskModel) -> Graph:
        """The model in a form that can leave the package (`hitrs export`); by default it has none.

        Raises:
            ConfigError: if it cannot be exported.
        """
        raise ConfigError(f"a model for {self.name} cannot be exported: its task does not say how")

    def online_graph(self, model: TaskModel) -> Graph:
        """The same for one frame after the other (`hitrs export --online`); by default there is none.

        Raises:
            ConfigError: if it cannot be exported so.
        """
        raise ConfigError(f"a model for {self.name} does not answer frame by frame: leave --online out")

    def answered(self, model: TaskModel, answer: Answer) -> TaskModel:
        """What ``evaluate`` tests in place of a model to measure the answers of its exported graph.

        Args:
            answer: from a recording to the output of the graph.
        Raises:
            ConfigError: if they cannot be tested.
        """
        raise ConfigError(f"the answers of an exported model for {self.name} cannot be tested")

    def replies(self, model: TaskModel, *, as_is: bool = False) -> Replier:
        """What a model says of recordings, for a page that shows it (`hitrs show`); by default nothing.

        Args:
            as_is: take coordinates as they are, whatever their unit and up axis seem to be.
        Raises:
            ConfigError: if there is no way to show it.
        """
        raise ConfigError(f"what a model for {self.name} says cannot be shown: its task does not say how")

    def served(self, model: TaskModel) -> Served:
        """What a server does with a model (`hitrs serve`); by default nothing.

        Raises:
            ConfigError: if there is no way to serve it.
        """
        raise ConfigError(f"a model for {self.name} cannot be served: its task does not say how")

    def default_options(self, config: RunConfig) -> EvalOptions:
        """How the configuration of a run wants its model tested."""
        return EvalOptions()

    def report(
        self, name: str, metrics: Metrics, floors: Mapping[str, Metrics] | None = None
    ) -> list[ReportTable]:
        """The figures for people: by default one table, a row for each of ``columns``, floors beside it."""
        beside = floors or {}
        rows: list[list[Any]] = []
        for column in self.columns:
            if (own := column.value(metrics)) is not None:
                others = (column.value(values) for values in beside.values())
                rows.append([column.title, f"{own:.1f}", *("-" if v is None else f"{v:.1f}" for v in others)])
        titles = [self.floor_titles.get(floor, floor) for floor in beside]
        return [([f"{self.name}, {name}", "model" if beside else "", *titles], rows)]

    def tables(self, results: Sequence[dict[str, Any]]) -> str | None:
        """Markdown of the results of experiments where rows of ``columns`` are not its form; else None."""
        return None

    def check_options(self, models: Sequence[str], options: EvalOptions) -> None:
        """Refuse what an evaluation of this task has no use for.

        Raises:
            ConfigError: naming the option.
        """
        if len(models) > 1 and not self.ensembles:
            raise ConfigError(f"models for {self.name} are evaluated one by one, got {len(models)}")
        unknown = [option for option in options.given() if option not in self.eval_options]
        if unknown:
            option = unknown[0].replace("_", "-")
            raise ConfigError(f"--{option} does not apply to {self.name}, which {models[0]} is for")


def get_task(name: str) -> Task:
    """A task by its name.

    Raises:
        ConfigError: if there is none of this name.
    """
    return TASKS.get(name)


def load_answering(source: str) -> tuple[Task, TaskModel]:
    """The task of a model that answers for recordings, and the model.

    >>> task, model = load_answering("runs/tuned")

    Args:
        source: model directory, the run that made it, or ``hub://owner/name``.
    Raises:
        CheckpointError: if there is no model.
        ConfigError: for a pre-trained encoder.
    """
    name = read_card(resolve_pretrained(source))[0].task
    if name == PRETRAINING:
        raise ConfigError(
            f"{source} is a pre-trained encoder, which says nothing of a recording; make a model of it with "
            "`hitrs finetune`, or a recognizer with `hitrs probe --out`"
        )
    task = get_task(name)
    return task, task.load(source)


def followed_remedies(card: ModelCard) -> frozenset[str]:
    """Of ``Task.remedies`` those that a model has behind it."""
    origin = str(card.trained.get("from", ""))
    found = {
        "start": origin not in ("", "scratch"),
        "steps": "ridge classifier" in origin,  # in closed form
        "convolutions": bool(card.head.get("convolutions")),
    }
    return frozenset(name for name, done in found.items() if done)


def drawn(indices: np.ndarray, most: int) -> np.ndarray:
    """At most so many of some numbers, in their order; always the same ones of the same numbers."""
    if len(indices) <= most:
        return indices
    return indices[np.sort(np.random.default_rng(0).permutation(len(indices))[:most])]


def check_task(card: ModelCard, task: str, source: str | Path) -> None:
    """Refuse a model that is for something else.

    Raises:
        CheckpointError: with the command that makes a model of the wanted kind.
    """
    if card.task == task:
        return
    if card.task == PRETRAINING:
        raise CheckpointError(
            f"{source} is a pre-trained model without a head for {task}; make one of it with "
            f"`hitrs finetune STORE --task {task} --from {source}`"
        )
    verb = f"; use it with `hitrs {get_task(card.task).verb}`" if card.task in TASKS.names() else ""
    raise CheckpointError(f"{source} is a model for {card.task}, not for {task}{verb}")


def check_every_frame(card: ModelCard, *, tubelets: bool = False) -> None:
    """Refuse preprocessing after which a task that answers for frames has none to answer for.

    Args:
        card: of the model.
        tubelets: whether the task knows what to do with tokens of several frames.

    Raises:
        ConfigError: naming the settings.
    """
    settings = card.preprocessing
    wanted = {"frames": 0} if tubelets else {"frames": 0, "tubelet": 1}
    found = {name: getattr(settings, name) for name in wanted}
    if found != wanted:
        values = " and ".join(f"preprocessing.{name} = {value}" for name, value in found.items())
        options = " ".join(f"--preprocessing.{name} {value}" for name, value in wanted.items())
        raise ConfigError(
            f"{card.task} answers for single frames, but {values} change them; use an encoder with "
            f"`{options}`"
        )
