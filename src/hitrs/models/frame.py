"""F-TRS, the frame level: the joints of one frame attend to each other."""

from __future__ import annotations

from torch import Tensor, nn

from hitrs.models.attention import key_bias
from hitrs.models.codes import sinusoid
from hitrs.models.config import ModelConfig
from hitrs.models.layer import TransformerStack


class FrameEncoder(nn.Module):
    """Joint coordinates to joint features (Hi-TRS): width D, one position code per joint."""

    def __init__(self, config: ModelConfig, joints: int, coords: int):
        super().__init__()
        width = config.width
        self.embed = nn.Sequential(nn.Linear(coords, width), nn.GELU(), nn.LayerNorm(width, eps=1e-5))
        self.code = nn.Parameter(sinusoid(joints, width))
        self.stack = TransformerStack(
            config.layers, width, width, config.heads, config.head_width, config.dropout
        )

    def forward(self, positions: Tensor, valid: Tensor | None = None) -> Tensor:
        """Features of packed frames.

        Args:
            positions: (M, J, C), any coordinates where ``valid`` is False.
            valid: (M, J), True for joints that were seen, at least one per frame; None if all are.
        Returns:
            (M, J, D); rows of joints that are not valid hold no meaning.
        """
        bias = None
        if valid is not None and not bool(valid.all()):
            positions = positions.masked_fill(
                ~valid[..., None], 0.0
            )  # whatever stands there must not even overflow
            bias = key_bias(valid)
        x = self.embed(positions)
        return self.stack(x + self.code.to(x.dtype), bias)
