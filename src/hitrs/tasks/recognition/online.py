"""Recognition while a recording goes on, in a sliding window."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np

from hitrs.data.recording import Recording
from hitrs.errors import ConfigError
from hitrs.tasks.deployed import Answering, one_frame, stated_space
from hitrs.tasks.inputs import Joints
from hitrs.tasks.recognition.recognizer import Recognition, Recognizer


class OnlineRecognizer(Recognizer):
    """A recognizer for one recording that goes on: after every frame the action of the last ones.

    Its memory is bounded by its window. A frame costs as much as recognizing a recording of that length.

    >>> online = hitrs.OnlineRecognizer("runs/tuned", window=60)
    >>> for frame in camera:  # (J, 3) or (P, J, 3), in meters
    ...     found = online.update(frame)
    ...     print("nobody" if found is None else found.label)

    Args:
        model: model directory, the run that made it, ``hub://owner/name``, an exported file (``*.onnx``), or
            the loaded model itself.
        window: frames that it looks back on: as many as an action takes.
        device: where a PyTorch model computes, for example "cuda"; None: where it is, the CPU for one that is
            read.
        layout: of the frames, if it is not the model's: a Layout, its name, a layout file, or a list of the
            names of its joints.
        unit: "meters", "centimeters" or "millimeters", where that is known; None: as bodies suggest.
        up: the axis that points up, "y", "-y", "z", ..., where that is known; None: as bodies suggest.
        as_is: take coordinates as they are, whatever their unit and up axis seem to be.

    Raises:
        CheckpointError: if there is no model, or it is one without classes.
        ConfigError: for a window of no frame, or a unit or axis that does not exist.
        LayoutError: if there is no such layout, or it has nothing in common with the model's.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Answering,
        *,
        window: int = 60,
        device: str | None = None,
        layout: Joints | None = None,
        unit: str | None = None,
        up: str | None = None,
        as_is: bool = False,
    ):
        super().__init__(model, device=device)
        if window < 1:
            raise ConfigError(f"a window has at least one frame, got {window}")
        stated_space(unit, up, as_is)
        self._reading: dict[str, Any] = {"unit": unit, "up": up, "as_is": as_is}
        self._given = self.frames_layout(layout)
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
                the model's layout unless another one was named.
            valid: (J,) or (P, J) bool, True where the joint was seen; default: what is not NaN.

        Raises:
            DataError: if the frame is malformed, not finite or absurdly large, or has another number of
                bodies: it is as if it had not been there, and the next one goes on. Also if the window shows
                too few of the model's joints, or bodies of another size, which no unit explains.
            LayoutError: if its joints or dimensions are not the layout's.
        """
        self.add(frame, valid)
        return self.answer()

    def add(self, frame: np.ndarray, valid: np.ndarray | None = None) -> None:
        """The next frame without an answer, which costs next to nothing; otherwise as ``update``."""
        persons = len(self._frames[0][0]) if self._frames else None
        given = one_frame(frame, valid, self._given, self.frames, persons)
        self._frames.append((given.positions[0].copy(), given.valid[0].copy()))
        self.frames += 1

    def answer(self) -> Recognition | None:
        """The action of the last frames that were added, as ``update`` gives it."""
        if not self._frames:
            return None
        positions, valid = (np.stack(parts) for parts in zip(*self._frames, strict=True))
        if not valid.any():
            return None
        name = f"frame {self.frames - 1}"
        window = Recording(positions, valid, self._given, name, fps=self.card.fps)
        found = self.recognize([self.recording(window, **self._reading)])[0]
        new = tuple(note for note in found.notes if note not in self._notes)
        self._notes = found.notes
        return replace(found, notes=new)
