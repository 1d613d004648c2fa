"""Pictures that clients send, and the poses in them."""

from __future__ import annotations

import io
import struct
from contextlib import ExitStack

import numpy as np
from PIL import Image

from hitrs.data.video.estimator import EstimatePoses, PoseEstimator
from hitrs.data.video.process import ProcessEndedError
from hitrs.data.video.track import first_pose
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

MOST_BYTES = 1_000_000
_MOST_PIXELS = 16_000_000
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_HEAD = struct.Struct("<d")


def picture_of(message: bytes) -> tuple[float, bytes]:
    """(seconds, file) of a message: a little-endian double, then a picture.

    Raises:
        DataError: if it is too short, or too large.
    """
    if len(message) <= _HEAD.size:
        raise DataError("a message of bytes is the seconds, 8 bytes of a little-endian double, and a picture")
    if len(message) > MOST_BYTES:
        raise DataError(f"the picture has {len(message):,} bytes, at most {MOST_BYTES:,} are taken")
    return _HEAD.unpack_from(message)[0], message[_HEAD.size :]


def decoded(file: bytes) -> np.ndarray:
    """(H, W, 3) uint8, red first, of a JPEG, PNG or WebP file.

    Raises:
        DataError: if it is none, damaged, or has too many pixels.
    """
    try:
        picture = Image.open(io.BytesIO(file), formats=("JPEG", "PNG", "WEBP"))
        if picture.width * picture.height > _MOST_PIXELS:
            raise DataError(f"the picture has {picture.width} x {picture.height} pixels, which is too many")
        return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, EOFError, *_BOMBS) as error:
        raise DataError(f"the picture cannot be read as JPEG, PNG or WebP ({error})") from error


class Poses:
    """The first person in each picture of one client; a process that ends is started once more.

    Args:
        estimator: whose pictures these are.
    Raises:
        DataError: if pictures cannot be looked at here.
    """

    def __init__(self, estimator: PoseEstimator) -> None:
        self._estimator, self._stack, self._again = estimator, ExitStack(), False
        self.layout = get_layout(estimator.layout)
        self.notes: list[str] = list(estimator.notes)
        """What is to be told, each once."""
        self._estimate = self._started()

    def _started(self) -> EstimatePoses:
        return self._stack.enter_context(self._estimator.live())

    def __call__(self, file: bytes) -> tuple[np.ndarray, np.ndarray]:
        """Positions (1, J, C) and valid (1, J).

        Raises:
            DataError: if the picture cannot be read, or the process has ended twice.
        """
        picture = decoded(file)
        try:
            found = self._estimate(picture)
        except ProcessEndedError as error:
            if self._again:
                raise DataError(f"{error}. It was started twice.") from error
            self._again = True
            self._stack.close()
            self._estimate = self._started()
            self.notes.append("the pose process ended and was started again")
            found = self._estimate(picture)
        return first_pose(found, self.layout)

    def close(self) -> None:
        """End the process."""
        self._stack.close()
