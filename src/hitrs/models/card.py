"""What is stored beside a model's weights. No torch here: commands read it before they compute anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hitrs.data.space import Space
from hitrs.errors import ConfigError
from hitrs.models.config import ModelConfig
from hitrs.schema import number, read_settings, section, text, texts, whole
from hitrs.skeleton.layout import Layout
from hitrs.transforms.config import PreprocessingConfig

VERSION = 2
"""Of the format that this release writes."""
LARGEST_FILE = 1 << 24
"""Bytes of a card."""
PRETRAINING = "pretraining"
"""The task of a pre-trained model."""


@dataclass(frozen=True)
class ModelCard:
    """What is stored beside the weights."""

    model: ModelConfig
    layout: Layout
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    classes: tuple[str, ...] = ()
    """Class names, in the order of the scores; empty for a pre-trained model."""
    persons: int = 2
    """Body slots of the paper's mode."""
    task: str = ""
    """Name of the downstream task; by default "recognition" where there are classes, else "pretraining"."""
    head: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the task's head."""
    postprocessing: Mapping[str, Any] = field(default_factory=dict)
    """Settings of what the task does with the head's output."""
    fps: float | None = None
    """Frame rate of the recordings that it was trained on; None = unknown, or several."""
    space: Space = field(default_factory=Space)
    """Unit, up axis and bones of the recordings that it was trained on, with which those that come are
    compared; unknown of a model of an earlier release."""
    trained: Mapping[str, Any] = field(default_factory=dict)
    """How it was made: protocol, data, steps; for people."""

    def __post_init__(self) -> None:
        if not self.task:
            object.__setattr__(self, "task", "recognition" if self.classes else PRETRAINING)

    @property
    def least_joints(self) -> float:
        """Share of the layout's joints that a recording has to show, on average over its bodies: half of what
        those showed that it was trained on."""
        return self.space.seen / 2

    @property
    def channels(self) -> int:
        """Numbers of a joint that the encoder takes at once."""
        return self.preprocessing.channels(self.layout.dims)

    def to_dict(self) -> dict[str, Any]:
        return {
            "format_version": VERSION,
            "model": dataclasses.asdict(self.model),
            "layout": self.layout.to_dict(),
            "preprocessing": dataclasses.asdict(self.preprocessing),
            "classes": list(self.classes),
            "persons": self.persons,
            "task": self.task,
            "head": dict(self.head),
            "postprocessing": dict(self.postprocessing),
            "fps": self.fps,
            "space": self.space.to_dict(),
            "trained": dict(self.trained),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelCard:
        """The reverse of :meth:`to_dict`.

        Raises KeyError or HitrsError if parts are missing, unknown, of another type or out of bounds.
        """
        _check(values)
        return cls(
            model=read_settings(ModelConfig, values["model"], "model"),
            layout=Layout.from_dict(values["layout"]),
            preprocessing=read_settings(PreprocessingConfig, values["preprocessing"], "preprocessing"),
            classes=tuple(values["classes"]),
            persons=values["persons"],
            task=values["task"],
            head=values["head"],
            postprocessing=values["postprocessing"],
            fps=values["fps"],
            space=Space.from_dict(values["space"]) if "space" in values else Space(),
            trained=values["trained"],
        )


def _check(values: Mapping[str, Any]) -> None:
    """Of the keys that are no settings of their own (``read_settings`` checks those)."""
    for key in ("model", "layout", "preprocessing"):
        section(values[key], key)
    texts(values["classes"], "classes")
    whole(values["persons"], "persons", 1)
    text(values["task"], "task")
    for key in ("head", "postprocessing", "trained"):
        section(values[key], key)
    if values["fps"] is not None:
        number(values["fps"], "fps")
        if values["fps"] <= 0:
            raise ConfigError(f"fps must be positive, got {values['fps']}")
