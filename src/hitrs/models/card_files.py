"""Where models are, and the cards that lie there. No torch here: commands read them before they compute
anything."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from hitrs.errors import CheckpointError, ConfigError, DataError, LayoutError
from hitrs.files import made_here, read_json, recover_folder
from hitrs.models.card import LARGEST_FILE, ModelCard
from hitrs.models.migration import migrate_card
from hitrs.schema import CHANGED, unchanged


class UnfinishedWarning(UserWarning):
    """A run that is not finished is used by its newest checkpoint."""


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
        if not unchanged(values):
            raise ConfigError(CHANGED)
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
