"""Videos of one file a frame: which files belong to one."""

from __future__ import annotations

import re
from pathlib import Path

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
