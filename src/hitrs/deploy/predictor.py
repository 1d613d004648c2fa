"""Motion prediction for applications: a recording in, the recording continued out."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
import torch

from hitrs.data.recording import Recording
from hitrs.deploy.recordings import Input, as_recording, at_rate, known_layout
from hitrs.errors import DataError
from hitrs.skeleton import Layout
from hitrs.tasks.prediction.bones import bone_drift, keep_bone_lengths
from hitrs.tasks.prediction.metrics import joint_errors
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.tasks.prediction.predict import predict_bodies
from hitrs.transforms.source import check_layouts


@dataclass(frozen=True)
class Continuation:
    """A recording and what a model thinks comes next, in the recording's own coordinates and joints."""

    recording: Recording
    """What was observed, and behind it the predicted frames."""
    start: int
    """The first predicted frame."""
    truth: Recording | None
    """The true frames instead of the predicted ones, as far as they were given."""
    bone_drift: float
    """Mean change of bone lengths in the last predicted frame, in the unit of the recording."""

    @property
    def positions(self) -> np.ndarray:
        """Predicted positions (H, P, J, C)."""
        return self.recording.positions[self.start :]

    @property
    def valid(self) -> np.ndarray:
        """(H, P, J), True for joints that the model predicts."""
        return self.recording.valid[self.start :]

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


class Predictor:
    """A trained predictor with everything that a raw recording needs before and after it.

    >>> predictor = Predictor("runs/predictor")
    >>> predictor("walk.bvh").positions.shape  # frames, persons, joints, coordinates
    (50, 1, 31, 3)

    Args:
        model: model directory, the run that made it, or a hub id.
        device: where to compute, for example "cuda".

    Raises:
        CheckpointError: if there is no model, or it is one for something else.
    """

    def __init__(self, model: str | os.PathLike[str], *, device: str = "cpu"):
        self.model = PredictionModel.from_pretrained(os.fspath(model)).to(torch.device(device))

    @property
    def layout(self) -> Layout:
        """The layout that recordings are mapped to."""
        return self.model.card.layout

    def __call__(
        self,
        recording: Input,
        *,
        valid: np.ndarray | None = None,
        layout: Layout | str | None = None,
        fps: float | None = None,
        resample: bool = False,
        at: int | None = None,
        keep_bones: bool = True,
    ) -> Continuation:
        """Continue one recording.

        The model looks at every n-th frame, as in training; frames between those it predicts are put on a
        straight line, so that the continuation has the rate of the recording.

        Args:
            recording: (T, J, C) or (T, P, J, C) in the unit of the training data (meters), a Recording, or
                the path of a file.
            valid: of an array: (T, J) or (T, P, J) bool, True where the joint was seen; default: all.
            layout: of an array or file, if it is not the model's: a Layout, its name, or a layout file.
            fps: frames per second of an array, or of a file that does not say it; None = unknown.
            resample: bring a recording of another frame rate to the model's.
            at: predict from this frame on and keep the rest as the truth; None: from the end on.
            keep_bones: give bones the length that they had in the last observed frame.

        Raises:
            DataError: if the recording is empty, not finite, unreadable, shows nobody at the end, has fewer
                frames than the model observes, or another frame rate.
            LayoutError: if it does not fit the model: 2-D for a 3-D model, joints of another layout.
        """
        given = as_recording(recording, self.layout, valid=valid, layout=known_layout(layout), fps=fps)
        check_layouts(given.layout, self.layout, f"recording '{given.name}'")
        given = at_rate(given, self.model.card.fps, resample=resample)
        cut = given.n_frames if at is None else at
        past, seen = self._observed(given, cut)
        if not seen.any():
            raise DataError(
                f"recording '{given.name}': no joint was seen in the {len(past)} frames that the model would "
                "go by"
            )
        found, known = predict_bodies(self.model, [(past, seen)], given.layout)[0]
        if keep_bones:
            found = keep_bone_lengths(found, past[-1], seen[-1] & known[0], given.layout)
        drift = bone_drift(found, past[-1], seen[-1] & known[0], given.layout)[-1]
        positions, valid = between(past[-1:], seen[-1:], found, known, self.model.settings.step)
        whole = replace(
            given,
            positions=np.concatenate([given.positions[:cut], positions]),
            valid=np.concatenate([given.valid[:cut], valid]),
            segments=(),
            notes=(*given.notes, f"frames from {cut} on are predicted"),
        )
        return Continuation(whole, cut, given if cut < given.n_frames else None, float(drift))

    def _observed(self, recording: Recording, cut: int) -> tuple[np.ndarray, np.ndarray]:
        """The frames before ``cut`` that the model looks at."""
        settings = self.model.settings
        needed = (settings.observed - 1) * settings.step + 1
        if not 0 <= cut <= recording.n_frames:
            raise DataError(
                f"recording '{recording.name}' has {recording.n_frames} frames, so none can be predicted "
                f"from frame {cut} on"
            )
        if cut < needed:
            raise DataError(
                f"recording '{recording.name}' has {cut} frames before the future, the model looks at "
                f"{settings.observed} (step {settings.step}: {needed} frames). Give a longer recording, or "
                "train a model with a smaller predict.observed"
            )
        rows = slice(cut - needed, cut, settings.step)
        return recording.positions[rows], recording.valid[rows]


def between(
    last: np.ndarray, seen: np.ndarray, found: np.ndarray, known: np.ndarray, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predicted frames at every frame of the recording, on straight lines from one to the next.

    Args:
        last: the last observed frame, (1, P, J, C); seen: (1, P, J).
        found: every ``step``-th frame behind it, (H, P, J, C); known: (H, P, J).
    Returns:
        positions (H step, P, J, C) and valid (H step, P, J).
    """
    every, valid = np.concatenate([last, found]), np.concatenate([seen & known[:1], known])
    when = np.arange(1, len(found) * step + 1) / step
    low = np.minimum(when.astype(int), len(found) - 1)
    part = (when - low).astype(np.float32)[:, None, None, None]
    positions = every[low] + part * (every[low + 1] - every[low])
    both = valid[low + 1] & (valid[low] | (part[..., 0] == 1))
    return np.where(both[..., None], positions, np.float32(0)), both
