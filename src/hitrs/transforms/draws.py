"""Random numbers that do not depend on the device."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(shape: torch.Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """Uniform numbers in [0, 1), drawn where the generator lives and then moved to ``device``.

    A generator draws on its own device only; the loop's is on the CPU, so that all devices see the same.
    """
    return torch.rand(shape, generator=generator, device=generator.device).to(device)
