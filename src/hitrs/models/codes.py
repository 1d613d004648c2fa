"""Position codes: learned, starting as sinusoids (base 10000, sine on even channels, cosine on odd)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoid(count: int, width: int) -> Tensor:
    """1-D codes, (count, width)."""
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10000.0) / width))
    angle = torch.arange(count, dtype=torch.float64)[:, None] * rate
    code = torch.zeros(count, width, dtype=torch.float64)
    code[:, 0::2] = angle.sin()
    code[:, 1::2] = angle.cos()
    return code.float()


def sinusoid_2d(frames: int, joints: int, width: int) -> Tensor:
    """2-D codes, (frames, joints, width): joint in the first half of the channels, frame in the second."""
    half = width // 2
    joint = sinusoid(joints, half)[None].expand(frames, -1, -1)
    frame = sinusoid(frames, half)[:, None].expand(-1, joints, -1)
    return torch.cat([joint, frame], dim=-1).contiguous()
