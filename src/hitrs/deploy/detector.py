"""Action detection for applications: raw recordings of any length in, named segments out."""

from __future__ import annotations

import os

import numpy as np
import torch

from hitrs.data.recording import Recording
from hitrs.deploy.recordings import Input, as_recording, at_rate, known_layout, model_arrays
from hitrs.deploy.segments_out import Detection
from hitrs.deploy.streaming import OnlineDetector, nobody
from hitrs.skeleton import Layout
from hitrs.tasks.detection.long import long_scores
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.segments import propose
from hitrs.transforms.batch import collate
from hitrs.transforms.preprocess import preprocess


class Detector:
    """A trained detector with everything that a raw recording needs before and after it.

    Layout, preprocessing, class names and the settings that make segments of frames come from the model's
    directory.

    >>> detector = Detector("runs/detector")
    >>> detector("morning.npz").rows()[0]
    {'name': 'morning', 'label': 'wave', 'start': 31, 'stop': 75, ...}

    Args:
        model: model directory, the run that made it, or a hub id.
        device: where to compute, for example "cuda".

    Raises:
        CheckpointError: if there is no model, or it is one for something else.
    """

    def __init__(self, model: str | os.PathLike[str], *, device: str = "cpu"):
        self.device = torch.device(device)
        self.model = DetectionModel.from_pretrained(os.fspath(model)).to(self.device)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.model.card.classes

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
    ) -> Detection:
        """Find the actions in one recording.

        Args:
            recording: (T, J, C) or (T, P, J, C) in the unit of the training data (meters), a Recording, or
                the path of a file.
            valid: of an array: (T, J) or (T, P, J) bool, True where the joint was seen; default: all.
            layout: of an array or file, if it is not the model's: a Layout, its name, or a layout file.
            fps: frames per second of an array, or of a file that does not say it; None = unknown.
            resample: bring a recording of another frame rate to the model's. Frames of the result then count
                at the model's rate; seconds are the same.

        Raises:
            DataError: if the recording is empty, not finite, unreadable, shows nobody, or has another frame
                rate.
            LayoutError: if it does not fit the model: 2-D for a 3-D model, joints of another layout.
        """
        given = as_recording(recording, self.layout, valid=valid, layout=known_layout(layout), fps=fps)
        given = at_rate(given, self.model.card.fps, resample=resample)
        probabilities = self._probabilities(given)
        found = propose(probabilities, self.model.segments)
        return Detection(given.name, given.n_frames, given.fps, tuple(found), self.classes, probabilities)

    def online(self) -> OnlineDetector:
        """The same model for frames as they come.

        Raises:
            ConfigError: if it was not trained for that.
        """
        return OnlineDetector(self.model)

    @torch.inference_mode()
    def _probabilities(self, recording: Recording) -> np.ndarray:
        arrays = model_arrays(recording, self.layout)
        batch = preprocess(collate([arrays]), self.model.card.preprocessing, self.layout)
        scores = long_scores(self.model, batch.to(self.device))[0]
        probabilities = scores.float().softmax(-1).cpu().numpy()
        seen = np.asarray(arrays[1].any((1, 2)))
        probabilities[absent(seen, self.model.settings.stride)] = nobody(len(self.classes))
        return probabilities


def absent(seen: np.ndarray, least: int) -> np.ndarray:
    """(T,) bool: frames before and at which nobody has been seen for at least ``least`` frames in a row."""
    frames = np.arange(len(seen))
    last = np.maximum.accumulate(np.where(seen, frames, -1))
    return np.asarray(frames - last >= least)
