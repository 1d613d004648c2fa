"""Units: to meters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hitrs.data.cleaning.operation import Change
from hitrs.data.recording import Recording
from hitrs.errors import ConfigError, DataError

PER_METER = {"cm": 100.0, "mm": 1000.0}


@dataclass(frozen=True)
class ToMeters:
    """Rescales recordings that are in centimeters or millimeters to meters."""

    name: ClassVar[str] = "unit"
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in PER_METER:
            raise ConfigError(
                f"there is no unit '{self.unit}' to convert from; known: {', '.join(PER_METER)}."
            )

    def __call__(self, recording: Recording) -> Change:
        if recording.layout.dims != 3:
            raise DataError(
                f"'{recording.name}' is 2-D, in pixels; only 3-D recordings have a unit of length."
            )
        positions = (recording.positions / PER_METER[self.unit]).astype(np.float32)
        note = f"converted from {self.unit} to meters"
        return Change(replace(recording, positions=positions), int(recording.valid.sum()), note)
