"""Running measurements: each in a process of its own, ours and the plain one in turns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from hitrs.bench.case import Case, Measurement
from hitrs.bench.gemm import gemm_rates
from hitrs.errors import HitrsError
from hitrs.memory import arrange_memory

MODULES = {
    "train": "hitrs.bench.training",
    "recognize": "hitrs.bench.recognition",
    "stream": "hitrs.bench.streaming",
    "import": "hitrs.bench.importing",
    "loader": "hitrs.bench.loader",
}
RATIOS = {
    "speedup": "seconds_per_step",
    "cpu_speedup": "cpu_seconds_per_step",
    "memory_ratio": "peak_memory_bytes",
}
"""Which figures are compared, plain over ours, under which name."""


def run(
    case: Case, *, rounds: int = 3, reference: bool = False, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure a case ``rounds`` times, with ``reference`` each time paired with the plain computation.

    Args:
        tell: called with a line about each measurement.
    Returns:
        medians over the rounds of what :meth:`Measurement.to_dict` names. With ``reference`` also those of
        the plain computation under ``reference``, and the medians of the pairs' ratios, plain over ours:
        ``speedup``, ``cpu_speedup`` and ``memory_ratio``, all of them under the plural of the name.
    """
    ours, plain = [], []
    for number in range(rounds):
        ours.append(measure(case).to_dict())
        tell(f"round {number + 1}: {ours[-1]['milliseconds_p50']:.1f} ms")
        if reference:
            plain.append(measure(dataclasses.replace(case, side="plain", precision="no")).to_dict())
            tell(f"round {number + 1}, plain: {plain[-1]['milliseconds_p50']:.1f} ms")
    result: dict[str, Any] = _medians(ours)
    if reference:
        result["reference"] = _medians(plain)
        for name, key in RATIOS.items():
            ratios = [b[key] / a[key] for a, b in zip(ours, plain, strict=True)]
            result |= {name: float(np.median(ratios)), f"{name}s": ratios}
    return result


def measure(case: Case) -> Measurement:
    """One measurement in a fresh process.

    Raises:
        HitrsError: if the process was killed, which systems do when memory runs out.
    """
    return _apart(_measure_here, case)


def machine_rates(threads: int | None) -> dict[str, float]:
    """See :func:`hitrs.bench.gemm.gemm_rates`."""
    return _apart(_rates_here, threads)


def _measure_here(case: Case) -> Measurement:
    _use(case.threads)
    found: Measurement = import_module(MODULES[case.what]).measure(case)
    return found


def _rates_here(threads: int | None) -> dict[str, float]:
    _use(threads)
    return gemm_rates()


def _use(threads: int | None) -> None:
    arrange_memory()
    if threads is not None:
        torch.set_num_threads(threads)


def _apart(function: Callable[[Any], Any], argument: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(function, argument).result()
        except BrokenProcessPool:
            raise HitrsError(
                "the process that measured was killed; if memory ran out, take a smaller --batch-size"
            ) from None


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.median([found[name] for found in rounds])) for name in rounds[0]}
