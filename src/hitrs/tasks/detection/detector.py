"""Action detection for applications: raw recordings of any length in, named segments out."""

from __future__ import annotations

import numpy as np

from hitrs.data.recording import Recording
from hitrs.tasks.deployed import DeployedModel
from hitrs.tasks.detection.detection import Detection
from hitrs.tasks.detection.online import OnlineDetector
from hitrs.tasks.detection.segments import SegmentSettings, propose, segment_settings
from hitrs.tasks.inputs import Input, Joints


class Detector(DeployedModel):
    """A trained detector with everything that a raw recording needs before and after it.

    Layout, preprocessing, class names and the settings that make segments of frames come from the model's
    directory.

    >>> detector = hitrs.Detector("runs/detector")
    >>> detector("morning.npz").rows()[0]
    {'name': 'morning', 'label': 'wave', 'start': 31, 'stop': 75, ...}
    >>> detector(positions, layout="kinect20", fps=30).probabilities.shape  # frames, classes + background
    (1850, 52)

    Args:
        model: model directory, the run that made it, ``hub://owner/name``, an exported file (``*.onnx``), or
            the loaded model itself.
        device: where a PyTorch model computes, for example "cuda"; None: where it is, the CPU for one that is
            read.

    Raises:
        CheckpointError: if there is no model, or it is one for something else.
    """

    task = "detection"

    @property
    def settings(self) -> SegmentSettings:
        """How frames become segments."""
        return segment_settings(self.card)

    def __call__(
        self,
        recording: Input,
        *,
        valid: np.ndarray | None = None,
        layout: Joints | None = None,
        fps: float | None = None,
        resample: bool = False,
        unit: str | None = None,
        up: str | None = None,
        as_is: bool = False,
    ) -> Detection:
        """Detect the actions in one recording.

        Args:
            recording: (T, J, C) or (T, P, J, C) in the unit of the training data (meters), a Recording, or
                the path of a file.
            valid: of an array: (T, J) or (T, P, J) bool, True where the joint was seen; default: what is not
                NaN.
            layout: of an array or file, if it is not the model's: a Layout, its name, a layout file, or a
                list of the names of its joints.
            fps: frames per second of an array, or of a file that does not say it; None = unknown.
            resample: bring a recording of another frame rate to the model's. Frames of the result then count
                at the model's rate; seconds are the same.
            unit: "meters", "centimeters" or "millimeters", where that is known; None: as bodies suggest.
            up: the axis that points up, "y", "-y", "z", ..., where that is known; None: as bodies suggest.
            as_is: take coordinates as they are, whatever their unit and up axis seem to be.

        Raises:
            DataError: if the recording is empty, not finite, unreadable, shows nobody or too few of the
                model's joints, has another frame rate, or bodies of another size, which no unit explains.
            LayoutError: if it does not fit the model: 2-D for a 3-D model, joints of another layout.
            ConfigError: for a unit or axis that does not exist, or one with ``as_is``.
        """
        return self.detect(
            self.recording(
                recording,
                valid=valid,
                layout=layout,
                fps=fps,
                resample=resample,
                unit=unit,
                up=up,
                as_is=as_is,
            )
        )

    def detect(self, recording: Recording) -> Detection:
        """Detect the actions in a recording that :meth:`recording` has prepared."""
        (probabilities,) = self.model.answers([self.mapped(recording)])
        proposals = tuple(propose(probabilities, self.settings))
        return Detection(
            recording.name,
            recording.n_frames,
            recording.fps,
            proposals,
            self.classes,
            probabilities,
            self.joints_seen(recording),
            recording.notes,
        )

    def online(self, *, as_is: bool = False) -> OnlineDetector:
        """The same model for frames as they come.

        Args:
            as_is: take coordinates as they are, whatever their unit and up axis seem to be.
        Raises:
            ConfigError: if it was not trained for that.
        """
        return OnlineDetector(self.model, as_is=as_is)
