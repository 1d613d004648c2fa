"""What is served: models by task, the limits, where moments go, and the threads that compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hitrs.data.video.estimator import PoseEstimator, current_estimator
from hitrs.errors import ConfigError, DataError, HitrsError
from hitrs.models.card import ModelCard
from hitrs.serve.moment import Moments
from hitrs.serve.worker import Worker
from hitrs.skeleton.layout import Layout, get_layout, named_layout
from hitrs.skeleton.mapping import layout_of_joints
from hitrs.tasks.base import Task, TaskModel, load_answering
from hitrs.tasks.serving import Served

_WAITING = 8
"""Recordings that wait to be answered."""


@dataclass(frozen=True)
class Limits:
    """How much clients may take."""

    clients: int = 32
    """Live at once."""
    cameras: int = 2
    """Of them such as send pictures."""
    upload: int = 100_000_000
    """Bytes of a recording."""

    def __post_init__(self) -> None:
        for name, value, least in (("clients", self.clients, 1), ("cameras", self.cameras, 0)):
            if value < least:
                raise ConfigError(f"--{name} must be at least {least}, got {value}")
        if self.upload < 1:
            raise ConfigError("--most-megabytes must be above 0")


@dataclass(frozen=True)
class ServedModel:
    """A model with what is done with it."""

    task: Task
    model: TaskModel
    served: Served

    @property
    def card(self) -> ModelCard:
        """What is known about the model."""
        return self.model.card

    def facts(self) -> dict[str, Any]:
        """For clients, JSON values."""
        card = self.card
        return {
            "task": self.task.name,
            "verb": self.task.verb,
            "about": self.task.about,
            "classes": list(card.classes),
            "layout": card.layout.name,
            "joints": list(card.layout.joints),
            "dims": card.layout.dims,
            "fps": card.fps,
            "live": self.served.live is not None,
            "needs": self.served.needs,
        }

    def layout_of(self, text: str) -> Layout:
        """The layout that a client names: one that comes with the package, or joints with commas; the model's
        where it names none. Files are never opened.

        Raises:
            LayoutError: if there is none.
        """
        if not text:
            return self.card.layout
        if "," in text:
            return layout_of_joints([name.strip() for name in text.split(",")], self.card.layout)
        return self.card.layout if text == self.card.layout.name else named_layout(text)


def load_model(source: str) -> ServedModel:
    """A model by its directory, run or ``hub://owner/name``.

    Raises:
        CheckpointError, ConfigError: if there is none, or it cannot be served.
    """
    task, model = load_answering(source)
    return ServedModel(task, model, task.served(model))


@dataclass
class Service:
    """What is served, and who is live.

    >>> service = Service.of(["runs/tuned", "runs/detector"])
    """

    models: dict[str, ServedModel]
    """By task."""
    limits: Limits = field(default_factory=Limits)
    moments: Moments | None = None
    """Where moments are kept; None: nowhere."""
    estimator: PoseEstimator = field(default_factory=current_estimator)
    live: Worker = field(default_factory=lambda: Worker("live"))
    """Computes frames of all who send skeletons."""
    recordings: Worker = field(default_factory=lambda: Worker("recordings", _WAITING))
    clients: int = 0
    cameras: int = 0
    uploads: int = 0
    """Now."""

    @classmethod
    def of(cls, sources: Sequence[str], **more: Any) -> Service:
        """Models by their places.

        Raises:
            CheckpointError: if one cannot be read.
            ConfigError: if two are for the same task, or one cannot be served.
        """
        models: dict[str, ServedModel] = {}
        places: dict[str, str] = {}
        for source in sources:
            loaded = load_model(source)
            task = loaded.task.name
            if task in models:
                raise ConfigError(
                    f"{places[task]} and {source} are both models for {task}; serve one model of each task, "
                    "and the other one at another --port"
                )
            models[task], places[task] = loaded, source
        return cls(models, **more)

    @property
    def pose_layout(self) -> Layout:
        """Of the people in pictures."""
        return get_layout(self.estimator.layout)

    def no_pictures(self) -> str:
        """Why pictures cannot be looked at; empty where they can."""
        if self.limits.cameras == 0:
            return "pictures are not looked at here (--cameras 0)"
        if not any(each.served.live for each in self.models.values()):
            return "; ".join(each.served.needs for each in self.models.values())
        try:
            self.estimator.check_live()
        except DataError as error:
            return str(error)
        return ""

    def chosen(self, task: str) -> ServedModel:
        """The model of a task; the only one that can be live, or is there at all, where none is named.

        Raises:
            ConfigError: if there is none, or several.
        """
        if task:
            if task not in self.models:
                raise ConfigError(f"there is no model for {task}; there are {', '.join(self.models)}")
            return self.models[task]
        fitting = [each for each in self.models.values() if each.served.live] or list(self.models.values())
        if len(fitting) > 1:
            names = ", ".join(each.task.name for each in fitting)
            raise ConfigError(f"there are models for {names}: name one of them as `task`")
        return fitting[0]


def sentence(error: HitrsError, hidden: str = "") -> str:
    """An error's message for a client, without the folder of this machine that its file lay in."""
    return str(error).replace(hidden, "") if hidden else str(error)
