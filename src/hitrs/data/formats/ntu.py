"""NTU RGB+D (Kinect v2) ``.skeleton``: text, frame after frame the tracked bodies with 25 joints each.

The first line holds the number of frames. Each frame begins with the number of bodies; each body has a line
of its id and state, a line with the number of joints, and a line of 12 values per joint, of which the first
three are x, y, z in meters. Who of the bodies is a person, ``bodies`` decides.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from hitrs.data.formats.bodies import Track, track_bodies
from hitrs.data.formats.format import Format, Head, check_layout, one
from hitrs.data.formats.json_text import LARGEST
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout

PERSONS = 2
"""The actions of NTU RGB+D have one or two actors."""
JOINTS, VALUES = 25, 12
MAX_BYTES = 1 << 28
"""Larger files (256 MB) are none of NTU RGB+D, whose largest have some megabytes."""
_BODIES = 64  # far more than a Kinect tracks (6)


def read_ntu(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one sequence; its notes say which bodies were joined or left out and why.

    The frame rate is not stated in the file (nominally 30 a second) and stays unknown.

    Raises:
        DataError: for a file that is missing, cut short or malformed (naming line and frame), or in which no
            body is seen in any frame.
    """
    path = Path(path)
    layout = check_layout(path, layout, get_layout("ntu25"))
    tracks, n_frames = _Reader(path).read()
    positions, valid, notes = track_bodies(tracks, n_frames, PERSONS)
    if positions.shape[1] == 0:
        raise DataError(f"{path}: no body is seen in any of its {n_frames} frames.")
    with located(path):
        return Recording(positions, valid, layout, name=path.stem, source=path.name, notes=notes)


class _Reader:
    """The lines of a file and the place that has been reached."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if path.stat().st_size > MAX_BYTES:
                raise DataError(f"{path} has {path.stat().st_size} bytes; at most {MAX_BYTES} make sense.")
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}.") from error
        self.lines = data.rstrip().split(b"\n")
        self.place = 0
        self.frame: int | None = None

    def read(self) -> tuple[list[Track], int]:
        """All bodies by id, and the number of frames."""
        n_frames = self._count("number of frames", len(self.lines))
        if n_frames == 0:
            raise DataError(f"{self.path} is an empty sequence: it has no frames.")
        frames: dict[bytes, list[int]] = {}
        blocks: dict[bytes, list[int]] = {}  # first line of the joints
        for self.frame in range(n_frames):
            here: set[bytes] = set()
            for _ in range(self._count("number of bodies", _BODIES)):
                body = self._line("a body").split()
                if not body:
                    self._fail("a blank line, expected a body's id and state")
                name = body[0]
                while name in here:  # an id twice in one frame: another body
                    name += b"'"
                here.add(name)
                joints = self._count("number of joints", JOINTS)
                if joints not in (0, JOINTS):
                    self._fail(f"{joints} joints, expected {JOINTS}", back=1)
                if self.place + joints > len(self.lines):
                    self._cut()
                if joints:
                    frames.setdefault(name, []).append(self.frame)
                    blocks.setdefault(name, []).append(self.place)
                self.place += joints
        if self.place < len(self.lines):
            raise DataError(
                f"{self.path}, line {self.place + 1}: the file goes on after its {n_frames} frames; it may "
                "be two files in one, or its number of frames is wrong."
            )
        return [
            Track(_short(name, len(frames)), np.array(frames[name]), self._joints(frames[name], blocks[name]))
            for name in frames
        ], n_frames

    def _joints(self, frames: list[int], blocks: list[int]) -> np.ndarray:
        """(n, 25, 3) of one body."""
        text = b" ".join(line for start in blocks for line in self.lines[start : start + JOINTS])
        values = _numbers(text)
        if values is None or values.size != len(blocks) * JOINTS * VALUES:
            self._explain(frames, blocks)
            raise DataError(f"{self.path}: joints are not {VALUES} numbers each.")
        joints = values.reshape(-1, JOINTS, VALUES)[..., :3].copy()
        far = np.isfinite(joints) & (np.abs(joints) > LARGEST)
        if far.any():
            row, joint, _ = np.argwhere(far)[0]
            raise DataError(
                f"{self.path}, frame {frames[row]}: joint {joint + 1} of a body is at "
                f"{joints[row, joint].tolist()}, expected meters."
            )
        return joints

    def _explain(self, frames: list[int], blocks: list[int]) -> None:
        """Raise the error of the first line that is wrong."""
        for self.frame, start in zip(frames, blocks, strict=True):
            for self.place in range(start, start + JOINTS):
                values = _numbers(self.lines[self.place])
                if values is None or values.size != VALUES:
                    self.place += 1
                    self._fail(f"expected {VALUES} numbers of a joint", back=1)

    def _line(self, what: str) -> bytes:
        if self.place >= len(self.lines):
            self._cut()
        line = self.lines[self.place]
        self.place += 1
        return line

    def _count(self, what: str, limit: int) -> int:
        text = self._line(what).strip()
        count = int(text) if text.isdigit() and len(text) < 10 else -1
        if not 0 <= count <= limit:
            shown = text[:30].decode("ascii", errors="replace")
            self._fail(f"the {what} is '{shown}', expected 0 to {limit}", back=1)
        return count

    def _cut(self) -> None:
        where = "" if self.frame is None else f" in frame {self.frame}"
        raise DataError(f"{self.path}, line {len(self.lines)}: the file ends{where}; it seems cut short.")

    def _fail(self, what: str, back: int = 1) -> None:
        where = "" if self.frame is None else f", frame {self.frame}"
        raise DataError(f"{self.path}, line {self.place - back + 1}{where}: {what}.")


def _numbers(text: bytes) -> np.ndarray | None:
    """Numbers between white space, None if something else stands there."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(text.decode("ascii"), sep=" ")
        except (ValueError, DeprecationWarning, UnicodeDecodeError):
            return None


def _short(name: bytes, count: int) -> str:
    """The end of an id, which tells bodies apart: their beginning is the sensor's."""
    return name[-5:].decode("ascii", errors="replace")


def _matches(head: Head) -> bool:
    return head.path.suffix.lower() == ".skeleton"


FORMAT = Format("ntu", "NTU RGB+D skeletons", (".skeleton",), _matches, one(read_ntu), memory=12)
