"""UI-PRMD markers (Vicon): one npz archive per repetition, ``markers`` int16 (T, 39, 3).

Tenths of a millimeter, z up, 50 frames per second: every second frame that was recorded. The files do not say
so; it is how they were made. A marker at exactly (0, 0, 0) was lost: no body stands there, and some markers
stay there for whole files.

The recording keeps the 39 markers as they are. Joints are made of them where a recording is mapped to another
layout (``skeleton.mapping``), because what a joint is depends on that layout, and because nothing is lost so.
"""

from __future__ import annotations

from pathlib import Path

from hitrs.data.formats.format import Format, Head, check_layout, one
from hitrs.data.formats.npz import load_arrays, member_names
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout

FPS = 50.0
UNITS_PER_METER = 10_000
_KEY = "markers"


def read_ui_prmd(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one repetition, (T, 1, 39, 3) in meters, without label (``catalog.ui_prmd`` knows the classes).

    Raises:
        DataError: for a file that is missing or damaged, has no array ``markers``, one of another kind or
            shape or without frames, or another layout asked for.
    """
    path = Path(path)
    layout = check_layout(path, layout, get_layout("plugin_gait39"))
    if not path.is_file():
        raise DataError(f"there is no file {path}.")
    expected = f"int16 of shape (frames, {layout.n_joints} markers, 3 coordinates) in tenths of a millimeter"
    markers = load_arrays(path, (_KEY,)).get(_KEY)
    if markers is None:
        raise DataError(f"{path} has no array '{_KEY}', expected {expected}.")
    kind = (markers.dtype.kind, markers.dtype.itemsize)  # of either byte order
    if kind != ("i", 2) or markers.ndim != 3 or markers.shape[1:] != (layout.n_joints, 3):
        raise DataError(
            f"{path}: '{_KEY}' is {markers.dtype.name} of shape {markers.shape}, expected {expected}."
        )
    if len(markers) == 0:
        raise DataError(f"{path} is an empty sequence: it has no frames.")
    with located(path):
        return Recording(
            markers[:, None] / UNITS_PER_METER,  # (T, P=1, J, 3)
            (markers != 0).any(-1)[:, None],
            layout,
            name=path.stem,
            fps=FPS,
            source=path.name,
        )


def _matches(head: Head) -> bool:
    return head.data.startswith(b"PK") and _KEY in member_names(head.path)


FORMAT = Format("ui-prmd", "UI-PRMD markers (Vicon)", (".npz",), _matches, one(read_ui_prmd))
