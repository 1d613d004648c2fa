"""The temporal head of a detector: dilated convolutions over frames, as in temporal convolution networks."""

from __future__ import annotations

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

    @property
    def reach(self) -> int:
        """Frames that a causal head sees, the newest included."""
        return 1 + sum((KERNEL - 1) * 2**depth for depth in range(len(self.mixers)))

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
