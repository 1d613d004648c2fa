"""All file formats, and which of them a file is.

The format is found by content; a file's suffix only says which formats are asked. Packages of others add
formats through the entry point "hitrs.formats", whose value is a ``Format``; scripts by ``register_format``.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from hitrs.data.formats import number_table
from hitrs.data.formats.format import Format, Head
from hitrs.data.formats.memory import reserve
from hitrs.data.recording import Recording
from hitrs.errors import ConfigError, DataError, HitrsError, LayoutError
from hitrs.plugins import load_plugins
from hitrs.skeleton.layout import Layout, get_layout

# In the order in which they are asked: those that know their files for certain come first.
_MODULES = (
    "ntu", "pku_mmd", "precog", "expmap", "bvh", "asf_amc", "c3d_file", "trc", "amass", "ui_prmd", "npz",
    "nw_ucla", "openpose", "alphapose", "coco", "mediapipe", "pyskl", "utd_mhad", "penn_action",
    "deeplabcut", "sleap", "nwb", "pose_file", "opensim_motion", "video", "npy", "number_table", "csv_table",
)  # fmt: skip


_registered: dict[str, Format] = {}


def all_formats() -> tuple[Format, ...]:
    """Every format: this package's own, those of other packages, and those that were registered."""
    return (*_packaged_formats(), *_registered.values())


@cache
def _packaged_formats() -> tuple[Format, ...]:
    own = [importlib.import_module(f"{__package__}.{name}").FORMAT for name in _MODULES]
    return (*own, *load_plugins("hitrs.formats", Format, {each.name for each in own}))


def register_format(format: Format) -> Format:
    """Add a file format from a script or notebook; the same name again replaces it.

    It is known to this process. Where an import starts others (``workers``), they run the script's top level
    again: register it there, not under ``if __name__ == "__main__":``.

    Example:
        >>> import hitrs
        >>> import numpy as np
        >>> from hitrs.data.formats.format import Format, one
        >>> def read_dots(path, layout):  # a line "dots", then a line of 20 x 3 numbers for each frame
        ...     positions = np.loadtxt(path, skiprows=1).reshape(-1, 20, 3)
        ...     return hitrs.Recording(positions, layout="kinect20", name=path.stem)
        >>> dots = Format(
        ...     name="dots", title="our tracker", suffixes=(".dots",),
        ...     matches=lambda head: head.text.startswith("dots"), read=one(read_dots),
        ... )
        >>> _ = hitrs.register_format(dots)

    Raises:
        ConfigError: if it is no ``Format``, or has the name of one of this or an installed package.
    """
    if not isinstance(format, Format):
        raise ConfigError(f"a file format must be a Format, got {type(format).__name__}.")
    if format.name in {each.name for each in _packaged_formats()}:
        raise ConfigError(f"there is a file format '{format.name}' already; give yours another name.")
    _registered[format.name] = format
    return format


@contextmanager
def reader_defects(path: Path) -> Iterator[None]:
    """Report whatever a reader raises like a damaged file: one of 100,000 files must not end an import, and
    the reader may be somebody else's. Numbers beyond all bounds are no reason to warn: what becomes of them
    is not finite, and refused as such.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except LayoutError as error:  # a file that names an unknown layout is one of the damaged files
        raise DataError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    except HitrsError:
        raise
    except Exception as error:
        raise DataError(
            f"{path}: its reader failed ({type(error).__name__}: {error}). This is a defect of the reader."
        ) from error


def without_defects(path: Path, read: Callable[[], Iterable[Recording]]) -> Iterator[Recording]:
    """What a reader gives, one after another; ``reader_defects`` holds for it and not for who takes it."""
    with reader_defects(path):
        found = iter(read())
    while True:
        with reader_defects(path):
            recording = next(found, None)
        if recording is None:
            return
        yield recording


def get_format(name: str) -> Format:
    """A format by its name; DataError with the nearest name where there is none."""
    formats = {each.name: each for each in all_formats()}
    if name not in formats:
        near = difflib.get_close_matches(name, formats, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(formats)}."
        raise DataError(f"there is no file format '{name}'; {hint}")
    return formats[name]


def columns_format(columns: str, format: str | None = None) -> Format:
    """The format of tables without a header that have these columns; ConfigError if a format is named too."""
    if format not in (None, number_table.FORMAT.name):
        raise ConfigError(f"--columns is for tables without a header; it does not go with --format {format}")
    return number_table.table_format(columns)


def known_suffixes() -> frozenset[str]:
    """Suffixes of files that a format may know."""
    return frozenset(suffix for each in all_formats() for suffix in each.suffixes)


def find_format(path: Path, name: str | None = None) -> Format | None:
    """The format of a file by its content, or the one that is named; None if no format knows it.

    Raises:
        DataError: if the file cannot be read, or there is no format of this name.
    """
    if name is not None:
        return get_format(name)
    candidates = [each for each in all_formats() if path.suffix.lower() in each.suffixes]
    if not candidates:
        return None
    head = Head.of(path)
    with reader_defects(path):
        return next((each for each in candidates if each.matches(head)), None)


def read_recordings(
    path: str | Path,
    layout: Layout | str | Path | None = None,
    format: str | None = None,
    columns: str | None = None,
) -> Iterator[Recording]:
    """Read all recordings of a file, one after another.

    Args:
        layout: joint layout (a layout, its name or file) of files that do not say it themselves.
        format: name of the file format; found by content if left out.
        columns: of a table without a header, for example "x,y,z" (see ``number_table``); the layout is needed
            then.

    Raises:
        DataError: for a file that is missing or of no known format, that its reader refuses, or over which
            the reader fails.
        LayoutError: if there is no such layout.
        ConfigError: for columns that make no sense or stand beside a format.
    """
    path = Path(path)
    known = None if layout is None else get_layout(layout)
    if path.is_dir():
        raise DataError(f"{path} is a folder; name the files in it, for example {path / '*.npz'}.")
    if not path.is_file():
        raise DataError(f"there is no file {path}.")
    known_format = find_format(path, format) if columns is None else columns_format(columns, format)
    if known_format is None:
        fitting = [each for each in all_formats() if path.suffix.lower() in each.suffixes]
        if not fitting:
            raise DataError(
                f"{path}: no reader for '{path.suffix}' files; known: {', '.join(sorted(known_suffixes()))}."
            )
        if not path.stat().st_size:
            raise DataError(f"{path} is empty (0 bytes).")
        names = ", ".join(f"{each.name} ({each.title})" for each in fitting)
        raise DataError(
            f"{path} is of no known format: its content fits none of {names}. It may be damaged; "
            "if you know the format, name it (`hitrs import --format`, or `format=` in Python)."
        )
    if known_format.memory is not None:
        size = path.stat().st_size
        reserve(path, size * known_format.memory, f"{size / 1e6:,.0f} MB of {known_format.name}")
    yield from without_defects(path, lambda: known_format.read(path, known))


def read_recording(
    path: str | Path,
    layout: Layout | str | Path | None = None,
    format: str | None = None,
    columns: str | None = None,
) -> Recording:
    """The only recording of a file; otherwise as ``read_recordings``.

    Example:
        >>> read_recording("S001C002P003R002A013.skeleton")
        Recording('S001C002P003R002A013', 99 frames, 1 person, 25 joints of ntu25, unknown frame rate)

    Raises:
        DataError: also if the file holds none or several.
    """
    recordings = read_recordings(path, layout, format, columns)
    first = next(iter(recordings), None)
    if first is None:
        raise DataError(f"{path} holds no recording.")
    second = next(iter(recordings), None)
    if second is not None:
        raise DataError(
            f"{path} holds several recordings ('{first.name}', '{second.name}', ...), expected one; `hitrs "
            "import` reads all of them into a store."
        )
    return first
