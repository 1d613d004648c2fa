"""Checkpoints of the authors' code to model directories, and back.

A ``.pth`` file is a pickle, and unpickling can run code. So it is read by torch's restricted reader, which
builds tensors and plain containers and nothing else, and refuses whatever else it meets.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hitrs.errors import CheckpointError, ConfigError
from hitrs.files import atomic_file, explained_writes
from hitrs.models.authors import from_authors, infer_config, to_authors
from hitrs.models.card import PRETRAINING, ModelCard
from hitrs.models.config import ModelConfig
from hitrs.models.encoder import HiTRS
from hitrs.models.pretrained import load_pretrained, load_weights, save_pretrained
from hitrs.schema import read_settings
from hitrs.skeleton import Layout, get_layout
from hitrs.tasks.recognition.config import RecognitionHeadConfig
from hitrs.tasks.recognition.model import RecognitionModel

_MARK = "s_input_map."
"""Every checkpoint of the authors' model has parameters whose names begin like this."""
_PREFIX = "module."
"""What data-parallel training put before every name in the released files."""
_FIXED = ("stride", "dilation", "padded")
"""Settings of the model that the files do not hold: they are read with the paper's."""
_NTU = (25, 3)
"""Joints and coordinates of the data that the released checkpoints were trained on."""


def read_authors(
    source: Path,
    out: Path,
    heads: int | None = None,
    layout: str | None = None,
    classes: Path | None = None,
) -> list[str]:
    """Turn an authors' checkpoint into a model directory; lines about what it holds.

    Args:
        source: a ``.pth`` file of parameters.
        out: the model directory.
        heads: attention heads, which have to be given: the weights do not tell.
        layout: the joints' layout; ntu25 for 25 joints with 3 coordinates if left out.
        classes: text file with one class name a line, in the order of the scores.
    Raises:
        CheckpointError: if it cannot be read or is no Hi-TRS.
        ConfigError: without heads, or if the layout or the class names do not fit.
    """
    ours = from_authors(_parameters(_load_plain(source), source))
    if heads is None:
        raise ConfigError(
            f"how many attention heads has the model of {source}? The weights do not tell; name them with "
            "--heads (the paper's model has 8)"
        )
    config, joints, coords = infer_config(ours, heads)
    names: tuple[str, ...] = ()
    if "classifier.weight" in ours:
        names = _class_names(classes, len(ours["classifier.weight"]))
        ours = {name: value for name, value in ours.items() if not name.startswith("tasks.")}
    card = ModelCard(config, _layout(layout, joints, coords), classes=names, trained={"from": source.name})
    encoder = HiTRS(config, joints, coords)
    if names:
        load_weights(RecognitionModel(encoder, card), ours, source)
    else:
        own = {n.removeprefix("encoder."): v for n, v in ours.items() if n.startswith("encoder.")}
        load_weights(encoder, own, source)
    save_pretrained(out, card, ours)
    kind = f"recognizer of {len(names)} classes" if names else "pre-trained encoder with its pretext heads"
    count = sum(value.numel() for value in ours.values())
    size = f"width {config.width}, {config.heads} x {config.head_width} heads, {config.layers} layers a level"
    return [f"{kind}: {size}, {joints} joints, {count:,} parameters", f"model       {out}"]


def write_authors(source: str | Path, out: Path) -> list[str]:
    """Write a model (directory, run folder, ``hub://owner/name``) for the authors' code; lines about it.

    Raises:
        ConfigError: for a model that their code, and so the file, cannot hold: it could not be read back.
    """
    card, weights = load_pretrained(source)
    if reason := _beyond_authors(card):
        raise ConfigError(
            f"{source} cannot be written for the authors' code: {reason}. `hitrs export` writes it for other "
            "programs"
        )
    ours = {name: value for name, value in weights.items() if not _is_own_task(name)}
    theirs = {_PREFIX + name: value for name, value in to_authors(ours).items()}
    content = io.BytesIO()
    torch.save(theirs, content)
    with atomic_file(out) as part, explained_writes(out):
        part.write_bytes(content.getbuffer())
    lines = [f"{len(theirs)} parameters in the authors' names, {card.model.heads} heads"]
    if left := sorted({name.split(".")[1] for name in weights if _is_own_task(name)}):
        lines.append(f"left out    heads of pretext tasks that their code does not have: {', '.join(left)}")
    if card.model.mode != "paper":
        lines.append(
            "note        what was not seen is masked here and zeros there, where it answers otherwise"
        )
    return [*lines, f"checkpoint  {out}"]


def _beyond_authors(card: ModelCard) -> str:
    """Why the authors' code cannot hold a model; empty if it can."""
    usual = ModelConfig()
    for name in _FIXED:
        if (own := getattr(card.model, name)) != (fixed := getattr(usual, name)):
            return f"model.{name} is {str(own).lower()}, and there it is {str(fixed).lower()}"
    if card.channels != card.layout.dims:
        stream, tubelet = card.preprocessing.stream, card.preprocessing.tubelet
        return (
            f"its encoder takes {card.channels} numbers of a joint at once (preprocessing.stream {stream}, "
            f"preprocessing.tubelet {tubelet}), and theirs the {card.layout.dims} coordinates"
        )
    if card.task not in (PRETRAINING, RecognitionModel.task):
        return f"it is a model for {card.task}, and they have pre-trained encoders and recognizers"
    head = read_settings(RecognitionHeadConfig, card.head, "head")
    if card.task == RecognitionModel.task and (head.features != "video" or head.convolutions):
        beside = " with random convolutions beside it" * head.convolutions
        return f"its classifier reads {head.features} features{beside}, and theirs the video feature"
    return ""


def _is_own_task(name: str) -> bool:
    """Whether a parameter is of a pretext task that the authors do not have."""
    return name.startswith("tasks.") and not to_authors({name: torch.zeros(0)})


def _load_plain(path: Path) -> Any:
    """What a .pth file holds, if that is tensors and plain containers only."""
    try:
        with warnings.catch_warnings():  # about how old or new the pickle is
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}") from None
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if found is None:
            raise CheckpointError(f"{path} is no PyTorch checkpoint of tensors alone, or damaged") from None
        raise CheckpointError(
            f"{path} holds more than tensors ({found[1]}), which could run code when it is read; nothing was "
            "run. Ask for a file that holds the state_dict alone"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is no PyTorch checkpoint, or it is cut short") from error


def _parameters(content: Any, path: Path) -> dict[str, Tensor]:
    """The dictionary of the model's parameters, which may lie inside another dictionary."""
    candidates = [content, *content.values()] if isinstance(content, Mapping) else []
    for candidate in candidates:
        if not isinstance(candidate, Mapping):
            continue
        if any(str(name).removeprefix(_PREFIX).startswith(_MARK) for name in candidate):
            wrong = [str(name) for name, value in candidate.items() if not isinstance(value, Tensor)]
            if wrong:
                raise CheckpointError(f"{path}: '{wrong[0]}' is not a tensor; expected parameters only")
            return {str(name): value.float() for name, value in candidate.items()}
    keys = ", ".join(str(key) for key in list(candidates[0])[:5]) if candidates else type(content).__name__
    raise CheckpointError(f"{path} holds no Hi-TRS model: no parameter {_PREFIX}{_MARK}*, only {keys}")


def _layout(name: str | None, joints: int, coords: int) -> Layout:
    if name is None and (joints, coords) != _NTU:
        raise ConfigError(f"the checkpoint has {joints} joints with {coords} coordinates; name its --layout")
    layout = get_layout(name or "ntu25")
    if (layout.n_joints, layout.dims) != (joints, coords):
        raise CheckpointError(
            f"the checkpoint has {joints} joints with {coords} coordinates, but layout {layout.name} has "
            f"{layout.n_joints} with {layout.dims}"
        )
    return layout


def _class_names(path: Path | None, count: int) -> tuple[str, ...]:
    if path is None:
        return tuple(f"A{number:03d}" for number in range(1, count + 1))
    try:
        names = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the class names {path}: {error}") from error
    if len(names) != count or len(set(names)) != count:
        raise ConfigError(f"{path} has {len(set(names))} different names; the checkpoint has {count} classes")
    return names
