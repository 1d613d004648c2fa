"""The up axis: turned to y, which is what the models' preprocessing takes for up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hitrs.data.cleaning.operation import Change
from hitrs.data.recording import Recording
from hitrs.errors import ConfigError, DataError

# Turns by a quarter or half around one axis. Their determinant is 1: left stays left, nothing is mirrored.
TURNS = {
    "x": np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32),
    "-x": np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], np.float32),
    "-y": np.array([[-1, 0, 0], [0, -1, 0], [0, 0, 1]], np.float32),
    "z": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32),
    "-z": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32),
}
"""The axis that points up -> (3, 3) rotation that makes it y."""


@dataclass(frozen=True)
class TurnUp:
    """Turns recordings in which ``axis`` points up so that y does."""

    name: ClassVar[str] = "up"
    axis: str

    def __post_init__(self) -> None:
        if self.axis not in TURNS:
            raise ConfigError(f"'{self.axis}' is no axis to turn to y; known: {', '.join(TURNS)}.")

    def __call__(self, recording: Recording) -> Change:
        if recording.layout.dims != 3:
            raise DataError(
                f"'{recording.name}' is 2-D: y of an image points down, there is nothing to turn."
            )
        turned = recording.positions @ TURNS[self.axis].T
        note = f"turned from {self.axis} up to y up"
        return Change(replace(recording, positions=turned), int(recording.valid.sum()), note)
