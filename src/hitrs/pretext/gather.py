"""Targets of all processes, for contrastive losses."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def gather_targets(targets: Tensor) -> tuple[Tensor, int]:
    """Targets (Q, D) of all processes joined, and where this process's own begin. No gradient flows through.

    Processes may hold different numbers of targets; each must call this once per step.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return targets, 0
    rank, world = dist.get_rank(), dist.get_world_size()
    counts = [torch.zeros(1, dtype=torch.int64, device=targets.device) for _ in range(world)]
    dist.all_gather(counts, torch.tensor([len(targets)], device=targets.device))
    sizes = [int(c) for c in counts]
    padded = torch.nn.functional.pad(targets, (0, 0, 0, max(sizes) - len(targets))).contiguous()
    parts = [torch.empty_like(padded) for _ in range(world)]
    dist.all_gather(parts, padded)
    return torch.cat([p[:n] for p, n in zip(parts, sizes, strict=True)]), sum(sizes[:rank])
