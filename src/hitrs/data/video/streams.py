"""Videos through the process that opens them: poses or pictures out, pictures in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.video.environment import command
from hitrs.data.video.process import VideoProcess, start
from hitrs.errors import DataError

POSE_SIDE = 1280
"""Pixels: larger pictures are scaled down before a pose is estimated."""

Size = tuple[int, int, "float | None", "int | None"]
"""Width, height, and what the file states: frames per second, number of frames."""


def name_of(source: Path | int) -> str:
    """What messages call a video or camera."""
    return f"camera {source}" if isinstance(source, int) else str(source)


def check_process() -> None:
    """DataError where there is no process that opens videos."""
    command()


def ask(
    do: str, source: Path | int, first: int = 0, side: int = POSE_SIDE
) -> Iterator[tuple[Size, dict[str, Any], dict[str, np.ndarray]]]:
    """What the process says about each frame: (size, header, arrays).

    Args:
        do: "poses" or "pictures".
        first: number of the frame to begin with.
        side: no side of a picture that is looked at is longer.

    Raises:
        ProcessEndedError: if the process ends or hangs.
        DataError: for what cannot be opened.
    """
    where = {"camera": source} if isinstance(source, int) else {"path": str(source.resolve())}
    name = name_of(source)
    with start(command(), {"do": do, **where, "start": first, "side": side}, name) as process:
        message = process.receive()
        if message.kind == "end":  # there is nothing from ``first`` on
            return
        size = _size(message.header, name)
        while (message := process.receive()).kind == "frame":
            header = message.header
            number, seconds = header.get("number"), header.get("seconds")
            if not isinstance(number, int) or not isinstance(seconds, int | float):
                raise DataError(f"{name}: the pose process sent a frame without number and time.")
            yield size, header, message.arrays


def pictures(
    source: Path | int, first: int = 0, side: int = POSE_SIDE
) -> Iterator[tuple[Size, int, float, np.ndarray]]:
    """(size of the video, frame number, seconds, picture (H, W, 3) uint8, red first) of each frame; otherwise
    as ``ask``."""
    for size, header, arrays in ask("pictures", source, first, side):
        picture = arrays.get("picture")
        if picture is None or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise DataError(
                f"{name_of(source)}: the pose process sent no picture for frame {header['number']}."
            )
        yield size, header["number"], header["seconds"], picture


@contextmanager
def picture_asker(name: str) -> Iterator[Callable[[np.ndarray], dict[str, np.ndarray]]]:
    """From pictures (H, W, 3) uint8, red first, one after another, to the arrays of their poses.

    Args:
        name: what messages call them.

    Raises:
        ProcessEndedError: if the process ends or hangs.
        DataError: if it cannot be started.
    """
    with start(command(), {"do": "estimate", "side": POSE_SIDE}, name) as process:

        def answer(picture: np.ndarray) -> dict[str, np.ndarray]:
            process.send({"kind": "frame"}, picture=picture)
            return process.receive().arrays

        yield answer


@contextmanager
def video_writer(path: Path, fps: float) -> Iterator[VideoWriter]:
    """Write pictures (H, W, 3) uint8, all of one size with even sides, to an .mp4 file.

    Raises:
        DataError: if that fails; what is at ``path`` then is no video.
    """
    name = str(path)
    with start(command(), {"do": "write", "path": str(path.resolve()), "fps": fps}, name) as process:
        writer = VideoWriter(process)
        yield writer
        process.send({"kind": "end"})
        process.receive()


class VideoWriter:
    """Pictures into a process that encodes them."""

    def __init__(self, process: VideoProcess) -> None:
        self._process = process

    def add(self, picture: np.ndarray) -> None:
        """The next frame; DataError if the process has refused or ended."""
        self._process.send({"kind": "frame"}, picture=picture)


def _size(header: dict[str, Any], name: str) -> Size:
    width, height, fps, frames = (header.get(key) for key in ("width", "height", "fps", "frames"))
    if (
        isinstance(width, int)
        and isinstance(height, int)
        and min(width, height) > 0
        and isinstance(fps, int | float | None)
        and isinstance(frames, int | None)
    ):
        return width, height, fps, frames
    raise DataError(f"{name}: the pose process says that the video is {header}, which makes no sense.")
