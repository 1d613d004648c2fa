"""Recognition while a recording goes on: online in a sliding window, and measured on beginnings."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import replace

import numpy as np

from hitrs.errors import ConfigError
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.predict import predict
from hitrs.tasks.recognition.recognizer import Recognition, Recognizer
from hitrs.transforms.dataset import ModelInputs

SHARES = tuple(percent / 100 for percent in range(10, 101, 10))
"""Of a recording, after which accuracy is measured."""


class OnlineRecognizer(Recognizer):
    """A recognizer for one recording that goes on: after every frame the action of the last ones.

    Its memory is bounded by its window. A frame costs as much as recognizing a recording of that length.

    >>> online = hitrs.OnlineRecognizer("runs/tuned", window=60)
    >>> for frame in camera:  # (J, 3) or (P, J, 3), in meters
    ...     found = online.update(frame)
    ...     print("nobody" if found is None else found.label)

    Args:
        model: model directory, the run that made it, ``hub://owner/name``, or the loaded model itself.
        window: frames that it looks back on: as many as an action takes.
        device: where to compute, for example "cuda"; None: where the model is, the CPU for one that is read.
        as_is: take coordinates as they are, whatever their unit and up axis seem to be.

    Raises:
        CheckpointError: if there is no model, or it is one without classes.
        ConfigError: for a window of no frame.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | RecognitionModel,
        *,
        window: int = 60,
        device: str | None = None,
        as_is: bool = False,
    ):
        super().__init__(model, device=device)
        if window < 1:
            raise ConfigError(f"a window has at least one frame, got {window}")
        self._as_is = as_is
        self._frames: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=window)
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a recording."""
        self._frames.clear()
        self.frames = 0
        """Frames of the recording so far."""
        self._notes: tuple[str, ...] = ()

    def update(self, frame: np.ndarray, valid: np.ndarray | None = None) -> Recognition | None:
        """The action of the last frames, this one included; None where they show nobody.

        Its notes are those that the frame before did not have.

        Args:
            frame: (J, C), or (P, J, C) with P as in the first frame and every body in its own slot; joints of
                the model's layout.
            valid: (J,) or (P, J) bool, True where the joint was seen; default: what is not NaN.

        Raises:
            DataError: if the frame is malformed, not finite or absurdly large, or has another number of
                bodies: it is as if it had not been there, and the next one goes on. Also if the window shows
                too few of the model's joints, or bodies of another size, which no unit explains.
            LayoutError: if its joints or dimensions are not the model's.
        """
        persons = len(self._frames[0][0]) if self._frames else None
        given = self.one_frame(frame, valid, self.frames, persons)
        self._frames.append((given.positions[0].copy(), given.valid[0].copy()))
        self.frames += 1
        positions, valid = (np.stack(parts) for parts in zip(*self._frames, strict=True))
        if not valid.any():
            return None
        window = replace(given, positions=positions, valid=valid, fps=self.model.card.fps)
        found = self.recognize([self.recording(window, as_is=self._as_is)])[0]
        new = tuple(note for note in found.notes if note not in self._notes)
        self._notes = found.notes
        return replace(found, notes=new)


class Beginnings(ModelInputs):
    """The first frames of every recording of a data set, at least one.

    Args:
        whole: the data set.
        share: of each recording's frames.
    """

    def __init__(self, whole: ModelInputs, share: float):
        self.whole, self.origin = whole, whole.origin
        self.layout, self.settings = whole.layout, whole.settings
        self.frames = np.maximum(np.ceil(share * whole.frames).astype(np.int64), 1)
        self.persons = whole.persons

    def name(self, i: int) -> str:
        return self.whole.name(i)

    def arrays(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        positions, valid = self.whole.arrays(i)
        return positions[: self.frames[i]], valid[: self.frames[i]]


def early_accuracy(model: RecognitionModel, whole: ModelInputs, labels: np.ndarray) -> dict[str, float]:
    """Top-1 accuracy in percent after 10%, 20%, ... of each recording, by "10", "20", ....

    Args:
        labels: (N,) index of the true class among the model's.

    >>> early_accuracy(model, dataset, dataset.labels)["50"]
    71.3
    """
    return {
        f"{100 * share:.0f}": round(
            100 * float((predict(model, Beginnings(whole, share)).argmax(1) == labels).mean()), 2
        )
        for share in SHARES
    }
