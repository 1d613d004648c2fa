"""Spikes: single joints that leave the body for a frame or two count as not seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from hitrs.data.cleaning.operation import Change
from hitrs.data.inspection.measures import body_size
from hitrs.data.inspection.motion import SPIKE, find_spikes
from hitrs.data.recording import Recording
from hitrs.errors import ConfigError


@dataclass(frozen=True)
class RejectSpikes:
    """Marks a joint as not seen that stands farther than ``factor`` sizes of the body from its median over
    the five frames around (see ``inspection.motion.find_spikes``). Where a whole pose is wrong for a frame or
    two, these are most of its joints. ``FillGaps`` can then fill the gap.
    """

    name: ClassVar[str] = "spikes"
    factor: float = SPIKE

    def __post_init__(self) -> None:
        if not self.factor > 0:
            raise ConfigError(f"a limit for spikes of {self.factor} body sizes makes no sense; try {SPIKE}.")

    def __call__(self, recording: Recording) -> Change:
        positions, valid = recording.positions, recording.valid
        spikes = find_spikes(positions, valid, body_size(positions, valid), self.factor)
        if not spikes.any():
            return Change(recording)
        count = int(spikes.sum())
        note = f"{count} joints taken out as spikes"
        return Change(replace(recording, valid=valid & ~spikes), count, note)
