"""Penn Action labels: one MATLAB file per video, 13 joints in pixels.

A joint that is hidden is marked invisible, but mostly has coordinates where the annotators took it to be;
those count as seen, because a recording without them has holes that nobody can fill better. Only invisible
joints in the image's corner, the placeholder of joints without coordinates, are not valid.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hitrs.data.formats.format import Format, Head, check_layout, one
from hitrs.data.formats.mat import load_mat, mat_names
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout

_NUMBERS = ("x", "y", "visibility")
_CORNER = 1.0
"""Pixels: coordinates up to this are the placeholder of joints that have none (they count from 1)."""


def read_penn_action(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one video's label file: label, and part of the published split, included.

    Raises:
        DataError: for a file that is missing or damaged, lacks a variable, or has arrays that do not fit.
    """
    path = Path(path)
    layout = check_layout(path, layout, get_layout("penn13"))
    content = load_mat(path, (*_NUMBERS, "action", "train"))
    for name in (*_NUMBERS, "action"):
        if name not in content:
            raise DataError(f"{path} is not a Penn Action label file: it has no variable '{name}'.")
    x, y, visible = (content[name] for name in _NUMBERS)
    for name in _NUMBERS:
        values = content[name]
        if values.dtype.kind not in "fiu" or values.ndim != 2 or values.shape != (len(x), layout.n_joints):
            raise DataError(
                f"{path}: {name} is {values.dtype} of shape {values.shape}, expected numbers of shape "
                f"({len(x)} frames, {layout.n_joints} joints)."
            )
    positions = np.stack([x, y], axis=-1).astype(np.float64)
    hidden = visible == 0
    placeholder = hidden & (positions <= _CORNER).all(-1)
    valid = ~placeholder & np.isfinite(positions).all(-1)
    notes = (f"{hidden.sum()} joints are marked invisible, {placeholder.sum()} of them without coordinates",)
    with located(path):
        return Recording(
            positions[:, None],
            valid[:, None],
            layout,
            name=path.stem,
            label=str(content["action"].ravel()[0]) if content["action"].size else None,
            part=_part(path, content.get("train")),
            source=path.name,
            notes=notes if hidden.any() else (),
        )


def _part(path: Path, train: np.ndarray | None) -> str | None:
    if train is None:
        return None
    if train.size != 1 or train.item() not in (1, -1):
        raise DataError(f"{path}: train is {train.ravel()[:3].tolist()}, expected 1 or -1.")
    return "train" if train.item() == 1 else "test"


def _matches(head: Head) -> bool:
    return {"x", "y", "visibility"} <= mat_names(head.data)


FORMAT = Format("penn-action", "Penn Action labels", (".mat",), _matches, one(read_penn_action))
