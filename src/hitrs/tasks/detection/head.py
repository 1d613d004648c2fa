"""The temporal head of a detector: dilated convolutions over frames, as in temporal convolution networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KERNEL = 3


class TemporalHead(nn.Module):
    """Features of frames to scores; layer k looks 2^k frames back and, unless causal, ahead.

    Args:
        width: H of the features.
        classes: scores, background included.
        layers: dilated layers; 0: every frame for itself.
        causal: look back only.
        dropout: in every layer.
    """

    def __init__(self, width: int, classes: int, layers: int, causal: bool, dropout: float):
        super().__init__()
        self.causal = causal
        self.norm = nn.LayerNorm(width)
        self.mixers = nn.ModuleList(
            nn.Conv1d(width, width, KERNEL, dilation=2**depth) for depth in range(layers)
        )
        self.maps = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, classes)

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        """(B, T, H) -> (B, T, classes); ``inside`` (B, T): True for frames of the recording, not padding."""
        inside = inside[..., None].to(x.dtype)
        x = F.gelu(self.norm(x)) * inside
        for depth, (mixer, linear) in enumerate(zip(self.mixers, self.maps, strict=True)):
            span = (KERNEL - 1) * 2**depth
            sides = (span, 0) if self.causal else (span // 2, span // 2)
            mixed = mixer(F.pad(x.transpose(1, 2), sides)).transpose(1, 2)
            x = (x + self.dropout(linear(F.gelu(mixed)))) * inside
        return self.out(x)

    def memory(self) -> list[Tensor]:
        """What :meth:`step` remembers before the first frame: for each layer the inputs it looks back on."""
        width = self.out.in_features
        return [
            self.out.weight.new_zeros((KERNEL - 1) * 2**depth, width) for depth in range(len(self.mixers))
        ]

    def step(self, x: Tensor, memory: list[Tensor], time: int) -> Tensor:
        """Frame ``time`` of a recording, (H,) -> (classes,), as ``forward`` of a causal head on all frames.

        Args:
            memory: from :meth:`memory`; changed in place. Frame t stands at t modulo the length.
        """
        x = F.gelu(self.norm(x))
        for mixer, linear, past in zip(self.mixers, self.maps, memory, strict=True):
            assert isinstance(mixer, nn.Conv1d)
            span, oldest = len(past), time % len(past)
            taps = torch.stack([past[oldest], past[(time + span // 2) % span], x], dim=1)  # (H, 3)
            past[oldest] = x
            mixed = F.linear(taps.flatten(), mixer.weight.flatten(1), mixer.bias)
            x = x + self.dropout(linear(F.gelu(mixed)))
        return self.out(x)
