"""Settings of action detection. No torch here: ``--help`` reads this module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hitrs.errors import ConfigError, check_literals
from hitrs.training.config import FinetuneOptimConfig


@dataclass(frozen=True)
class DetectionHeadConfig:
    """Shape of a detector behind the encoder; saved with the model."""

    context: Literal["video", "window"] = "video"
    """video: V-TRS and temporal layers look around a frame; window: the frame and its clip alone."""
    stride: int = 7
    """Frames, or tubelets, from one clip to the next."""
    causal: bool = False
    """Look at past frames only, so that the detector can run online."""
    hidden: int = 64
    """Width of the head."""
    layers: int = 8
    """Temporal layers of the head; layer k looks 2^k frames to each side."""
    dropout: float = 0.2
    """In every temporal layer."""
    history: int = 50
    """causal: clips that the video level looks back on, the newest one included."""

    def __post_init__(self) -> None:
        check_literals(self)
        if min(self.stride, self.hidden, self.history) < 1 or not 0 <= self.layers <= 16:
            raise ConfigError(
                "detect.head: stride, hidden and history must be at least 1, layers at most 16 (each looks "
                "twice as far as the one before)"
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"detect.head.dropout must lie in [0, 1), got {self.dropout}")


@dataclass(frozen=True)
class DetectionLossConfig:
    """The loss of a detector: balanced cross-entropy of every frame, and smoothness over time."""

    balance: float = 0.5
    """Weight of a class: its share of the frames to the power of minus this; 0: background dominates."""
    smoothness: float = 0.15
    """Weight of the loss on jumps of the log-probabilities from one frame to the next."""

    def __post_init__(self) -> None:
        if self.balance < 0 or self.smoothness < 0:
            raise ConfigError("detect.loss: balance and smoothness must not be negative")


@dataclass(frozen=True)
class DetectionConfig:
    """Training a detector of actions in untrimmed recordings."""

    head: DetectionHeadConfig = DetectionHeadConfig()
    """Shape of the head."""
    optim: FinetuneOptimConfig = FinetuneOptimConfig(
        steps=400,
        batch_size=4,
        accumulation_steps=1,
        lr=1e-3,
        warmup_steps=20,
        schedule="cosine",
        weight_decay=0.05,
    )
    """How the weights are learned."""
    loss: DetectionLossConfig = DetectionLossConfig()
    """What is minimized."""
    chunk_frames: int = 256
    """Length of the chunks of recordings that training sees."""
    freeze_encoder: bool = False
    """Whether the encoder keeps its weights."""

    def __post_init__(self) -> None:
        if self.chunk_frames < 1:
            raise ConfigError(f"detect.chunk_frames must be at least 1, got {self.chunk_frames}")


CONFIG = DetectionConfig
