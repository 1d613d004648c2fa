"""Dropout whose mask costs little on the CPU.

One 64-bit draw decides eight elements: an element is dropped if its byte is below ``round(256 p)``. The rate
is thus a multiple of 1/256 (0.2 becomes 51/256 = 0.1992) and the kept elements are scaled by exactly that
rate's complement, so the expectation is right.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropoutAdd(nn.Module):
    """``onto + Dropout(x)``, the end of a residual branch: (any shape), (same shape) -> (same shape).

    In training mode elements of x are dropped with probability ``p``.
    """

    def __init__(self, p: float):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {p}")
        self.threshold = min(round(256 * p), 255)

    def extra_repr(self) -> str:
        return f"p={self.threshold / 256:.4f}"

    def forward(self, x: Tensor, onto: Tensor) -> Tensor:
        if not self.training or self.threshold == 0:
            return onto + x
        if x.device.type != "cpu":
            return onto + nn.functional.dropout(x, self.threshold / 256)
        draws = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = draws.view(torch.uint8)[: x.numel()].view(x.shape) >= self.threshold
        return torch.addcmul(onto, x, keep.to(x.dtype), value=256 / (256 - self.threshold))
