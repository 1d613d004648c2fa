"""A table of numbers without a header, as much research data comes: the user says what the columns are.

``--layout NAME --columns x,y,z``: a row per frame with x, y, z of each joint of the layout, or, where a row
has only these three, a row per joint in the layout's order. Behind the coordinates of a joint may stand

- ``confidence`` or ``score`` (it is seen where this is above 0), ``visibility`` (0.5), ``likelihood`` (0.6);
- ``_``: something else, which is passed over.

Names before or after those of a joint are columns that stand once in a row:

- ``frame``: the frame's number. Numbers that are left out become frames in which nobody was seen.
- ``joint``: the joint's number in the layout, from 0 or from 1, of a row per joint.
- ``person``, ``time`` (seconds or milliseconds), ``label``, ``subject``.
- ``recording``: its number, where a file holds several.

For example ``frame,x,y,z`` (UTKinect), ``x,y,z,confidence`` (MSR Action3D), ``recording,subject,label,x,y,z``
(Florence), ``x,y,z,_,_,_,_`` (positions with quaternions). Numbers stand between commas, semicolons, tabs or
spaces; between semicolons or tabs they may have a decimal comma. ``nan`` means that the joint was not seen;
lines that begin with # are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from hitrs.data.formats.csv_header import AXES, SCORES
from hitrs.data.formats.format import USUAL, Format, Head, layouts_of
from hitrs.data.formats.frames import regular_rate
from hitrs.data.formats.people import frame_span, join_joints, seat
from hitrs.data.formats.text_rows import number_blocks, open_text
from hitrs.data.recording import Recording
from hitrs.errors import ConfigError, DataError, located
from hitrs.skeleton import Layout, get_layout, list_layouts

_ONCE = ("frame", "joint", "person", "time", "recording", "label", "subject")
_EACH = (*AXES, *SCORES)
_SKIP = "_"
_OF_DECIMAL_COMMAS = (";", "\t")
"""Delimiters beside which a comma belongs to a number, as many spreadsheets in Europe write it."""


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are: some stand once in a row, the group stands there for each joint."""

    before: tuple[str, ...]
    group: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        return tuple(axis for axis in AXES if axis in self.group)

    @property
    def once(self) -> int:
        return len(self.before) + len(self.after)


def parse_columns(text: str) -> Columns:
    """The columns of ``--columns``.

    Example:
        >>> parse_columns("frame,x,y,z")
        Columns(before=('frame',), group=('x', 'y', 'z'), after=())

    Raises:
        ConfigError: for a name that is unknown or stands twice, or without x and y.
    """
    names = [name.strip().lower() for name in text.split(",")]
    unknown = next((name for name in names if name not in (*_ONCE, *_EACH, _SKIP)), None)
    if unknown is not None:
        raise ConfigError(
            f"--columns has '{unknown[:40]}'; known are {', '.join((*_ONCE, *_EACH))}, and _ for others, "
            "as in x,y,z or frame,joint,x,y,z,confidence"
        )
    twice = next((name for name in names if name != _SKIP and names.count(name) > 1), None)
    if twice is not None or not {"x", "y"} <= set(names):
        what = "no x and y" if twice is None else f"'{twice}' twice; name the columns of one joint, once"
        raise ConfigError(f"--columns is '{text[:80]}', with {what}")
    each = [place for place, name in enumerate(names) if name in _EACH]
    start, stop = each[0], each[-1] + 1
    while stop < len(names) and names[stop] == _SKIP:
        stop += 1
    inside = next((name for name in names[start:stop] if name in _ONCE), None)
    if inside is not None:
        raise ConfigError(f"--columns has '{inside}' among those of a joint; put it before or behind them")
    return Columns(tuple(names[:start]), tuple(names[start:stop]), tuple(names[stop:]))


def read_number_table(path: str | Path, layout: Layout | None, columns: str) -> Iterator[Recording]:
    """Read the recordings of a table, one unless there is a column ``recording``.

    Args:
        layout: says how many joints there are and in which order.
        columns: as in ``parse_columns``.

    Example:
        >>> recording, = read_number_table("a01_s01.txt", get_layout("kinect20"), "x,y,z,confidence")

    Raises:
        ConfigError: for columns that make no sense, or no layout.
        DataError: for a file that is missing, columns that do not fit (telling what would), or a row that
            is no row of numbers (naming line and column).
    """
    path, meaning = Path(path), parse_columns(columns)
    if layout is None:
        raise ConfigError(f"--columns needs a layout, which says how many joints there are. {_advice(path)}")
    if len(meaning.axes) != layout.dims:
        raise ConfigError(
            f"--columns has {', '.join(meaning.axes)}, but layout '{layout.name}' is {layout.dims}-D"
        )
    rows = _rows(path)
    width, joints = rows.shape[1], layout.n_joints
    a_frame, a_joint = meaning.once + joints * len(meaning.group), meaning.once + len(meaning.group)
    if width not in (a_frame, a_joint):
        raise DataError(
            f"{path} has {width} columns, but '{columns}' makes {a_frame} with the {joints} joints of layout "
            f"'{layout.name}', or {a_joint} with a row per joint. {_advice(path)}"
        )
    group_start = len(meaning.before)
    group_stop = width - len(meaning.after)
    once = {name: rows[:, place] for place, name in enumerate(meaning.before)}
    once |= {name: rows[:, group_stop + place] for place, name in enumerate(meaning.after)}
    each = rows[:, group_start:group_stop].reshape(len(rows), -1, len(meaning.group))
    numbers = once.get("recording", np.zeros(len(rows)))
    names = list(dict.fromkeys(numbers.tolist()))
    for name in names:
        which = numbers == name
        part = {key: values[which] for key, values in once.items()}
        with located(path):
            recording = _recording(path, layout, meaning, part, each[which], per_joint=width != a_frame)
        yield recording if len(names) == 1 else replace(recording, name=_text(name))


def _recording(
    path: Path,
    layout: Layout,
    meaning: Columns,
    once: dict[str, np.ndarray],
    each: np.ndarray,
    *,
    per_joint: bool,
) -> Recording:
    """Args: each: (rows, joints of a row, columns of a joint)."""
    notes: list[str] = []
    points = np.stack([each[..., meaning.group.index(axis)] for axis in meaning.axes], -1)
    seen = ~np.isnan(points).any(-1)
    for score, least in SCORES.items():
        if score in meaning.group:
            told = each[..., meaning.group.index(score)] > least
            hidden = int((seen & ~told).sum())
            seen &= told
            if hidden:
                notes.append(f"{hidden} points whose {score} is not above {least:g} count as not seen")
    persons = once.get("person", np.zeros(len(each)))
    if per_joint:
        order = _joint_order(once, persons, len(each), layout)
        frames = _whole("frame", once["frame"]) if "frame" in once else np.cumsum(order == 0) - 1
        if "frame" not in once and not np.array_equal(order, np.arange(len(each)) % layout.n_joints):
            raise DataError(
                f"the joints of {len(each)} rows do not follow one another as those of layout "
                f"'{layout.name}'; rows in another order need a column 'frame'."
            )
        fps, about = _rate(frames, once)
        points, seen, frames, persons = join_joints(frames, persons, order, points[:, 0], seen[:, 0], layout)
    else:
        frames = _whole("frame", once["frame"]) if "frame" in once else np.arange(len(each))
        fps, about = _rate(frames, once)
    first, count = frame_span(path, np.unique(frames).tolist(), "Is the column 'frame' a time stamp?")
    positions, valid = seat(path, frames, persons.tolist(), points, seen, first, count, layout, notes)
    return Recording(
        positions,
        valid,
        layout,
        name=path.stem,
        fps=fps,
        label=_single("label", once),
        subject=_single("subject", once),
        source=path.name,
        notes=(*notes, *about),
    )


def _rate(frames: np.ndarray, once: dict[str, np.ndarray]) -> tuple[float | None, list[str]]:
    return regular_rate(frames, once["time"]) if "time" in once else (None, [])


def _joint_order(once: dict[str, np.ndarray], persons: np.ndarray, rows: int, layout: Layout) -> np.ndarray:
    """(rows,) the joint of each row."""
    joints = layout.n_joints
    if "joint" in once:
        order = _whole("joint", once["joint"])
        order = order - order.min() if order.min() in (0, 1) else order
        if order.max() >= joints or order.min() < 0:
            raise DataError(
                f"joints are numbered {order.min()} to {order.max()}, but layout '{layout.name}' has "
                f"{joints}."
            )
        return order
    if rows % joints:
        raise DataError(
            f"{rows} rows with one joint each are no multiple of the {joints} joints of layout "
            f"'{layout.name}'; the file may be cut off or have another layout."
        )
    return np.arange(rows) % joints


def _whole(name: str, values: np.ndarray) -> np.ndarray:
    odd = values[~(np.abs(values) < 1e15) | (values != np.round(values))]
    if len(odd):
        raise DataError(f"the column '{name}' has {odd[0]:g}, expected whole numbers.")
    return values.astype(np.int64)


def _single(name: str, once: dict[str, np.ndarray]) -> str | None:
    if name not in once:
        return None
    if len(set(once[name].tolist())) > 1:
        raise DataError(
            f"the column '{name}' changes from {_text(once[name][0])} within a recording; recordings of one "
            "file are told apart by a column 'recording'."
        )
    return _text(once[name][0])


def _text(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def _rows(path: Path) -> np.ndarray:
    """(rows, columns) float64."""
    with open_text(path) as file:
        lines = ((number, line) for number, line in enumerate(file, 1) if not line.startswith("#"))
        first = next(((number, line) for number, line in lines if line.strip()), None)
        if first is None:
            raise DataError(f"{path} has no frames.")
        delimiter = _delimiter(first[1])
        stripped = ((number, _stripped(line, delimiter)) for number, line in _chain(first, lines))
        columns = len(_stripped(first[1], delimiter).split(delimiter))
        return np.concatenate(list(number_blocks(stripped, columns, delimiter, path, 1, missing=True)))


def _chain(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from rest


def _stripped(line: str, delimiter: str | None) -> str:
    """Without white space at the end, and without a delimiter there, which some programs write; with points
    for decimal commas."""
    line = line.rstrip()
    if delimiter in _OF_DECIMAL_COMMAS:
        line = line.replace(",", ".")
    return line[: -len(delimiter)] if delimiter and line.endswith(delimiter) else line


def _delimiter(line: str) -> str | None:
    """What stands between the numbers of a line; None = white space."""
    return next((mark for mark in ";\t," if mark in line.strip()), None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_number_table(head: Head) -> bool:
    """Whether the first lines are rows of as many numbers each, with at least two in a row."""
    lines = [line.strip() for line in head.text.splitlines()[:-1] or head.text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")][:3]
    if not lines:
        return False
    delimiter = _delimiter(lines[0])
    rows = [_stripped(line, delimiter).split(delimiter) for line in lines]
    return len(rows[0]) > 1 and all(len(row) == len(rows[0]) and all(map(_is_number, row)) for row in rows)


def _advice(path: Path) -> str:
    """Which command would read the file, by its numbers of rows and columns."""
    try:
        rows = _rows(path)
    except DataError as error:
        return str(error)
    height, width = rows.shape
    counts = bool(
        width > 2 and (rows[:, 0] == np.round(rows[:, 0])).all() and (np.diff(rows[:, 0]) >= 0).all()
    )
    for once in ((), ("frame",)) if not counts else (("frame",), ()):
        for group in (("x", "y", "z"), ("x", "y"), ("x", "y", "z", "confidence"), ("x", "y", "confidence")):
            joints, left = divmod(width - len(once), len(group))
            dims = 3 if "z" in group else 2
            fits = layouts_of(joints, dims)
            if not left and fits:
                return _command(path, _columns(width, joints, (*once, *group)), fits, (*once, *group))
    row = {3: ("x", "y", "z"), 4: ("x", "y", "z", "confidence")}.get(width)
    if row is not None:
        whole = [each for each in map(get_layout, list_layouts()) if each.dims == 3]
        whole = [each for each in whole if not height % each.n_joints]
        whole.sort(key=lambda each: each.name not in USUAL)
        guess = f"{height} rows: a joint each"
        if whole:
            guess += f", {height // whole[0].n_joints} frames x {whole[0].n_joints} joints"
        return _command(path, guess, [each.name for each in whole], row)
    columns = ("frame", "x", "y", "z") if counts and (width - 1) % 3 == 0 else ("x", "y", "z")
    return _command(path, _columns(width, width // 3, columns), [], columns)


def _columns(width: int, joints: int, columns: Sequence[str]) -> str:
    frame = "a frame number and " if "frame" in columns else ""
    return f"{width} columns: {frame}{joints} joints x {len(columns) - ('frame' in columns)}"


def _command(path: Path, guess: str, fits: Sequence[str], columns: Sequence[str]) -> str:
    """The guess, and the command that reads the file if it is right."""
    options = f"--layout {fits[0] if fits else 'LAYOUT'} --columns {','.join(columns)}"
    if not fits:
        others = ", where LAYOUT is a layout file that lists the joints in their order (docs/data.md)"
    else:
        others = f" (or {', '.join(fits[1:])} in place of {fits[0]})" if len(fits) > 1 else ""
    return (
        f"{guess}? Then `hitrs import {path.parent} STORE {options}` reads it{others}, or the folder above "
        "if that is what you import. inspect, recognize, detect and predict take the same two options."
    )


def _refuse(path: Path, _: Layout | None) -> Iterator[Recording]:
    raise DataError(f"{path} is a table of numbers without a header. {_advice(path)}")


FORMAT = Format(
    name="table",
    title="numbers without a header; --columns says what they are",
    suffixes=(".txt", ".csv", ".tsv", ".dat"),
    matches=is_number_table,
    read=_refuse,
    memory=32,
)


def table_format(columns: str) -> Format:
    """The format of tables with these columns, whatever is in a file.

    Raises:
        ConfigError: as ``parse_columns``.
    """
    parse_columns(columns)
    return replace(FORMAT, matches=lambda head: True, read=partial(read_number_table, columns=columns))
