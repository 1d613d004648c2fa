"""What is measured: a case, and curves along which one quantity grows. No torch here: for ``--help``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from hitrs.config import Config
from hitrs.errors import ConfigError

What = Literal["train", "recognize", "stream", "import", "loader"]
Side = Literal["ours", "plain"]
Quantity = Literal["frames", "joints", "persons", "batch", "width"]
CURVES: dict[Quantity, tuple[int, ...]] = {
    "frames": (50, 100, 200, 400, 800, 1600, 3000),
    "joints": (5, 10, 17, 25, 50, 75),
    "persons": (1, 2, 3, 4, 6, 8),
    "batch": (1, 2, 4, 8, 16, 32),
    "width": (16, 32, 64, 96, 128, 192, 256),
}
"""Values at which each quantity is measured unless others are given."""
RATIOS = {
    "speedup": "seconds_per_step",
    "cpu_speedup": "cpu_seconds_per_step",
    "memory_ratio": "peak_memory_bytes",
}
"""Which figures are compared, plain over ours, under which name."""


@dataclass(frozen=True)
class Case:
    """What to measure. Recordings are random numbers of the given size unless there is data."""

    what: What
    config: Config
    side: Side = "ours"
    """ours, or the plain computation of :mod:`hitrs.bench.plain`."""
    frames: int = 80
    persons: int = 1
    joints: int = 25
    batch_size: int = 16
    """Recordings in a batch."""
    precision: Literal["fp32", "bf16"] = "fp32"
    data: str | None = None
    """A store to train on or load from, or a folder to import, instead of random numbers."""
    recordings: int = 400
    """How many to import or load, where they are random."""
    seconds: float = 8.0
    """Measure for about so long, after one step to warm up."""
    threads: int | None = None
    """Threads to compute with; the library's own number if None."""

    def __post_init__(self) -> None:
        for name in ("frames", "persons", "joints", "batch_size", "recordings"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.seconds > 0 or (self.threads is not None and self.threads < 1):
            raise ConfigError("seconds must be above 0 and threads at least 1")

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def changed_case(case: Case, quantity: Quantity, value: int) -> Case:
    """The case with another value of one quantity; ``width`` is the model's D."""
    if quantity == "width":
        model = dataclasses.replace(case.config.model, width=value)
        return dataclasses.replace(case, config=dataclasses.replace(case.config, model=model))
    change: dict[str, Any] = {"batch_size" if quantity == "batch" else quantity: value}
    return dataclasses.replace(case, **change)
