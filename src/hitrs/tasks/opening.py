"""What a path means to the classes for applications: a model, or a recording.

PyTorch and the readers of files are imported when one is needed. The package without PyTorch has a module of
this name of its own.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from hitrs.data.recording import Recording
from hitrs.errors import CheckpointError, ConfigError, DataError
from hitrs.files import made_here
from hitrs.models.exported import ExportedModel, is_exported
from hitrs.skeleton.layout import Layout


def open_model(model: Any, task: str, device: str | None) -> Any:
    """A model that answers for a task: of a path the one that lies there.

    Args:
        model: model directory, the run that made it, ``hub://owner/name``, an exported file (``*.onnx``), or
            a model that is loaded already.
        device: where a PyTorch model computes; None: where it is.
    Raises:
        CheckpointError: if there is no model, or it is one for something else.
        ConfigError: for a device, where the model is an exported file.
    """
    if is_exported(model):
        if device not in (None, "cpu"):
            raise ConfigError(f"an exported file computes on the CPU, not on {device}; leave the device out")
        return (model if isinstance(model, ExportedModel) else ExportedModel(model)).checked_for(task)
    from hitrs.tasks.base import TaskModel, get_task

    loaded = get_task(task).load(os.fspath(model)) if isinstance(model, str | os.PathLike) else model
    if not isinstance(loaded, TaskModel):
        raise CheckpointError(
            "what recognizes, detects or predicts is made of a model, its directory or the run that made it, "
            f"not of a {type(loaded).__name__}; recordings are given to it afterwards"
        )
    return loaded.eval() if device is None else loaded.eval().to(device)


def open_recording(
    given: str | os.PathLike[str], model: Layout, layout: Layout | None, columns: str | None
) -> Recording:
    """A file's recording; one that does not say its layout has the given one, or else the model's.

    Raises:
        DataError: for a folder, or a file that cannot be read.
    """
    from hitrs.data.formats import read_recording

    path = Path(given)
    if kind := made_here(path):
        raise DataError(f"{path} is no recording: {kind}.")
    if path.is_dir():
        raise DataError(f"{path} is a folder; name the files in it, for example {path / '*.npz'}.")
    if layout is not None:
        return read_recording(path, layout, columns=columns)
    if columns is None:
        try:
            return read_recording(path)
        except DataError:
            if path.suffix.lower() not in (".csv", ".npz", ".npy"):  # the other formats have one layout
                raise
    recording = read_recording(path, model, columns=columns)
    note = f"it does not say which joints it has: taken for those of {model.name}, in their order"
    return replace(recording, notes=(*recording.notes, note))


def check_single(given: Any, name: str) -> None:
    """DataError for a store, which holds many recordings."""
    from hitrs.data.store import Store

    if isinstance(given, Store):
        raise DataError(
            f"{name} is a store of {len(given)} recordings: give one of them, as store[0], or all with "
            "`for recording in store` (a recognizer: `recognize_many(store)`)."
        )
