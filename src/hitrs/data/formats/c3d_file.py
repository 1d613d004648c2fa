"""C3D: markers of motion capture, read with the library ``c3d``.

The labels of the points become the joints: the named layout with exactly these joints, else a star around
the first marker, because C3D tells of no bones. With a layout of your own (joints named as the labels) the
markers that it names are taken. What the file lists as angles, forces, moments, powers or scalars is no
position and is left out. A point with a negative residual was not seen. Units and rate are stated by the
file; positions become meters.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.format import Format, Head, one
from hitrs.data.formats.markers import MAX_JOINTS, METERS, fit_layout
from hitrs.data.formats.memory import reserve_joints
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout

_NO_POSITIONS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS")
_BLOCK = 512
_MAGIC = 0x50


def read_c3d(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one file; (T, 1, J, 3).

    Raises:
        DataError: for a file that is missing or damaged, declares more frames than it can hold, or has no
            markers; or if a layout is asked for with joints that the file lacks.
    """
    path = Path(path)
    notes: list[str] = []
    with located(path):
        try:
            # The library warns of much that harms nothing here (missing descriptions, no analog data).
            with warnings.catch_warnings(), np.errstate(all="ignore"), path.open("rb") as file:
                warnings.simplefilter("ignore")
                points, labels, unit, rate = _read(file, path.stat().st_size, notes)
        except DataError:
            raise
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}.") from error
        except Exception as error:  # the library has no errors of its own: whatever it meets comes out
            reason = str(error) or type(error).__name__
            raise DataError(f"is not a C3D file that can be read ({reason}); it may be damaged.") from error
        fitted, order = fit_layout(labels, layout, notes)
        points = points[:, order]
        scale = METERS.get(unit.lower())
        if scale is None:
            notes.append(
                f"the unit '{unit}' is not known: positions are as in the file, not converted to meters"
            )
        positions = points[..., :3].astype(np.float64) * (scale or 1.0)
        valid = (points[..., 3] >= 0) & np.isfinite(positions).all(-1)
        if not (math.isfinite(rate) and rate > 0):
            notes.append(f"no frame rate: the file says {rate:g}")
        return Recording(
            np.where(valid[..., None], positions, 0)[:, None],
            valid[:, None],
            fitted,
            name=path.stem,
            fps=rate if math.isfinite(rate) and rate > 0 else None,
            source=path.name,
            notes=tuple(notes),
        )


def _read(file: Any, size: int, notes: list[str]) -> tuple[np.ndarray, list[str], str, float]:
    """Points (T, J, 4) of x, y, z, residual; labels, unit and rate."""
    import c3d

    reader = c3d.Reader(file)
    used, header = int(reader.point_used), reader.header
    word = 4 if reader.point_scale < 0 else 2
    frame_bytes = word * (4 * used + int(reader.analog_used) * int(header.analog_per_frame))
    frames = int(reader.last_frame) - int(reader.first_frame) + 1
    room = size - (header.data_block - 1) * _BLOCK
    if used == 0:
        raise DataError("has no markers.")
    if used > MAX_JOINTS:
        raise DataError(f"declares {used} markers; at most {MAX_JOINTS} make sense.")
    if frames < 1 or header.data_block < 1:
        raise DataError(f"has no frames (its first is {reader.first_frame}, its last {reader.last_frame}).")
    if frames * frame_bytes > room:
        raise DataError(
            f"declares {frames} frames of {frame_bytes} bytes, but has room for "
            f"{max(room, 0) // frame_bytes}; it may be cut off."
        )
    labels, keep = _labels(reader, used, notes)
    reserve_joints("its points", frames * used)
    if not keep:
        raise DataError(f"has {len(keep)} markers in {frames} frames; that cannot be read.")
    points = np.empty((frames, len(keep), 4), np.float32)
    row = -1
    for row, (_, frame, _) in enumerate(reader.read_frames(copy=False, analog_transform=False)):
        points[row] = frame[keep, :4]
    if row + 1 < frames:
        raise DataError(f"declares {frames} frames, but has {row + 1}; it may be cut off.")
    unit = _texts(reader.get("POINT:UNITS"))
    return points, labels, unit[0] if unit else "", float(reader.point_rate)


def _labels(reader: Any, used: int, notes: list[str]) -> tuple[list[str], list[int]]:
    """Labels of the points that are positions, and which points these are."""
    names: list[str] = []
    number = 1
    while (part := reader.get("POINT:LABELS" + (str(number) if number > 1 else ""))) is not None:
        names += _texts(part)  # one parameter holds 255 labels; the rest stand in LABELS2, ...
        number += 1
    names = (names + [""] * used)[:used]
    names = [name or f"marker_{index}" for index, name in enumerate(names, 1)]
    others = {name for key in _NO_POSITIONS for name in _texts(reader.get(f"POINT:{key}")) if name}
    keep = [index for index, name in enumerate(names) if name not in others]
    if len(keep) < used:
        notes.append(f"{used - len(keep)} of {used} points are no positions (angles, forces, ...): left out")
    labels = [names[index] for index in keep]
    prefixes = {label.partition(":")[0] for label in labels if ":" in label}
    if len(prefixes) == 1 and all(":" in label for label in labels):  # the name of the only subject
        labels = [label.partition(":")[2] or label for label in labels]
    return labels, keep


def _texts(parameter: Any) -> list[str]:
    """Strings of a parameter, which declares its own size; nothing if it holds less than that."""
    if parameter is None or not parameter.dimensions:
        return []
    width, *counts = (int(size) for size in parameter.dimensions)
    count = math.prod(counts)
    content = bytes(parameter.bytes)
    if width == 0 or count * width > len(content):
        return []
    rows = [content[start : start + width] for start in range(0, count * width, width)]
    return [row.decode("utf-8", errors="replace").strip("\0 \t\r\n") for row in rows]


def _matches(head: Head) -> bool:
    # The second byte is C3D's mark; the first is the block of the parameters, which starts with its own.
    return len(head.data) >= _BLOCK and head.data[0] >= 2 and head.data[1] == _MAGIC


FORMAT = Format(
    name="c3d",
    title="C3D motion capture (markers)",
    suffixes=(".c3d",),
    matches=_matches,
    read=one(read_c3d),
    memory=24,
)
