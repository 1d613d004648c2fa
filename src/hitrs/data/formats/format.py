"""What a file format is to the rest: how its files are known, and a reader that turns one into recordings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np

from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.files import check_ordinary
from hitrs.skeleton.layout import Layout, get_layout, list_layouts

HEAD_BYTES = 1 << 16
"""So much of a file's start is looked at to tell its format."""

USUAL = ("kinect20", "utd20", "ntu25")
"""Layouts that are proposed first for files without names: most of them come from Kinect."""

Reader: TypeAlias = Callable[[Path, "Layout | None"], Iterable[Recording]]
"""Path and the layout that the user names (None = none) -> recordings. Raises HitrsError for a file that it
cannot read; anything else is reported as a defect of the reader."""


@dataclass(frozen=True)
class Head:
    """The start of a file, by which formats recognize what is theirs."""

    path: Path
    data: bytes
    """At most ``HEAD_BYTES`` bytes."""

    @cached_property
    def text(self) -> str:
        """The same as text; what is not UTF-8 becomes U+FFFD."""
        return self.data.decode("utf-8-sig", errors="replace")

    @staticmethod
    def of(path: Path) -> Head:
        """Read it; DataError where the file cannot be read."""
        try:
            check_ordinary(path)
            with path.open("rb") as file:
                return Head(path, file.read(HEAD_BYTES))
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}.") from error


@dataclass(frozen=True)
class Format:
    """A file format: a module of this package or of another one through the entry point "hitrs.formats"."""

    name: str
    """As ``--format`` takes it."""
    title: str
    """What it is, in a few words."""
    suffixes: tuple[str, ...]
    """Lower-case suffixes of files that are worth a look, for example (".bvh",)."""
    matches: Callable[[Head], bool]
    """Whether a file of these suffixes is of this format, by its content. Must not raise."""
    read: Reader
    frames: re.Pattern[str] | None = None
    """For formats of one file a frame: pattern of file names with a group "name". The files of one name in
    one folder are one recording, which ``read`` reads when it is given the first of them."""
    is_frame: Callable[[Head], bool] | None = None
    """Whether a file of such a name is one frame by its content; None where others are not named so."""
    memory: float | None = None
    """The most memory that its reader takes before it makes a recording, as a multiple of the size of a file;
    None: not known, or the reader itself looks, because it depends on what is inside (see ``memory``)."""
    positions: bool = True
    """Whether its files hold positions. Those that do not are known only so that the reader can say what they
    hold instead; a file of the same name that does is preferred."""
    layout: Callable[[], Layout] | None = None
    """The layout of all its files, so that none needs to be read to know it; None: a file says it."""
    estimated: bool = False
    """Whether its files show people of whom positions are only estimated: they are read where a folder holds
    no others, or the format is named."""


def one(read: Callable[[Path, Layout | None], Recording]) -> Reader:
    """A reader of many from one that returns the only recording of a file."""

    def read_one(path: Path, layout: Layout | None) -> Iterable[Recording]:
        return (read(path, layout),)

    return read_one


def layouts_of(joints: int, dims: int) -> list[str]:
    """Names of the layouts with so many joints and coordinates, those of Kinect first."""
    known = [get_layout(name) for name in list_layouts()]
    fits = [each.name for each in known if (each.n_joints, each.dims) == (joints, dims)]
    return sorted(fits, key=lambda name: name not in USUAL)


def layout_hint(joints: int, dims: int) -> str:
    """What to do about a file that does not name its joints."""
    fits = layouts_of(joints, dims)
    if not fits:
        return (
            f"No known layout has {joints} joints x {dims}: list them in a layout file (docs/data.md) and "
            "give that with --layout."
        )
    others = f" (or {', '.join(fits[1:])})" if fits[1:] else ""
    return f"{joints} joints x {dims}? Then give the layout: --layout {fits[0]}{others}."


def check_layout(path: Path, given: Layout | None, fixed: Layout) -> Layout:
    """``fixed``, the layout that a format always has; DataError if another one was asked for."""
    if given is not None and given != fixed:
        raise DataError(f"{path} has layout '{fixed.name}', but '{given.name}' was asked for.")
    return fixed


def kinect_recording(path: Path, joints: np.ndarray, layout: Layout) -> Recording:
    """Recording of one body from joints (T, J, 3) in meters, named after the file.

    A joint at exactly (0, 0, 0) is not valid: that point is the sensor itself, where Kinect puts what it
    lost.

    Raises:
        DataError: if there is no frame, or a coordinate is not finite (naming frame and joint).
    """
    if len(joints) == 0:
        raise DataError(f"{path} is an empty sequence: it has no frames.")
    if not np.isfinite(joints).all():
        frame, joint, _ = np.argwhere(~np.isfinite(joints))[0]
        raise DataError(
            f"{path}: frame {frame}, joint '{layout.joints[joint]}' has coordinates "
            f"{joints[frame, joint].tolist()}; expected finite numbers in meters."
        )
    positions = joints[:, None]  # (T, P=1, J, C)
    with located(path):
        return Recording(positions, (positions != 0).any(-1), layout, name=path.stem, source=path.name)
