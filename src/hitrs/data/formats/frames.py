"""Videos of one file a frame, and the frame rate that time stamps tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hitrs.errors import DataError


def frame_files(path: Path, pattern: re.Pattern[str]) -> tuple[str, dict[int, Path]]:
    """Name of the video that a file belongs to, and the file of each frame.

    The video is named as the files are before the frame's number, or as their folder if nothing is there. A
    file whose name does not fit is a video of one frame.

    Args:
        pattern: of file names, with groups "name" and "frame".

    Raises:
        DataError: if two files are the same frame, or the folder cannot be read.
    """
    fits = pattern.fullmatch(path.name)
    if fits is None:
        return path.stem, {0: path}
    name, files = fits["name"], {int(fits["frame"]): path}
    try:
        for other in path.parent.iterdir():
            match = pattern.fullmatch(other.name)
            if match is None or match["name"] != name:
                continue
            frame = int(match["frame"])
            if files.setdefault(frame, other).name != other.name:
                raise DataError(
                    f"{path.parent}: {files[frame].name} and {other.name} are the same frame {frame}."
                )
    except OSError as error:
        raise DataError(f"cannot read the folder {path.parent}: {error.strerror}.") from error
    return name or path.resolve().parent.name or path.stem, files


_REGULAR = 0.2
"""Time stamps are regular if no step differs from the median by more than this part."""


def regular_rate(
    frames: Sequence[int] | np.ndarray, times: Sequence[float] | np.ndarray, *, seconds: bool = False
) -> tuple[float | None, list[str]]:
    """Frames per second by time stamps, and what is to be said about it.

    Args:
        frames: (n,) their frames, in any order; of several time stamps of a frame the first one counts.
        times: (n,) in seconds or milliseconds.
        seconds: they are certainly seconds.

    Returns:
        None where they are irregular or do not rise.
    """
    order, first = np.unique(frames, return_index=True)
    steps = np.diff(np.asarray(times)[first].astype(np.float64)) / np.diff(order)
    if len(steps) == 0 or not np.isfinite(steps).all() or not (steps > 0).all():
        return None, ["the time stamps do not rise from frame to frame; the frame rate stays unknown"]
    step = float(np.median(steps))
    if step > 1 and not seconds:  # nobody films a frame every few seconds: these are milliseconds
        steps, step = steps / 1000, step / 1000
    if np.abs(steps - step).max() > _REGULAR * step:
        return None, [
            f"the time stamps are irregular, {steps.min():.3g} to {steps.max():.3g} s from frame to frame; "
            "the frame rate stays unknown"
        ]
    return round(1 / step, 3), [f"frame rate by the time stamps: {1 / step:.3f}"]
