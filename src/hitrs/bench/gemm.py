"""How fast this machine multiplies matrices: a yardstick beside every figure."""

from __future__ import annotations

import torch

from hitrs.bench.case import device, time_steps

SHAPE = (4096, 1024, 4096)
"""Rows, inner width and columns of the product."""


def gemm_rates(seconds: float = 0.5) -> dict[str, float]:
    """GFLOP/s of one large matrix product in float32 and in bfloat16."""
    rows, inner, columns = SHAPE
    rates = {}
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a = torch.randn(rows, inner, device=device(), dtype=kind)
        b = torch.randn(inner, columns, device=device(), dtype=kind)
        taken = min(step.wall for step in time_steps(lambda a=a, b=b: a @ b, seconds))  # type: ignore[misc]
        rates[f"gemm_{name}_gflops"] = 2 * rows * inner * columns / taken / 1e9
    return rates
