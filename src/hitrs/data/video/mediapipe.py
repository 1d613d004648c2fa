"""MediaPipe's pose estimator, in the process that opens videos: one person, 33 world landmarks in meters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from hitrs.data.video.estimator import (
    EstimatedPose,
    EstimatePoses,
    PoseEstimator,
    PoseFrame,
    Source,
    VideoInfo,
)
from hitrs.data.video.streams import ask, check_process, name_of, picture_asker
from hitrs.errors import DataError

_JOINTS = 33
_SHAPES = {"points": (_JOINTS, 3), "visible": (_JOINTS,), "image": (_JOINTS, 2)}


class MediaPipe(PoseEstimator):
    """Complexity 1, the model that comes with its wheel."""

    name, layout, version = "mediapipe", "mediapipe33", "0.10.21"
    notes = (
        "poses by MediaPipe 0.10.21, of one person",
        "y points down, as MediaPipe has it, and the body's hips are at the origin",
    )

    def frames(self, source: Source, start: int = 0) -> Iterator[PoseFrame]:
        for size, header, arrays in ask("poses", source, start):
            poses = _poses(arrays, name_of(source))
            yield PoseFrame(VideoInfo(*size), header["number"], header["seconds"], poses)

    def check_live(self) -> None:
        check_process()

    @contextmanager
    def live(self) -> Iterator[EstimatePoses]:
        with picture_asker("pictures") as answer:
            yield lambda picture: _poses(answer(picture), "pictures")


def _poses(arrays: Mapping[str, np.ndarray], where: str) -> tuple[EstimatedPose, ...]:
    """What the process says of one picture."""
    persons = {len(arrays[name]) if name in arrays else -1 for name in _SHAPES}
    if len(persons) > 1 or any(arrays[name].shape[1:] != shape for name, shape in _SHAPES.items()):
        got = {name: array.shape for name, array in arrays.items()}
        raise DataError(
            f"{where}: the pose process sent arrays of {got}, expected {_JOINTS} landmarks. It is of another "
            "version; `hitrs video-setup` makes it anew."
        )
    return tuple(
        EstimatedPose(points, visible, image, person="one")
        for points, visible, image in zip(*(arrays[name] for name in _SHAPES), strict=True)
    )


ESTIMATOR = MediaPipe()
