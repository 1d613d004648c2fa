"""Motion prediction for applications: a recording in, the recording continued out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hitrs.data.inspection.body import UNITS
from hitrs.data.interpolation import interpolate
from hitrs.data.recording import Recording
from hitrs.data.space import measure_space
from hitrs.errors import DataError, not_finite
from hitrs.schema import read_settings
from hitrs.tasks.deployed import DeployedModel
from hitrs.tasks.inputs import Input, Joints, JointsSeen
from hitrs.tasks.prediction.config import PredictionHeadConfig
from hitrs.tasks.prediction.poses import Frames, bone_drift, in_layout, joint_errors, keep_bone_lengths


@dataclass(frozen=True)
class Continuation:
    """A recording and the frames that a model predicts behind it, in its own joints."""

    recording: Recording
    """What was observed, and behind it the predicted frames."""
    start: int
    """The first predicted frame."""
    truth: Recording | None
    """The true frames instead of the predicted ones, as far as they were given."""
    bone_drift: float
    """Mean change of bone lengths in the last predicted frame, in this unit."""
    unit: str
    """What the recording is measured in: the unit of the training data, into which it was converted if it had
    another; its own where the model scales bodies itself; "unclear" where nothing tells. "pixels" in 2-D."""
    joints: JointsSeen
    """How many of the model's joints the recording has, and shows."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the recording's reader left out or changed, and what was converted."""
        return self.recording.notes

    @property
    def positions(self) -> np.ndarray:
        """Predicted positions (H, P, J, C)."""
        return self.recording.positions[self.start :]

    @property
    def valid(self) -> np.ndarray:
        """(H, P, J), True for joints that the model predicts."""
        return self.recording.valid[self.start :]

    def to_dict(self) -> dict[str, Any]:
        """JSON values: the predicted frames (null: not predicted), from which on, rate, unit, joints, notes;
        ``errors`` of each frame where there is a truth."""
        values = np.round(self.positions.astype(np.float64), 6).astype(object)
        values[~self.valid] = None
        errors = None if self.truth is None else [None if np.isnan(e) else float(e) for e in self.errors()]
        return {
            "name": self.recording.name,
            "start": self.start,
            "fps": self.recording.fps,
            "unit": self.unit,
            "layout": list(self.recording.layout.joints),
            "positions": values.tolist(),
            "errors": errors,
            "joints": self.joints.to_dict(),
            "notes": list(self.notes),
        }

    def unit_of_errors(self) -> tuple[str, float]:
        """What people are told errors in, and how many of it one of ``unit`` has: millimeters of a length."""
        return ("mm", 1000 / UNITS[self.unit]) if self.unit in UNITS else (self.unit, 1.0)

    def errors(self) -> np.ndarray:
        """Mean distance between predicted and true joints in every frame for which there is a truth.

        Raises:
            DataError: if there is no truth.
        """
        if self.truth is None:
            raise DataError(
                f"recording '{self.recording.name}' was predicted from its end: there is no truth"
            )
        rows = slice(self.start, min(self.truth.n_frames, self.recording.n_frames))
        valid = self.recording.valid[rows] & self.truth.valid[rows]
        return joint_errors(self.recording.positions[rows], self.truth.positions[rows], valid)


class Predictor(DeployedModel):
    """A trained predictor with everything that a raw recording needs before and after it.

    Layout, preprocessing and the numbers of frames come from the model's directory.

    >>> predictor = hitrs.Predictor("runs/predictor")
    >>> predictor("walk.bvh").positions.shape  # frames, persons, joints, coordinates
    (50, 1, 31, 3)
    >>> predictor("walk.bvh", at=100).errors()[-1]  # from frame 100 on, compared with the rest of the file
    0.083

    Args:
        model: model directory, the run that made it, ``hub://owner/name``, an exported file (``*.onnx``), or
            the loaded model itself.
        device: where a PyTorch model computes, for example "cuda"; None: where it is, the CPU for one that is
            read.

    Raises:
        CheckpointError: if there is no model, or it is one for something else.
    """

    task = "prediction"

    @property
    def settings(self) -> PredictionHeadConfig:
        """How many frames it looks at, and predicts."""
        return read_settings(PredictionHeadConfig, self.card.head, "head")

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
        at: int | None = None,
        keep_bones: bool = True,
    ) -> Continuation:
        """Continue one recording.

        The model looks at every n-th frame, as in training; frames between those it predicts are put on a
        straight line, so that the continuation has the rate of the recording.

        Args:
            recording: (T, J, C) or (T, P, J, C) in the unit of the training data (meters), a Recording, or
                the path of a file.
            valid: of an array: (T, J) or (T, P, J) bool, True where the joint was seen; default: what is
                not NaN.
            layout: of an array or file, if it is not the model's: a Layout, its name, a layout file, or a
                list of the names of its joints.
            fps: frames per second of an array, or of a file that does not say it; None = unknown.
            resample: bring a recording of another frame rate to the model's.
            unit: "meters", "centimeters" or "millimeters", where that is known; None: as bodies suggest.
            up: the axis that points up, "y", "-y", "z", ..., where that is known; None: as bodies suggest.
            as_is: take coordinates as they are, whatever their unit and up axis seem to be.
            at: predict from this frame on and keep the rest as the truth; None: from the end on.
            keep_bones: give bones the length that they had in the last observed frame.

        Raises:
            DataError: if the recording is empty, not finite, unreadable, shows nobody at the end or too few
                of the model's joints, has fewer frames than the model observes, another frame rate, or bodies
                of another size, which no unit explains.
            LayoutError: if it does not fit the model: 2-D for a 3-D model, joints of another layout.
            ConfigError: for a unit or axis that does not exist, or one with ``as_is``.
        """
        given = self.recording(
            recording, valid=valid, layout=layout, fps=fps, resample=resample, unit=unit, up=up, as_is=as_is
        )
        cut = given.n_frames if at is None else at
        past, seen = self._observed(given, cut)
        if not seen.any():
            raise DataError(
                f"recording '{given.name}': no joint was seen in the {len(past)} frames that the model "
                "observes"
            )
        predicted, known = self._continued(replace(given, positions=past, valid=seen, segments=()))
        if keep_bones:
            predicted = keep_bone_lengths(predicted, past[-1], seen[-1] & known[0], given.layout)
        drift = bone_drift(predicted, past[-1], seen[-1] & known[0], given.layout)[-1]
        frame_step = self.settings.frame_step
        positions, valid = _at_every_frame(past[-1:], seen[-1:], predicted, known, frame_step)
        whole = replace(
            given,
            positions=np.concatenate([given.positions[:cut], positions]),
            valid=np.concatenate([given.valid[:cut], valid]),
            segments=(),
            notes=(*given.notes, f"frames from {cut} on are predicted"),
        )
        truth = given if cut < given.n_frames else None
        measured_in = self._unit(given, unit)
        return Continuation(whole, cut, truth, float(drift), measured_in, self.joints_seen(given))

    def _unit(self, recording: Recording, stated: str | None) -> str:
        """What a recording that the model can use is measured in."""
        if recording.layout.dims == 2:
            return "pixels"
        if self.card.preprocessing.scale != "body":
            return self.card.space.unit
        if stated is not None:
            return stated
        mapped = self.mapped(recording)  # the model scales bodies: whatever unit it came in, it still has
        return measure_space(mapped.positions, mapped.valid, self.layout).unit

    def _continued(self, observed: Recording) -> Frames:
        """What the model predicts behind the frames that it looks at, in the recording's own joints."""
        mapped = self.mapped(observed)
        (future,) = self.model.answers([mapped])
        if not np.isfinite(future[:, mapped.valid.any(0)]).all():
            raise not_finite(f"recording '{observed.name}'", "the predicted positions are")
        return in_layout(future, observed.positions, observed.valid, observed.layout, self.layout)

    def _observed(self, recording: Recording, cut: int) -> tuple[np.ndarray, np.ndarray]:
        """The frames before ``cut`` that the model looks at."""
        head = self.settings
        needed = (head.observed - 1) * head.frame_step + 1
        if not 0 <= cut <= recording.n_frames:
            raise DataError(
                f"recording '{recording.name}' has {recording.n_frames} frames, so none can be predicted "
                f"from frame {cut} on"
            )
        if cut < needed:
            raise DataError(
                f"recording '{recording.name}' has {cut} frames before the future, the model looks at "
                f"{head.observed} (frame step {head.frame_step}: {needed} frames). Give a longer recording, "
                "or train a model with a smaller predict.head.observed"
            )
        rows = slice(cut - needed, cut, head.frame_step)
        return recording.positions[rows], recording.valid[rows]


def _at_every_frame(
    last: np.ndarray, seen: np.ndarray, predicted: np.ndarray, known: np.ndarray, frame_step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predicted frames at every frame of the recording, on straight lines from one to the next.

    Args:
        last: the last observed frame, (1, P, J, C); seen: (1, P, J).
        predicted: every ``frame_step``-th frame behind it, (H, P, J, C); known: (H, P, J).
    Returns:
        positions (H frame_step, P, J, C) and valid (H frame_step, P, J).
    """
    positions, valid = np.concatenate([last, predicted]), np.concatenate([seen & known[:1], known])
    times = np.arange(1, len(predicted) * frame_step + 1) / frame_step
    positions, valid = interpolate(positions, valid, times)
    return np.where(valid[..., None], positions, np.float32(0)), valid
