"""Models that earlier releases wrote, as this one reads them: one function a format version, in one place.

Version 1 (before 0.2) had other names for parameters and for some settings of heads, and kept the settings
that make segments of frames among those of a detector's head.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from hitrs.errors import CheckpointError
from hitrs.models.card import VERSION

Value = TypeVar("Value")

_PARAMETERS = (
    (r"\b(frame|clip|video)\.code$", r"\1.pos_embed"),
    (r"\b(clip|video)\.fusion$", r"\1.fusion_token"),
    (r"\.expand\.(weight|bias)$", r".fc1.\1"),
    (r"\.contract\.(weight|bias)$", r".fc2.\1"),
    (r"^of_(pose|input|clip|video)\.", r"\1_proj."),
    (r"^of_joints\.", "joint_proj."),
    (r"^of_clips\.", "clip_proj."),
)


def migrate_card(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The content of a ``config.json`` in the form of this release.

    Raises:
        CheckpointError: for a version that this release does not know.
    """
    version = values.get("format_version")
    if version == VERSION:
        return values
    if version == 1:
        return _card_from_1(values)
    raise CheckpointError(
        f"{folder} has model format {version}, this release reads {VERSION} and 1; update hitrs"
    )


def migrate_weights(weights: Mapping[str, Value], version: int) -> dict[str, Value]:
    """Parameters of a model of an earlier version, by the names of this release."""
    return {parameter_name(name): value for name, value in weights.items()} if version == 1 else dict(weights)


def parameter_name(name: str) -> str:
    """The name today of a parameter of version 1."""
    for pattern, replacement in _PARAMETERS:
        name = re.sub(pattern, replacement, name)
    return name


def _card_from_1(values: dict[str, Any]) -> dict[str, Any]:
    head = dict(values.get("head", {}))
    postprocessing = {"segments": head.pop("segments")} if "segments" in head else {}
    if "step" in head:
        head["frame_step"] = head.pop("step")
    trained = dict(values.get("trained", {}))
    if "updates" in trained:
        trained["steps"] = trained.pop("updates")
    task = values.get("task") or ("recognition" if values["classes"] else "pretraining")
    return {
        "fps": None,
        **values,
        "task": task,
        "head": head,
        "postprocessing": postprocessing,
        "trained": trained,
    }
