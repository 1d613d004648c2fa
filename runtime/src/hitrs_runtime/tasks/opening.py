"""What a path means to the classes for applications: an exported file, and nothing else."""

from __future__ import annotations

import os
from typing import Any, NoReturn

from hitrs_runtime.errors import CheckpointError, ConfigError, DataError
from hitrs_runtime.models.exported import ExportedModel, is_exported
from hitrs_runtime.skeleton.layout import Layout


def open_model(model: Any, task: str, device: str | None) -> ExportedModel:
    """A model that answers for a task.

    Args:
        model: an exported file (``*.onnx``), or one that is loaded already.
        device: None or "cpu".
    Raises:
        CheckpointError: if there is no model, or it is one for something else.
        ConfigError: for another device.
    """
    if device not in (None, "cpu"):
        raise ConfigError(f"an exported file computes on the CPU, not on {device}; leave the device out")
    if not is_exported(model):
        raise CheckpointError(
            f"{model} is no exported file: hitrs-runtime runs what `hitrs export MODEL OUT.onnx` wrote"
        )
    return (model if isinstance(model, ExportedModel) else ExportedModel(model)).checked_for(task)


def open_recording(
    given: str | os.PathLike[str], model: Layout, layout: Layout | None, columns: str | None
) -> NoReturn:
    """Nothing: the runtime reads no recordings.

    Raises:
        DataError: always.
    """
    raise DataError(
        f"hitrs-runtime reads no files such as {os.fspath(given)}: give an array (frames, joints, "
        "coordinates) or (frames, persons, joints, coordinates)"
    )


def check_single(given: Any, name: str) -> None:
    """Nothing: there are no stores."""
