"""One thing to measure, and what was measured."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from hitrs.errors import ConfigError
from hitrs.train.config import Config

What = Literal["train", "recognize", "stream", "import", "loader"]
Side = Literal["ours", "plain"]


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
    precision: Literal["no", "bf16"] = "no"
    data: str | None = None
    """A store to train on or load from, or a folder to import, instead of random numbers."""
    recordings: int = 400
    """How many to import or load, where made up."""
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


class Step(NamedTuple):
    """Seconds that a step took."""

    wall: float
    cpu: float
    """Of all threads; on a machine with other work this says more than the wall's clock."""


@dataclass(frozen=True)
class Measurement:
    """Time and memory of a case."""

    steps: tuple[Step, ...]
    sequences: float
    """Sequences (recordings, bodies or files) that a step does, on average."""
    peak_memory_bytes: int
    """Largest resident memory of the process, interpreter and libraries included; on a GPU: of its memory."""
    flops: float | None = None
    """Floating-point operations of matrix products of a step, where they were counted."""

    def to_dict(self) -> dict[str, float]:
        """Medians and percentiles, by the names that ``hitrs bench --json`` prints."""
        wall, cpu = np.array(self.steps).T
        median = float(np.median(wall))
        counted = {} if self.flops is None else {"gflop_per_sequence": self.flops / self.sequences / 1e9}
        return {
            "sequences_per_second": self.sequences / median,
            "seconds_per_step": median,
            "milliseconds_p50": 1000 * median,
            "milliseconds_p99": 1000 * float(np.percentile(wall, 99)),
            "peak_memory_bytes": self.peak_memory_bytes,
            "cpu_seconds_per_step": float(np.median(cpu)),
            "steps": len(wall),
            **counted,
        }


def time_steps(step: Callable[[], object], seconds: float, least: int = 2) -> list[Step]:
    """Times of each call for about ``seconds`` in all, at least ``least`` calls after one to warm up."""
    step()
    _wait()
    taken: list[Step] = []
    while len(taken) < least or sum(wall for wall, _ in taken) < seconds:
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        _wait()
        taken.append(Step(time.perf_counter() - wall, time.process_time() - cpu))
    return taken


def count_flops(step: Callable[[], object]) -> float:
    """Operations of the matrix products (forward, backward, attention) in a call."""
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def peak_memory() -> int:
    """Largest memory so far in bytes: of the GPU if there is one, else resident memory of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.is_file():  # unlike getrusage's it does not go back to the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        import psutil  # accelerate brings it

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def device() -> torch.device:
    """Where models compute, as in training: the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
