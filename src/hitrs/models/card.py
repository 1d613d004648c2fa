"""What is stored beside a model's weights. No torch here: commands read it before they compute anything."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hitrs.data.space import Space
from hitrs.errors import CheckpointError, ConfigError, DataError, LayoutError
from hitrs.files import made_here, read_json, recover_folder
from hitrs.models.config import ModelConfig
from hitrs.models.migration import VERSION, migrate_card
from hitrs.schema import number, read_settings, section, text, texts, whole
from hitrs.skeleton.layout import Layout
from hitrs.transforms.config import PreprocessingConfig

LARGEST_FILE = 1 << 24
"""Bytes of a card."""
PRETRAINING = "pretraining"
"""The task of a pre-trained model."""


class UnfinishedWarning(UserWarning):
    """A run that is not finished is used by its newest checkpoint."""


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


def read_card(folder: Path) -> tuple[ModelCard, int]:
    """The card of a model directory, and the format version that it was written in.

    Raises:
        CheckpointError: if it cannot be read, or is of a version that this release does not know.
    """
    file = folder / "config.json"
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{file.name} has more than {LARGEST_FILE} bytes")
        values = read_json(file)
        version = values.get("format_version")
        return ModelCard.from_dict(migrate_card(values, folder)), version
    except (OSError, ValueError) as error:
        raise CheckpointError(f"the model {folder} cannot be read: {error}") from error
    except (KeyError, TypeError, AttributeError, ConfigError, DataError, LayoutError) as error:
        raise CheckpointError(f"{file} is not a hitrs model configuration: {error}") from error


GENERAL = Path(__file__).parents[1] / "weights" / "general"
"""The encoder that comes with the package; a model is called "general" if no folder is."""
HUB = "hub://"
"""In front of the name of a model that the hub of Hugging Face has."""


def resolve_pretrained(source: str | Path) -> Path:
    """The model directory that ``source`` means: itself, the ``model/`` of a run, a model of the hub, or
    "general", the encoder that comes with the package.

    Of a run that is not finished it is the newest checkpoint, with an ``UnfinishedWarning``.

    Only a name with ``hub://`` in front is asked of the hub (or taken from its cache): a mistyped path must
    not be answered with the model of whoever owns that name there.

    >>> resolve_pretrained("runs/tuned"), resolve_pretrained("hub://owner/name")

    Raises:
        CheckpointError: if there is no model.
    """
    text = str(source)
    if text.startswith(HUB):
        return _download(text.removeprefix(HUB))
    folder = GENERAL if text == GENERAL.name and not Path(source).exists() else Path(source)
    for candidate in (folder, folder / "model"):
        recover_folder(candidate)
        if (candidate / "config.json").is_file():
            return candidate
    checkpoints = sorted((folder / "checkpoints").glob("step-*/config.json"))
    if checkpoints:
        newest = checkpoints[-1].parent
        warnings.warn(
            f"the run {folder} is not finished; its newest checkpoint is used, {newest.name}",
            UnfinishedWarning,
            stacklevel=2,
        )
        return newest
    if kind := made_here(folder):
        reason = kind
    elif folder.exists():
        reason = (
            "expected config.json and model.safetensors in it or in its model/ (a run that is not finished "
            "has neither before its first checkpoint)"
        )
    else:
        reason = "there is nothing at this path"
        if re.fullmatch(r"[\w.-]+/[\w.-]+", text):
            reason += f" (a model of the hub is {HUB}{text})"
    raise CheckpointError(f"{source} is not a model directory: {reason}")


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder with a card is the checkpoint of a run and not a model directory."""
    return (folder / "state.json").is_file()


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise CheckpointError(f"{HUB}{name} is not a model of the hub: expected {HUB}owner/name")
    try:
        return Path(snapshot_download(name, allow_patterns=["config.json", "model.safetensors"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(f"the hub does not give the model {HUB}{name}: {error}") from error
