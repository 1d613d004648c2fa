"""The detected segments of a recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hitrs.tasks.detection.segments import Proposal
from hitrs.tasks.inputs import JointsSeen

COLUMNS = ("name", "label", "start", "stop", "start_seconds", "stop_seconds", "score")


@dataclass(frozen=True)
class Detection:
    """The detected segments of one recording, and the probabilities that they were made of."""

    name: str
    """Name of the recording."""
    frames: int
    """Its length."""
    fps: float | None
    """Frames per second, None where unknown."""
    proposals: tuple[Proposal, ...]
    classes: tuple[str, ...]
    """Names of the labels."""
    probabilities: np.ndarray | None = field(default=None, repr=False, compare=False)
    """(T, K + 1) of the frames, background last; None where only segments were read."""
    joints: JointsSeen | None = None
    """How many of the model's joints the recording has, and shows; None where only segments were read."""
    notes: tuple[str, ...] = ()
    """What its reader left out or changed, and what was converted."""

    def rows(self) -> list[dict[str, Any]]:
        """One dict per segment with the keys of ``COLUMNS``; seconds are None where the rate is unknown."""
        return [
            {
                "name": self.name,
                "label": self.classes[proposal.label],
                "start": proposal.start,
                "stop": proposal.stop,
                "start_seconds": self._seconds(proposal.start),
                "stop_seconds": self._seconds(proposal.stop),
                "score": proposal.score,
            }
            for proposal in self.proposals
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON values: name, length, frame rate, the segments, joints and notes."""
        segments = [{key: row[key] for key in COLUMNS[1:]} for row in self.rows()]
        joints = None if self.joints is None else self.joints.to_dict()
        facts = {"name": self.name, "frames": self.frames, "fps": self.fps}
        return {**facts, "segments": segments, "joints": joints, "notes": list(self.notes)}

    def _seconds(self, frame: int) -> float | None:
        return None if self.fps is None else round(frame / self.fps, 4)
