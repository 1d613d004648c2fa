"""A model on disk: weights, and everything that is needed to use them on a raw recording.

A model directory holds ``config.json`` (the card: sizes, layout, class names, preprocessing) and
``model.safetensors``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hitrs.errors import CheckpointError, DataError
from hitrs.files import atomic_folder, read_json, sha256_of
from hitrs.models.card import ModelCard
from hitrs.models.card_files import is_checkpoint, read_card, resolve_pretrained
from hitrs.models.migration import migrate_weights
from hitrs.schema import sealed

_COMMON = 10**8
"""Numbers of an encoder; the paper's has 16 million."""


def save_pretrained(folder: str | Path, card: ModelCard, weights: Mapping[str, Tensor]) -> Path:
    """Write a model directory, whole or not at all; an older one in the same place is replaced at the end.

    Raises:
        CheckpointError: if the disk is full, or the place cannot be written or holds something else.
    """
    folder = Path(folder).resolve()
    try:
        if folder.exists() and not (folder / "config.json").is_file() and any(folder.iterdir()):
            raise CheckpointError(f"{folder} holds something else than a model; choose another place")
        with atomic_folder(folder) as part:
            tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
            save_file(tensors, part / "model.safetensors")
            values = sealed({**card.to_dict(), "weights_sha256": sha256_of(part / "model.safetensors")})
            (part / "config.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
            # safetensors writes for nobody else; whoever may read the one may read the other
            shutil.copymode(part / "config.json", part / "model.safetensors")
    except (OSError, SafetensorError, DataError) as error:
        raise CheckpointError(
            f"could not write the model {folder}: {error}; free some space or choose another place"
        ) from error
    return folder


def load_pretrained(source: str | Path) -> tuple[ModelCard, dict[str, Tensor]]:
    """Card and weights of a model directory, a run (its ``model/``, else newest checkpoint) or ``hub://owner/name``.

    Raises:
        CheckpointError: if there is no model, or it cannot be read.
    """
    folder = resolve_pretrained(source)
    card, version = read_card(folder)
    try:
        _check_digest(folder)
        weights = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"the model {folder} cannot be read: {error}") from error
    weights = migrate_weights(weights, version)
    if is_checkpoint(folder):  # of a task's model, which stands in its loss
        inner = {k.removeprefix("model."): v for k, v in weights.items() if k.startswith("model.")}
        weights = inner or weights
    _check_size(card, weights, folder)
    return card, weights


def _check_size(card: ModelCard, weights: Mapping[str, Tensor], folder: Path) -> None:
    """Refuse a card that describes a much larger encoder than the one that is there: it would be built first.

    What has no encoder (random convolutions, say) still names the sizes of one, in common bounds.
    """
    encoder = sum(value.numel() for name, value in weights.items() if name.startswith("encoder."))
    expected = card.model.numbers(card.layout.n_joints)
    if expected > (4 * encoder or _COMMON):
        raise CheckpointError(
            f"the weights of {folder} do not fit its configuration: that describes an encoder of {expected} "
            f"numbers or more, they hold {encoder}; copy or download the model again"
        )


def _check_digest(folder: Path) -> None:
    """Refuse weights that are not those that were written; models of before 0.2 say nothing about theirs."""
    expected = read_json(folder / "config.json").get("weights_sha256")
    if expected is not None and sha256_of(folder / "model.safetensors") != expected:
        raise CheckpointError(
            f"{folder / 'model.safetensors'} is damaged, or another program has changed it: its SHA-256 is "
            "not the one in config.json; copy or download the model again (if the change is wanted, remove "
            "weights_sha256 and sha256 from config.json)"
        )


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Load weights that must fit exactly, and be numbers of the kind that they replace.

    Raises:
        CheckpointError: naming the first parameters that are missing, unknown or of another shape or kind, or
            not finite.
    """
    for name, own in module.state_dict().items():
        if (value := weights.get(name)) is None:
            continue  # told below, with all others
        if value.is_floating_point() != own.is_floating_point():
            kind = str(value.dtype).removeprefix("torch.")
            raise CheckpointError(f"the weights of {source} are no weights: {name} is {kind}")
        if not bool(value.isfinite().all()):
            raise CheckpointError(
                f"the weights of {source} are damaged: {name} holds numbers that are not finite; copy or "
                "train the model again"
            )
    if misfit := tell_misfit(module, weights):
        raise CheckpointError(f"the weights of {source} do not fit its configuration: {misfit}")
    module.load_state_dict(dict(weights))


def tell_misfit(module: nn.Module, weights: Mapping[str, Tensor]) -> str:
    """The first weights that are missing, unknown or of another shape; nothing if all fit.

    >>> tell_misfit(nn.Linear(2, 3), {"weight": torch.zeros(3, 4), "scale": torch.ones(3)})
    'bias is missing, scale is unknown, weight is 3 x 4 and not 3 x 2'
    """
    own = module.state_dict()
    found = [f"{name} is missing" for name in own if name not in weights]
    found += [f"{name} is unknown" for name in weights if name not in own]
    found += [
        f"{name} is {_size(value)} and not {_size(own[name])}"
        for name, value in weights.items()
        if name in own and value.shape != own[name].shape
    ]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more


def _size(value: Tensor) -> str:
    return " x ".join(str(size) for size in value.shape) or "one number"
