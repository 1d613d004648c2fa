"""How cost grows with one quantity."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

from hitrs.bench.case import Case
from hitrs.bench.compare import run

Quantity = Literal["frames", "joints", "persons", "batch", "width"]

CURVES: dict[Quantity, tuple[int, ...]] = {
    "frames": (50, 100, 200, 400, 800, 1600, 3000),
    "joints": (5, 10, 17, 25, 50, 75),
    "persons": (1, 2, 3, 4, 6, 8),
    "batch": (1, 2, 4, 8, 16, 32),
    "width": (16, 32, 64, 96, 128, 192, 256),
}
"""Values at which each quantity is measured unless others are given."""


def measure_curve(
    case: Case,
    quantity: Quantity,
    values: Sequence[int],
    *,
    rounds: int = 3,
    reference: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """The case at each value of the quantity: what :func:`hitrs.bench.compare.run` returns, and the value.

    The plain computation has codes for ``max_clips`` clips, so longer recordings are measured without it.
    """
    points = []
    for value in values:
        tell(f"{quantity} {value}")
        here = at(case, quantity, value)
        model = here.config.model
        fits = here.frames <= model.max_clips * model.stride
        points.append({quantity: value} | run(here, rounds=rounds, reference=reference and fits, tell=tell))
    return points


def at(case: Case, quantity: Quantity, value: int) -> Case:
    """The case with another value of one quantity; ``width`` is the model's D."""
    if quantity == "width":
        model = dataclasses.replace(case.config.model, width=value)
        return dataclasses.replace(case, config=dataclasses.replace(case.config, model=model))
    change: dict[str, Any] = {"batch_size" if quantity == "batch" else quantity: value}
    return dataclasses.replace(case, **change)
