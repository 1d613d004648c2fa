"""Size and behavior of the encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hitrs.errors import ConfigError, check_literals

CheckpointedLevels = Literal["none", "frames", "all"]
"""Levels whose layers keep their input only and run again in the backward pass: none, F-TRS, or all three."""


@dataclass(frozen=True)
class ModelConfig:
    """Size and behavior of the hierarchical encoder. The defaults are the paper configuration."""

    width: int = 128
    """D: features per joint; clips have 2 D, videos 4 D."""
    heads: int = 8
    """Attention heads at every level."""
    head_width: int = 64
    """Width of one attention head, at every level."""
    layers: int = 3
    """Transformer layers at each of the three levels."""
    dropout: float = 0.2
    """Dropout on the two residual branches of every layer."""
    window: int = 7
    """W: frames (or tubelets) per clip; odd where clips are centered on frames."""
    stride: int = 7
    """Frames (or tubelets) from the start of one clip to the start of the next."""
    dilation: int = 2
    """Frames (or tubelets) from one frame of a clip to the next."""
    padded: bool = True
    """Pad a body with half a window of empty frames on each side, so that the first clip is centered on its
    first frame; False: the first clip begins there."""
    frame_drop: float = 0.0
    """Share of the frames of every clip that training leaves out, at random, before F-TRS; needs clips that
    stand side by side (padded false, stride = window, dilation 1)."""
    joint_embedding: Literal["index", "descriptor"] = "index"
    """How joints are told apart: index, an embedding learned for each place of the layout; descriptor, one
    computed from what the joint is (``hitrs.skeleton.descriptors``): the weights then run on any layout."""
    max_clips: int = 200
    """Clips that the video level sees at once; longer recordings are cut into overlapping chunks."""
    mode: Literal["default", "paper"] = "default"
    """paper: absent bodies, unseen joints and padding are zeros that take part; default: they are masked."""

    def __post_init__(self) -> None:
        check_literals(self)
        for name in ("width", "heads", "head_width", "layers", "window", "stride", "dilation"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name} must be at least 1, got {getattr(self, name)}")
        if self.padded and self.window % 2 == 0:
            raise ConfigError(
                f"model.window must be odd (a clip is centered on a frame) unless model.padded is false, got "
                f"{self.window}"
            )
        if not 0 <= self.frame_drop < 1:
            raise ConfigError(f"model.frame_drop must lie in [0, 1), got {self.frame_drop}")
        if self.frame_drop and not self.side_by_side:
            raise ConfigError(
                "model.frame_drop needs clips that stand side by side: model.padded false, model.dilation 1 "
                "and model.stride = model.window"
            )
        if self.width % 4:
            raise ConfigError(
                f"model.width must be a multiple of 4 (sinusoidal position embeddings), got {self.width}"
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"model.dropout must lie in [0, 1), got {self.dropout}")
        if self.max_clips < 2:
            raise ConfigError(f"model.max_clips must be at least 2, got {self.max_clips}")

    @property
    def padding(self) -> int:
        """Frames added on each side of a body."""
        return (self.window // 2) * self.dilation if self.padded else 0

    def numbers(self, joints: int) -> int:
        """About how many an encoder of this size consists of: its matrices and position embeddings."""
        attention = 4 * self.heads * self.head_width * (1 + 2 + 4) * self.width
        feed_forward = 2 * (1 + 2 + 8) * self.width**2
        positions = (joints + 2 * joints * self.window + 4 * self.max_clips) * self.width
        return self.layers * (attention + feed_forward) + positions + 10 * self.width**2

    @property
    def side_by_side(self) -> bool:
        """Whether every frame stands in one clip, n W + w being place w of clip n."""
        return not self.padded and self.dilation == 1 and self.stride == self.window
