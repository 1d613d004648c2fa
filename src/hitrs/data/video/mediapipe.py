"""MediaPipe's pose estimator, in the process that opens videos: one person, 33 world landmarks in meters."""

from __future__ import annotations

from collections.abc import Iterator

from hitrs.data.video.estimator import EstimatedPose, PoseEstimator, PoseFrame, Source, VideoInfo
from hitrs.data.video.streams import ask, name_of
from hitrs.errors import DataError

_JOINTS = 33


class MediaPipe(PoseEstimator):
    """Complexity 1, the model that comes with its wheel."""

    name, layout, version = "mediapipe", "mediapipe33", "0.10.21"
    notes = (
        "poses by MediaPipe 0.10.21, of one person",
        "y points down, as MediaPipe has it, and the body's hips are at the origin",
    )

    def frames(self, source: Source, start: int = 0) -> Iterator[PoseFrame]:
        for size, header, arrays in ask("poses", source, start):
            shapes = {"points": (_JOINTS, 3), "visible": (_JOINTS,), "image": (_JOINTS, 2)}
            persons = {len(arrays[name]) if name in arrays else -1 for name in shapes}
            if len(persons) > 1 or any(arrays[name].shape[1:] != shape for name, shape in shapes.items()):
                got = {name: array.shape for name, array in arrays.items()}
                raise DataError(
                    f"{name_of(source)}: the pose process sent arrays of {got}, expected {_JOINTS} "
                    "landmarks. It is of another version; `hitrs video-setup` makes it anew."
                )
            poses = tuple(
                EstimatedPose(points, visible, image, person="one")
                for points, visible, image in zip(*(arrays[name] for name in shapes), strict=True)
            )
            yield PoseFrame(VideoInfo(*size), header["number"], header["seconds"], poses)


ESTIMATOR = MediaPipe()
