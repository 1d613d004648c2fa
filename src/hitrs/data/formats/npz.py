"""npz: numpy's archive, the simplest way to bring recordings of your own.

Keys of a file, of which only the first is needed:

===================  ====================================================================================
``positions``        (T, P, J, C) or, for one person, (T, J, C); numbers. ``joints`` is accepted as its name
                     too. NaN means that the joint was not seen.
``valid``            (T, P, J) or (T, J) bool, True where the joint was seen. Left out: everything that is not
NaN.
``layout``           name of a layout, or a layout as JSON text; may be given when importing instead
``fps``              frames per second; leave it out where it is unknown
``label``            class name (or number) of a trimmed recording
``subject``          who moves; ``camera``: which camera filmed
``segments``         (S, 2) integers, labeled stretches [start, stop) of an untrimmed recording, 0-based
``segment_labels``   (S,) class names of the segments
===================  ====================================================================================

For example ``np.savez("walk_03.npz", positions=xyz, layout="ntu25", label="walk", subject="anna", fps=30)``.
Pickled objects in a file are refused, because opening them could run code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.files import atomic_file, explained_writes
from hitrs.data.formats.archive import load_arrays, member_names
from hitrs.data.formats.base import Format, Head, one
from hitrs.data.recording import Recording, Segment
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout

_KEYS = (
    "positions", "joints", "valid", "layout", "fps", "label", "subject", "camera",
    "segments", "segment_labels",
)  # fmt: skip


def read_npz(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one recording, named after its file.

    Args:
        layout: the layout of files that do not name one.

    Raises:
        DataError: for a file that is missing or damaged, an unknown key, a wrong shape, an infinite
            coordinate, no frames, or a layout that is not given, or not the one that the file names.
    """
    path = Path(path)
    content = _load(path)
    if ("positions" in content) == ("joints" in content):
        raise DataError(f"{path} needs one key 'positions' (or 'joints') with an array (T, P, J, C).")
    positions = content.pop("joints") if "joints" in content else content.pop("positions")
    if positions.dtype.kind not in "fiu":
        raise DataError(f"{path}: positions are {positions.dtype}, expected numbers.")
    if positions.ndim == 3:
        positions = positions[:, None]  # (T, P=1, J, C)
    if positions.ndim != 4:
        raise DataError(
            f"{path}: positions have shape {positions.shape}, expected (T, P, J, C) or (T, J, C)."
        )
    seen = ~np.isnan(positions).any(-1)  # (T, P, J)
    if "valid" in content:
        valid = content["valid"]
        valid = valid[:, None] if valid.ndim == 2 else valid
        if valid.shape != seen.shape or valid.dtype != bool:
            raise DataError(
                f"{path}: valid is {valid.dtype} of shape {valid.shape}, expected bool of shape {seen.shape}."
            )
        seen &= valid
    found = _layout(path, content.get("layout"), layout)
    fps = _single(path, "fps", content, "fiu")
    with located(path):
        return Recording(
            positions,
            seen,
            found,
            name=path.stem,
            fps=None if fps is None else float(fps),
            label=_text(path, "label", content),
            segments=_segments(path, content),
            subject=_text(path, "subject", content),
            camera=_text(path, "camera", content),
            source=path.name,
        )


def write_npz(recording: Recording, path: str | Path) -> None:
    """Write a recording to an npz file that ``read_npz`` reads without further help; replaces an existing
    file.

    Raises:
        DataError: if the path does not end in .npz or cannot be written; nothing is left behind then.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise DataError(f"{path}: the name of an npz file must end in .npz.")
    content: dict[str, Any] = {
        "positions": recording.positions,
        "valid": recording.valid,
        "layout": json.dumps(recording.layout.to_dict()),
    }
    for key in ("fps", "label", "subject", "camera"):
        if (value := getattr(recording, key)) is not None:
            content[key] = value
    if recording.segments:
        content["segments"] = np.array([(s.start, s.stop) for s in recording.segments], np.int64)
        content["segment_labels"] = np.array([s.label for s in recording.segments])
    with atomic_file(path) as part, explained_writes(path), part.open("wb") as file:
        np.savez_compressed(file, **content)


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise DataError(f"there is no file {path}.")
    with path.open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            raise DataError(f"{path} is a single array, not an npz archive; write it with numpy.savez.")
    unknown = [key for key in member_names(path) if key not in _KEYS]
    if unknown:
        raise DataError(f"{path} has the unknown key '{unknown[0]}'; known keys: {', '.join(_KEYS)}.")
    return load_arrays(path, _KEYS)


def _single(path: Path, key: str, content: dict[str, np.ndarray], kinds: str) -> Any:
    """The one value of a key as a Python value, None where there is no such key."""
    if key not in content:
        return None
    value = content[key]
    if value.size != 1 or value.dtype.kind not in kinds:
        expected = "one text" if "U" in kinds else "one number"
        raise DataError(f"{path}: '{key}' is {value.dtype} of shape {value.shape}, expected {expected}.")
    return value.item()


def _text(path: Path, key: str, content: dict[str, np.ndarray]) -> str | None:
    """A text, or a whole number as text, because classes are often numbered; None where it is empty."""
    value = _single(path, key, content, "Uiu")
    return None if value is None or value == "" else str(value)


def _layout(path: Path, text: np.ndarray | None, given: Layout | None) -> Layout:
    if text is None:
        if given is None:
            raise DataError(
                f"{path} does not name its layout; add a key 'layout' or give the layout when importing."
            )
        return given
    if given is not None and str(text) == given.name:  # one of your own, by the name it has in its file
        return given
    found = parse_layout(str(text), path)
    if given is not None and found != given:
        raise DataError(f"{path} has layout '{found.name}', but '{given.name}' was asked for.")
    return found


def parse_layout(text: str, path: Path) -> Layout:
    """Layout of the text in an npz file: a name, or JSON as ``write_npz`` writes it."""
    if not text.startswith("{"):
        if text.endswith((".yaml", ".yml")):  # a file may not say which other files are opened
            raise DataError(f"{path}: the layout is the path '{text}'; give it when importing (--layout).")
        return get_layout(text)
    try:
        return Layout.from_dict(json.loads(text), f"{path}: layout")
    except ValueError as error:
        raise DataError(f"{path}: the layout is not valid JSON: {error}.") from error


def _segments(path: Path, content: dict[str, np.ndarray]) -> tuple[Segment, ...]:
    bounds, labels = content.get("segments"), content.get("segment_labels")
    if bounds is None and labels is None:
        return ()
    if (
        bounds is None
        or labels is None
        or labels.ndim != 1
        or bounds.shape != (len(labels), 2)
        or bounds.dtype.kind not in "iu"
    ):
        raise DataError(
            f"{path}: segments need integers (S, 2) under 'segments' and S names under 'segment_labels'."
        )
    return tuple(Segment(int(a), int(b), str(label)) for (a, b), label in zip(bounds, labels, strict=True))


def _matches(head: Head) -> bool:
    """By the names of the arrays; a file that is damaged is taken too: its reader says what is wrong."""
    names = member_names(head.path)
    return not names or not {"positions", "joints"}.isdisjoint(names)


FORMAT = Format("npz", "numpy arrays", (".npz",), _matches, one(read_npz))
