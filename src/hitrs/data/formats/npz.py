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
``subject``          who moves; ``camera``: which camera filmed; ``session``: when
``segments``         (S, 2) integers, labeled segments [start, stop) of an untrimmed recording, 0-based
``segment_labels``   (S,) class names of the segments
===================  ====================================================================================

For example ``np.savez("walk_03.npz", positions=xyz, layout="ntu25", label="walk", subject="anna", fps=30)``.
Pickled objects in a file are refused, because opening them could run code.
"""

from __future__ import annotations

import json
import lzma
import math
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.format import Format, Head, one
from hitrs.data.formats.memory import PER_NUMBER, reserve
from hitrs.data.formats.npy import array_header
from hitrs.data.recording import CATEGORIES, Recording, Segment, fit_segments
from hitrs.errors import DataError, located
from hitrs.files import atomic_file, explained_writes
from hitrs.skeleton import Layout, get_layout
from hitrs.skeleton.layout import named_layout

_KEYS = (
    "positions", "joints", "valid", "layout", "fps", "label", *CATEGORIES, "segments", "segment_labels",
)  # fmt: skip


def read_npz(path: str | Path, layout: Layout | str | None = None) -> Recording:
    """Read one recording, named after its file.

    Args:
        layout: the layout (or its name) of files that do not name one.

    Raises:
        DataError: for a file that is missing or damaged, an unknown key, a wrong shape, an infinite
            coordinate, no frames, or a layout that is not given, or not the one that the file names.
    """
    path, layout = Path(path), None if layout is None else get_layout(layout)
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
    own_layout = _layout(path, content.get("layout"), layout)
    fps = _single(path, "fps", content, "fiu")
    categories: dict[str, Any] = {key: _text(path, key, content) for key in CATEGORIES}
    segments, notes = fit_segments(_segments(path, content), len(positions))
    with located(path):
        return Recording(
            positions,
            seen,
            own_layout,
            name=path.stem,
            fps=None if fps is None else float(fps),
            label=_text(path, "label", content),
            segments=segments,
            source=path.name,
            notes=notes,
            **categories,
        )


def write_npz(
    recording: Recording | np.ndarray,
    path: str | Path,
    *,
    layout: Layout | str | Path | None = None,
    **metadata: Any,
) -> None:
    """Write a recording to an npz file that ``read_npz`` reads without further help; replaces an existing
    file.

    Args:
        recording: a recording, or an array (T, J, C) or (T, P, J, C) with NaN where a joint was not seen.
        layout: of an array: a layout, its name or file.
        metadata: of an array: ``fps``, ``label``, ``subject`` and so on, as ``Recording`` takes them.

    Example:
        >>> write_npz(positions, "walk_03.npz", layout="ntu25", fps=30, label="walk")

    Raises:
        DataError: if the path does not end in .npz or cannot be written; nothing is left behind then. Also if
            the array does not fit the layout.
        LayoutError: if there is no such layout.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise DataError(f"{path}: the name of an npz file must end in .npz.")
    if not isinstance(recording, Recording):
        recording = Recording(recording, layout=layout, **{"name": path.stem, **metadata})
    elif layout is not None or metadata:
        raise DataError(
            f"{path}: a recording has its own layout and metadata; change it before it is written."
        )
    content: dict[str, Any] = {
        "positions": recording.positions,
        "valid": recording.valid,
        "layout": json.dumps(recording.layout.to_dict()),
    }
    for key in ("fps", "label", *CATEGORIES):
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
    own_layout = parse_layout(str(text), path)
    if given is not None and own_layout != given:
        raise DataError(f"{path} has layout '{own_layout.name}', but '{given.name}' was asked for.")
    return own_layout


def parse_layout(text: str, path: Path) -> Layout:
    """Layout of the text in an npz file: a name, or JSON as ``write_npz`` writes it."""
    if not text.startswith("{"):
        if text.endswith((".yaml", ".yml")):  # a file may not say which other files are opened
            raise DataError(f"{path}: the layout is the path '{text}'; give it when importing (--layout).")
        return named_layout(text)
    try:
        return Layout.from_dict(json.loads(text), f"{path}: layout")
    except (ValueError, RecursionError) as error:
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


FORMAT = Format("npz", "arrays with a key `positions` or `joints`", (".npz",), _matches, one(read_npz))


def member_names(path: Path) -> tuple[str, ...]:
    """Names of the arrays in a file; none if it is no npz file. Raises nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name[:-4] for name in archive.namelist() if name.endswith(".npy"))
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile):
        return ()


def load_arrays(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of these names that a file has; others are not looked at.

    Raises:
        DataError: for a file that is missing or damaged, an array of objects (opening it could run code), or
            one that needs more memory than a file may take, or is larger than the file says.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                key: _load_member(archive, path, key) for key in keys if f"{key}.npy" in archive.NameToInfo
            }
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}.") from error
    except (
        ValueError, TypeError, RuntimeError, NotImplementedError, EOFError, SyntaxError, MemoryError,
        OverflowError, KeyError, IndexError, UnicodeError, zipfile.BadZipFile, zlib.error,
        lzma.LZMAError,
    ) as error:  # fmt: skip
        raise DataError(
            f"{path} is not an npz file that can be read ({error}); it may be damaged."
        ) from error


def _load_member(archive: zipfile.ZipFile, path: Path, key: str) -> np.ndarray:
    info = archive.getinfo(f"{key}.npy")
    with archive.open(info) as file:
        shape, dtype = array_header(file)
    if dtype.hasobject:
        raise DataError(f"{path}: '{key}' holds pickled objects, which are never opened; save plain arrays.")
    if math.prod(shape) * dtype.itemsize > info.file_size:
        raise DataError(f"{path}: '{key}' declares shape {shape}, more than is there; the file is damaged.")
    count = math.prod(shape)
    reserve(f"{path}: '{key}'", count * (dtype.itemsize + PER_NUMBER), f"{info.file_size:,} bytes unpacked")
    with archive.open(info) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    codes = np.dtype(np.uint32).newbyteorder(dtype.byteorder)
    if dtype.kind == "U" and (np.frombuffer(array.tobytes(), codes) > sys.maxunicode).any():
        raise DataError(f"{path}: '{key}' holds characters that do not exist; the file is damaged.")
    return array
