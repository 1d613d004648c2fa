"""A model on disk: weights, and everything that is needed to use them on a raw recording.

A model directory holds ``config.json`` (sizes, layout, class names, preprocessing) and ``model.safetensors``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hitrs.errors import CheckpointError, ConfigError, LayoutError
from hitrs.models.config import ModelConfig
from hitrs.skeleton.layout import Layout
from hitrs.transforms.preprocess import Preprocessing

VERSION = 1
Task = Literal["pretraining", "recognition", "detection", "prediction"]


@dataclass(frozen=True)
class ModelCard:
    """What is stored beside the weights."""

    model: ModelConfig
    layout: Layout
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    classes: tuple[str, ...] = ()
    """Class names, in the order of the scores; empty for a pre-trained model."""
    persons: int = 2
    """Body slots of the paper's mode."""
    task: Task | None = None
    """What the model is for; None: recognition where there are classes, else pre-training."""
    head: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the task's head and of what follows it."""
    fps: float | None = None
    """Frame rate of the recordings that it was trained on; None = unknown, or several."""
    trained: Mapping[str, Any] = field(default_factory=dict)
    """How it was made: protocol, data, updates; for people."""

    def __post_init__(self) -> None:
        if self.task is None:
            object.__setattr__(self, "task", "recognition" if self.classes else "pretraining")

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
            "fps": self.fps,
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
            preprocessing=Preprocessing(**values["preprocessing"]),
            classes=tuple(values["classes"]),
            persons=values["persons"],
            task=values.get("task"),
            head=values.get("head", {}),
            fps=values.get("fps"),
            trained=values.get("trained", {}),
        )


def save_bundle(folder: str | Path, card: ModelCard, weights: Mapping[str, Tensor]) -> Path:
    """Write a model directory, whole or not at all; an older one in the same place is replaced at the end.

    Raises:
        CheckpointError: if the disk is full, or the place cannot be written or holds something else.
    """
    folder = Path(folder).resolve()
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        if folder.exists() and not (folder / "config.json").is_file() and any(folder.iterdir()):
            raise CheckpointError(f"{folder} holds something else than a model; choose another place")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file(
            {k: v.detach().cpu().contiguous() for k, v in weights.items()}, partial / "model.safetensors"
        )
        (partial / "config.json").write_text(json.dumps(card.to_dict(), indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(
            f"could not write the model {folder}: {error}; free some space or choose another place"
        ) from error
    return folder


def load_bundle(source: str | Path) -> tuple[ModelCard, dict[str, Tensor]]:
    """Card and weights of a model directory, a run folder with one in ``model/``, or a hub id ``owner/name``.

    Raises:
        CheckpointError: if there is no model, or it cannot be read.
    """
    folder = find_bundle(source)
    try:
        values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if values.get("format_version") != VERSION:
            raise CheckpointError(
                f"{folder} has model format {values.get('format_version')}, this release reads {VERSION}; "
                "update hitrs"
            )
        card = ModelCard.from_dict(values)
        weights = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"the model {folder} cannot be read: {error}") from error
    except (KeyError, TypeError, AttributeError, ConfigError, LayoutError) as error:
        raise CheckpointError(
            f"{folder / 'config.json'} is not a hitrs model configuration: {error}"
        ) from error
    return card, weights


def find_bundle(source: str | Path) -> Path:
    """The model directory that ``source`` means; a hub id is downloaded (or taken from the cache)."""
    folder = Path(source)
    for candidate in (folder, folder / "model"):
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


def check_task(card: ModelCard, task: Task, source: str | Path) -> None:
    """Refuse a model that is for something else.

    Raises:
        CheckpointError: with the command that makes a model of the wanted kind.
    """
    if card.task == task:
        return
    if card.task == "pretraining":
        raise CheckpointError(
            f"{source} is a pre-trained model without a head for {task}; make one of it with "
            f"`hitrs finetune STORE --task {task} --from {source}`"
        )
    verbs = {"recognition": "recognize", "detection": "detect", "prediction": "predict"}
    raise CheckpointError(
        f"{source} is a model for {card.task}, not for {task}; use it with `hitrs {verbs[str(card.task)]}`"
    )


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Load weights that must fit exactly.

    Raises:
        CheckpointError: naming the first parameters that are missing, unknown or of another shape.
    """
    try:
        module.load_state_dict(dict(weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"the weights of {source} do not fit its configuration: {reason}") from None
