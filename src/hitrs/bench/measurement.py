"""How a case is measured: random inputs of its size, and the time, memory and operations of a step.

Inputs are random numbers, as cost does not depend on them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from hitrs.bench.case import Case
from hitrs.data.recording import Recording
from hitrs.data.store import write_store
from hitrs.skeleton.layout import Layout

GEMM_SHAPE = (4096, 1024, 4096)
"""Rows, inner width and columns of the product."""


def random_bodies(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Bodies of a random batch as sequences, all joints seen: positions (S, T, J, 3), valid, lengths (S,)."""
    count = case.batch_size * case.persons
    generator = torch.Generator().manual_seed(0)
    positions = torch.randn(count, case.frames, case.joints, 3, generator=generator)
    valid = torch.ones(positions.shape[:3], dtype=torch.bool)
    return positions, valid, torch.full((count,), case.frames, dtype=torch.int64)


def chain_layout(joints: int) -> Layout:
    """A layout of any number of joints, one behind the other."""
    names = tuple(f"joint_{j}" for j in range(joints))
    return Layout(name=f"chain{joints}", joints=names, parents=(0, *range(joints - 1)), pairs=(), center=(0,))


def random_recordings(case: Case) -> Iterator[Recording]:
    """``case.recordings`` random recordings, all joints seen, of ten actions and eight subjects."""
    layout, rng = chain_layout(case.joints), np.random.default_rng(0)
    for number in range(case.recordings):
        shape = (case.frames, case.persons, case.joints)
        yield Recording(
            positions=rng.normal(size=(*shape, 3)).astype(np.float32),
            valid=np.ones(shape, bool),
            layout=layout,
            name=f"recording-{number:06}",
            label=f"action {number % 10}",
            subject=f"person {number % 8}",
        )


def write_random_store(path: str, case: Case) -> Path:
    """A store of ``random_recordings``; its path."""
    classes = [f"action {n}" for n in range(10)]
    layout = chain_layout(case.joints)
    write_store(path, random_recordings(case), layout=layout, classes=classes, protocols={}, meta={})
    return Path(path)


class StepTime(NamedTuple):
    """Seconds that a step took."""

    wall: float
    cpu: float
    """Of all threads; on a machine with other work this says more than the wall's clock."""


@dataclass(frozen=True)
class Measurement:
    """Time and memory of a case."""

    steps: tuple[StepTime, ...]
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


def time_steps(step: Callable[[], object], seconds: float, minimum: int = 2) -> list[StepTime]:
    """Times of each call for about ``seconds`` in all, at least ``minimum`` calls after one to warm up."""
    step()
    _wait()
    times: list[StepTime] = []
    while len(times) < minimum or sum(wall for wall, _ in times) < seconds:
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        _wait()
        times.append(StepTime(time.perf_counter() - wall, time.process_time() - cpu))
    return times


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


def gemm_rates(seconds: float = 0.5) -> dict[str, float]:
    """GFLOP/s of one large matrix product in float32 and in bfloat16: how fast this machine is."""
    rows, inner, columns = GEMM_SHAPE
    rates = {}
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a = torch.randn(rows, inner, device=device(), dtype=kind)
        b = torch.randn(inner, columns, device=device(), dtype=kind)
        fastest = min(step.wall for step in time_steps(lambda a=a, b=b: a @ b, seconds))  # type: ignore[misc]
        rates[f"gemm_{name}_gflops"] = 2 * rows * inner * columns / fastest / 1e9
    return rates


def device() -> torch.device:
    """Where models compute, as in training: the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
