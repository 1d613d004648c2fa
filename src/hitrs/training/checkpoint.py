"""Checkpoints that a kill cannot spoil: tensors in safetensors, all else in JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from hitrs.errors import CheckpointError, DataError
from hitrs.files import atomic_folder

VERSION = 2
"""1 (before 0.2) had other names for parameters and settings."""


def save_checkpoint(
    folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> Path:
    """Write ``folder/step-NNNNNNNN`` whole or not at all, then remove the older ones.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written; the older checkpoint stays.
    """
    target = folder / f"step-{state['step']:08d}"
    tensors, scalars = _flatten(optimizer)
    try:
        with atomic_folder(target) as part:
            weights = {name: value.contiguous() for name, value in module.state_dict().items()}
            save_file(weights, part / "model.safetensors")
            save_file(tensors, part / "optimizer.safetensors")
            (part / "state.json").write_text(json.dumps({"version": VERSION, "scalars": scalars, **state}))
    except (OSError, SafetensorError, DataError) as error:
        raise CheckpointError(
            f"could not write the checkpoint {target}: {error}; free some space, then go on with "
            "--resume, or start again if there was no earlier checkpoint"
        ) from error
    for old in [*list_checkpoints(folder), *folder.glob(".step-*")]:  # the latter a kill left behind
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    return target


def list_checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(p for p in folder.glob("step-*") if (p / "state.json").is_file())


def load_checkpoint(
    folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Restore the newest checkpoint into module and optimizer; its state, or None if there is none.

    Raises:
        CheckpointError: if it cannot be read, or belongs to another model.
    """
    complete = list_checkpoints(folder)
    if not complete:
        return None
    path = complete[-1]
    try:
        weights = load_file(path / "model.safetensors")
        tensors = load_file(path / "optimizer.safetensors")
        state = json.loads((path / "state.json").read_text())
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}; remove it to start again") from error
    version = state.get("version") if isinstance(state, dict) else None
    if version != VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, this release goes on with {VERSION} only: parameters and "
            "settings had other names; start another run"
        )
    try:
        module.load_state_dict(weights)
        _restore(optimizer, tensors, state.pop("scalars"))
    except (RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path} belongs to another model: {reason}") from error
    return state


def _flatten(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    tensors, scalars = {}, {}
    for index, values in optimizer.state_dict()["state"].items():
        for key, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{key}"] = value.contiguous()
            else:
                scalars[f"{index}.{key}"] = value
    return tensors, scalars


def _restore(
    optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor], scalars: dict[str, Any]
) -> None:
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **scalars}.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
