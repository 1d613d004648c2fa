"""Running measurements: each in a process of its own, ours and the plain one in turns, along a curve."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from hitrs.bench.case import RATIOS, Case, Quantity, changed_case
from hitrs.bench.measurement import Measurement, gemm_rates
from hitrs.errors import HitrsError
from hitrs.process import arrange

MEASURES = {
    "train": "hitrs.bench.training:measure",
    "recognize": "hitrs.bench.recognition:measure",
    "stream": "hitrs.bench.streaming:measure",
    "import": "hitrs.bench.data:measure_import",
    "loader": "hitrs.bench.data:measure_loader",
}
"""What measures each kind of case, as "module:function"."""


def measure_rounds(
    case: Case, *, rounds: int = 3, reference: bool = False, report: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure a case ``rounds`` times, with ``reference`` each time paired with the plain computation.

    Args:
        report: called with a line about each measurement.
    Returns:
        medians over the rounds of what :meth:`Measurement.to_dict` names. With ``reference`` also those of
        the plain computation under ``reference``, and the medians of the pairs' ratios, plain over ours:
        ``speedup``, ``cpu_speedup`` and ``memory_ratio``, all of them under the plural of the name.
    """
    ours, plain = [], []
    for number in range(rounds):
        ours.append(measure(case).to_dict())
        report(f"round {number + 1}: {ours[-1]['milliseconds_p50']:.1f} ms")
        if reference:
            plain.append(measure(dataclasses.replace(case, side="plain", precision="fp32")).to_dict())
            report(f"round {number + 1}, plain: {plain[-1]['milliseconds_p50']:.1f} ms")
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
    return _in_new_process(_measure_here, case)


def measure_curve(
    case: Case,
    quantity: Quantity,
    values: Sequence[int],
    *,
    rounds: int = 3,
    reference: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """The case at each value of the quantity: what :func:`measure_rounds` returns, and the value.

    The plain computation has position embeddings for ``max_clips`` clips, so longer recordings are
    measured without it.
    """
    points = []
    for value in values:
        report(f"{quantity} {value}")
        here = changed_case(case, quantity, value)
        model = here.config.model
        fits = here.frames <= model.max_clips * model.stride
        points.append(
            {quantity: value}
            | measure_rounds(here, rounds=rounds, reference=reference and fits, report=report)
        )
    return points


def machine_rates(threads: int | None) -> dict[str, float]:
    """See :func:`hitrs.bench.measurement.gemm_rates`, in a fresh process."""
    return _in_new_process(_rates_here, threads)


def _measure_here(case: Case) -> Measurement:
    _prepare(case.threads)
    module, function = MEASURES[case.what].split(":")
    measurement: Measurement = getattr(import_module(module), function)(case)
    return measurement


def _rates_here(threads: int | None) -> dict[str, float]:
    _prepare(threads)
    return gemm_rates()


def _prepare(threads: int | None) -> None:
    arrange()
    if threads is not None:
        torch.set_num_threads(threads)


def _in_new_process(function: Callable[[Any], Any], argument: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(function, argument).result()
        except BrokenProcessPool:
            raise HitrsError(
                "the process that measured was killed; if memory ran out, take a smaller --batch-size"
            ) from None


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.median([figures[name] for figures in rounds])) for name in rounds[0]}
