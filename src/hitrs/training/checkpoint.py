"""Checkpoints that a kill cannot spoil, with checksums: tensors in safetensors, all else in JSON."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from hitrs.errors import CheckpointError, DataError
from hitrs.files import atomic_folder, read_json, sha256_of, write_json
from hitrs.models.card import ModelCard
from hitrs.models.pretrained import tell_misfit
from hitrs.schema import sealed, unchanged

WEIGHTS, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
VERSION = 2
"""1 (before 0.2) had other names for parameters and settings."""


def save_checkpoint(
    folder: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: dict[str, Any],
    card: ModelCard | None = None,
) -> Path:
    """Write ``folder/step-NNNNNNNN`` whole or not at all; the one before is kept, in case that it is damaged.

    Args:
        card: of the model that is trained; with it the checkpoint can be used as a model.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written; the older checkpoint stays.
    """
    target = folder / f"step-{state['step']:08d}"
    tensors, scalars = _flatten(optimizer)
    try:
        with atomic_folder(target) as part:
            weights = {name: value.contiguous() for name, value in module.state_dict().items()}
            save_file(weights, part / WEIGHTS)
            save_file(tensors, part / OPTIMIZER)
            sums = {name: sha256_of(part / name) for name in (WEIGHTS, OPTIMIZER)}
            content = {"version": VERSION, "scalars": scalars, **state, "files": sums}
            write_json(part / STATE, sealed(content))
            if card is not None:
                write_json(part / "config.json", sealed({**card.to_dict(), "weights_sha256": sums[WEIGHTS]}))
            for name in sums:  # they are written as files for nobody else
                shutil.copymode(part / STATE, part / name)
    except (OSError, SafetensorError, DataError) as error:
        raise CheckpointError(
            f"could not write the checkpoint {target}: {error}; free some space, then go on with "
            "--resume, or start again if there was no earlier checkpoint"
        ) from error
    kept = [path for path in list_checkpoints(folder) if path.name < target.name][-1:]
    for old in [*list_checkpoints(folder), *folder.glob(".step-*")]:  # the latter a kill left behind
        if old not in (target, *kept):
            shutil.rmtree(old, ignore_errors=True)
    return target


def list_checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(p for p in folder.glob("step-*") if (p / STATE).is_file())


def load_checkpoint(
    folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Restore the newest checkpoint into module and optimizer; its state, or None if there is none.

    Raises:
        CheckpointError: if it is damaged, naming an older one that is whole, or belongs to another model.
    """
    complete = list_checkpoints(folder)
    if not complete:
        return None
    path = complete[-1]
    try:
        state = _read_state(path)
        weights, tensors = load_file(path / WEIGHTS), load_file(path / OPTIMIZER)
    except (OSError, SafetensorError, ValueError) as error:
        whole = next((older for older in reversed(complete[:-1]) if _is_whole(older)), None)
        advice = (
            "remove it to start again"
            if whole is None
            else f"{whole.name} beside it is whole: remove {path.name}, and --resume goes on from there"
        )
        raise CheckpointError(f"{path} cannot be read: {error}; {advice}") from error
    try:
        for name, value in {**weights, **tensors}.items():
            if value.is_complex():  # torch would drop the imaginary part
                raise TypeError(f"{name} is {str(value.dtype).removeprefix('torch.')}")
        if misfit := tell_misfit(module, weights):
            raise ValueError(misfit)
        module.load_state_dict(weights)
        _restore(optimizer, tensors, state.pop("scalars"))
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path} belongs to another model: {reason}") from error
    return state


def _read_state(path: Path) -> dict[str, Any]:
    """What a checkpoint says beside its tensors, after checking these.

    Raises:
        OSError, ValueError: if something cannot be read or does not match its checksum.
        CheckpointError: for another format version.
    """
    state = read_json(path / STATE)
    version = state.get("version") if isinstance(state, dict) else None
    if version != VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, this release goes on with {VERSION} only: parameters and "
            "settings had other names; start another run"
        )
    if not unchanged(state):
        raise ValueError(f"{STATE} does not match its checksum")
    state.pop("sha256", None)  # the first releases of this version wrote none
    _check_state(state)
    for name, checksum in state.pop("files", {}).items():
        if name in (WEIGHTS, OPTIMIZER) and sha256_of(path / name) != checksum:
            raise ValueError(f"{name} does not match its checksum")
    return state


def _check_state(state: dict[str, Any]) -> None:
    """ValueError unless what training goes on from is of the kinds that ``save_checkpoint`` was given."""

    def numbers(*values: Any) -> bool:
        return all(isinstance(value, int | float) and math.isfinite(value) for value in values)

    step, averages, passes = state.get("step"), state.get("averages") or {}, state.get("passes", 1)
    mean = isinstance(averages, dict) and all(
        isinstance(pair, list) and len(pair) == 2 and numbers(*pair) and pair[1] > 0
        for pair in averages.values()
    )
    for fits, what in (
        (isinstance(step, int) and 0 <= step < 1 << 53, "step"),
        (isinstance(passes, int) and 0 < passes < 1 << 53, "passes"),
        (numbers(state.get("seconds", 0)), "seconds"),
        (mean, "averages"),
        (isinstance(state.get("files", {}), dict), "files"),
        (isinstance(state.get("scalars", {}), dict), "scalars"),
    ):
        if not fits:
            raise ValueError(f"'{what}' of {STATE} is not what a checkpoint has there")


def _is_whole(path: Path) -> bool:
    try:
        _read_state(path)
    except (OSError, ValueError, CheckpointError):
        return False
    return True


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
