"""pyskl and MMAction2 skeleton pickles: all sequences of a data set in one file, and its splits.

A dict of ``annotations``, each with ``frame_dir`` (its name), ``label`` (a number), ``keypoint`` (P, T, J,
C) and, for 2-D ones, ``keypoint_score`` (P, T, J); and of ``split``, lists of names. The pickle is not
opened but read as data (see ``plain_pickle``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.format import Format, Head
from hitrs.data.formats.plain_pickle import as_array, load_plain
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout

_LAYOUTS = {
    (17, 2): "coco17", (17, 3): "h36m17", (18, 2): "openpose18", (20, 3): "kinect20", (25, 3): "ntu25",
}  # fmt: skip
"""(joints, coordinates) -> the layout that such files have if the user names none."""


def read_pyskl(path: str | Path, layout: Layout | None = None) -> Iterator[Recording]:
    """The sequences of a file, one after another; labels are numbers as text.

    Raises:
        DataError: for a file that is missing, damaged, holds more than plain data, or an annotation that
            lacks something or has arrays that do not fit (naming it).
    """
    path = Path(path)
    content = load_annotations(path)
    for number, annotation in enumerate(content["annotations"]):
        yield _recording(path, number, annotation, layout)


def load_annotations(path: Path) -> dict[str, Any]:
    """The whole dict of a file, with lists ``annotations`` and dict ``split`` (empty where there is none)."""
    content = load_plain(path)
    if isinstance(content, list):  # older files are the list of annotations alone
        content = {"annotations": content}
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise DataError(f"{path} is not a pyskl file: it has no list 'annotations'.")
    split = content.get("split", {})
    if not isinstance(split, dict) or not all(isinstance(names, list) for names in split.values()):
        raise DataError(f"{path}: 'split' must hold lists of names.")
    return {"annotations": content["annotations"], "split": split}


def annotation_layout(path: Path, number: int, annotation: Any) -> Layout:
    """The usual layout of an annotation's joints; DataError where there is none."""
    keypoint = _keypoint(path, number, annotation)
    joints, dims = keypoint.shape[2:]
    if (joints, dims) not in _LAYOUTS:
        known = ", ".join(f"{name} {shape}" for shape, name in _LAYOUTS.items())
        raise DataError(
            f"{path}: annotation {number} has {joints} joints with {dims} coordinates; name their layout "
            f"(without one these are known: {known})."
        )
    return get_layout(_LAYOUTS[joints, dims])


def _recording(path: Path, number: int, annotation: Any, layout: Layout | None) -> Recording:
    keypoint = _keypoint(path, number, annotation)
    layout = layout or annotation_layout(path, number, annotation)
    positions = keypoint.transpose(1, 0, 2, 3).astype(np.float32)  # (T, P, J, C)
    valid = np.isfinite(positions).all(-1) & (positions != 0).any(-1)
    if annotation.get("keypoint_score") is not None:
        score = as_array(annotation["keypoint_score"])
        if score is None or score.shape != keypoint.shape[:3] or score.dtype.kind != "f":
            raise DataError(f"{path}: keypoint_score of annotation {number} does not fit its keypoint.")
        valid &= score.transpose(1, 0, 2) > 0
    persons = valid.any((0, 2))
    if not persons.any():
        persons[:1] = True  # nobody was seen: one empty person stays
    name = annotation.get("frame_dir", annotation.get("filename"))
    label = annotation.get("label")
    with located(path):
        return Recording(
            positions[:, persons],
            valid[:, persons],
            layout,
            name=str(name) if isinstance(name, str | int) else f"{path.stem}_{number}",
            label=str(label) if isinstance(label, int | str) else None,
            source=path.name,
        )


def _keypoint(path: Path, number: int, annotation: Any) -> np.ndarray:
    keypoint = as_array(annotation.get("keypoint")) if isinstance(annotation, Mapping) else None
    if keypoint is None or keypoint.ndim != 4 or keypoint.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: annotation {number} has no array 'keypoint' (persons, frames, joints, 2 or 3)."
        )
    return keypoint


def _matches(head: Head) -> bool:
    return head.data[:1] == b"\x80" and any(
        word in head.data for word in (b"annotations", b"keypoint", b"frame_dir", b"split")
    )


FORMAT = Format("pyskl", "pyskl and MMAction2 skeletons", (".pkl", ".pickle"), _matches, read_pyskl)
