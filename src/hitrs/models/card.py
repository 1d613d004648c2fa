"""What is stored beside a model's weights. No torch here: commands read it before they compute anything."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hitrs.data.space import Space
from hitrs.errors import CheckpointError, ConfigError, DataError, LayoutError
from hitrs.files import recover_folder
from hitrs.models.config import ModelConfig
from hitrs.models.migration import VERSION, migrate_card
from hitrs.skeleton.layout import Layout
from hitrs.transforms.config import PreprocessingConfig

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

        Raises KeyError, TypeError or HitrsError if parts are missing or unknown.
        """
        return cls(
            model=ModelConfig(**values["model"]),
            layout=Layout.from_dict(values["layout"]),
            preprocessing=PreprocessingConfig(**values["preprocessing"]),
            classes=tuple(values["classes"]),
            persons=values["persons"],
            task=values["task"],
            head=values["head"],
            postprocessing=values["postprocessing"],
            fps=values["fps"],
            space=Space.from_dict(values["space"]) if "space" in values else Space(),
            trained=values["trained"],
        )


def read_card(folder: Path) -> tuple[ModelCard, int]:
    """The card of a model directory, and the format version that it was written in.

    Raises:
        CheckpointError: if it cannot be read, or is of a version that this release does not know.
    """
    file = folder / "config.json"
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        version = values.get("format_version")
        return ModelCard.from_dict(migrate_card(values, folder)), version
    except (OSError, ValueError) as error:
        raise CheckpointError(f"the model {folder} cannot be read: {error}") from error
    except (KeyError, TypeError, AttributeError, ConfigError, DataError, LayoutError) as error:
        raise CheckpointError(f"{file} is not a hitrs model configuration: {error}") from error


def resolve_pretrained(source: str | Path) -> Path:
    """The model directory that ``source`` means; a hub id is downloaded (or taken from the cache)."""
    folder = Path(source)
    for candidate in (folder, folder / "model"):
        recover_folder(candidate)
        if (candidate / "config.json").is_file():
            return candidate
    if folder.exists() or str(source).count("/") != 1 or str(source).startswith((".", "/", "~")):
        raise CheckpointError(
            f"{source} is not a model directory: expected config.json and model.safetensors in it or in its "
            "model/ (a run that is not finished has no model/ yet)"
        )
    return _download(str(source))


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=["config.json", "model.safetensors"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"{name} is neither a folder here nor a model that the hub gives: {error}"
        ) from error
