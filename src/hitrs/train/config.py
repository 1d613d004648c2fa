"""Everything that a run can be told, in one typed tree; the YAML files in ``hitrs/configs`` fill it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hitrs.errors import ConfigError
from hitrs.models.config import ModelConfig
from hitrs.pretext.objective import PretextConfig
from hitrs.train.optimizer import OptimConfig
from hitrs.transforms.augment import AugmentConfig
from hitrs.transforms.preprocess import Preprocessing


@dataclass(frozen=True)
class RecognitionConfig(OptimConfig):
    """Training a recognizer. The defaults are the paper's fine-tuning, its 70 epochs in updates of NTU-60."""

    steps: int = 22_000
    batch_size: int = 32
    warmup: int = 0
    schedule: Literal["linear", "cosine", "halving", "constant"] = "halving"
    label_smoothing: float = 0.0
    """Share of the target spread over all classes."""
    encoder_lr: float = 1.0
    """Learning rate of a pre-trained encoder as a multiple of lr; the classifier always has lr."""
    test_views: int = 1
    """Turned copies of each recording whose scores are averaged when a recognizer is evaluated."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.test_views < 1 or not 0 <= self.label_smoothing < 1 or self.encoder_lr < 0:
            raise ConfigError(
                "finetune: test_views must be at least 1, label_smoothing in [0, 1), encoder_lr not negative"
            )


@dataclass(frozen=True)
class DetectionConfig(OptimConfig):
    """Training a detector of actions in untrimmed recordings."""

    steps: int = 400
    batch_size: int = 4
    accumulate: int = 1
    lr: float = 1e-3
    warmup: int = 20
    schedule: Literal["linear", "cosine", "halving", "constant"] = "cosine"
    weight_decay: float = 0.05
    context: Literal["video", "window"] = "video"
    """video: V-TRS and temporal layers look around a frame; window: the frame and its clip alone."""
    stride: int = 7
    """Frames from one clip to the next."""
    causal: bool = False
    """Look at past frames only, so that the detector can run online."""
    hidden: int = 64
    """Width of the head."""
    layers: int = 8
    """Temporal layers of the head; layer k looks 2^k frames to each side."""
    frames: int = 256
    """Length of the stretches that training sees."""
    frozen: bool = False
    """Whether the encoder keeps its weights."""
    encoder_lr: float = 1.0
    """Learning rate of a pre-trained encoder as a multiple of lr; the head always has lr."""
    balance: float = 0.5
    """Weight of a class: its share of the frames to the power of minus this; 0: background dominates."""
    smoothness: float = 0.15
    """Weight of the loss on jumps of the log-probabilities from one frame to the next."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.stride, self.hidden, self.frames) < 1 or self.layers < 0:
            raise ConfigError("detect: stride, hidden and frames must be at least 1, layers not negative")
        if self.balance < 0 or self.smoothness < 0 or self.encoder_lr < 0:
            raise ConfigError("detect: balance, smoothness and encoder_lr must not be negative")


@dataclass(frozen=True)
class ProbeConfig:
    """Reading frozen features."""

    neighbors: int = 1
    """k of the nearest-neighbour probe."""
    strength: float = 0.01
    """Inverse regularization (scikit-learn's C) of the linear probe."""
    train_views: int = 1
    """Copies of each training recording that the linear probe sees: itself, and augmented ones."""


@dataclass(frozen=True)
class Config:
    """A whole configuration. The defaults are the paper's."""

    model: ModelConfig = field(default_factory=ModelConfig)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    pretext: PretextConfig = field(default_factory=PretextConfig)
    pretrain: OptimConfig = field(default_factory=OptimConfig)
    finetune: RecognitionConfig = field(default_factory=RecognitionConfig)
    detect: DetectionConfig = field(default_factory=DetectionConfig)
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    min_frames: int = 1
    """Shorter bodies take no part in pre-training (the authors: 19)."""
    max_frames: int = 300
    """Longer recordings are cropped at random in training."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_frames <= self.max_frames:
            raise ConfigError(
                f"min_frames must lie between 1 and max_frames, got {self.min_frames} and {self.max_frames}"
            )
