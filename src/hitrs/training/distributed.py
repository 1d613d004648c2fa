"""What the tasks of several processes share: contrastive targets, and means over the global batch."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def processes() -> int:
    """Processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gather_targets(targets: Tensor) -> tuple[Tensor, int]:
    """Targets (Q, D) of all processes joined, and where this process's own begin.

    The gradient of every process's loss flows back to the process that a target comes from. Processes may
    hold different numbers of targets; each must call this once per step.
    """
    if processes() == 1:
        return targets, 0
    counts = [torch.zeros(1, dtype=torch.int64, device=targets.device) for _ in range(processes())]
    dist.all_gather(counts, torch.tensor([len(targets)], device=targets.device))
    sizes = [int(c) for c in counts]
    first = sum(sizes[: dist.get_rank()])
    return _Gather.apply(targets, sizes, first), first


def share_of_means(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Factors that make means over a process's items means over those of all processes.

    Training averages losses and gradients over the processes, each as much as any other. The mean of a
    process, times its factor, times the mean over processes, is the mean over all items.

    Args:
        counts: (K,) how many items each of K means is over.
    Returns:
        factors (K,); counts of all processes (K,).
    """
    if processes() == 1:
        return torch.ones_like(counts), counts
    total = counts.clone()
    dist.all_reduce(total)
    return counts * processes() / total.clamp(min=1), total


class _Gather(torch.autograd.Function):
    """Rows of all processes; backward, each gets the sum of all processes' gradients for its own."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: list[int], first: int) -> Tensor:
        ctx.own = slice(first, first + len(rows))
        padded = torch.nn.functional.pad(rows, (0, 0, 0, max(sizes) - len(rows))).contiguous()
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[ctx.own], None, None
