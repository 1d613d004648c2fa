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
class TuningConfig(OptimConfig):
    """Training an encoder together with what stands on it."""

    encoder_lr: float = 1.0
    """Learning rate of a pre-trained encoder as a multiple of lr; what stands on it always has lr."""


@dataclass(frozen=True)
class RecognitionConfig(TuningConfig):
    """Training a recognizer. The defaults are the paper's fine-tuning, its 70 epochs in updates of NTU-60."""

    steps: int = 22_000
    batch_size: int = 32
    warmup: int = 0
    schedule: Literal["linear", "cosine", "halving", "constant"] = "halving"
    label_smoothing: float = 0.0
    """Share of the target spread over all classes."""
    test_views: int = 1
    """Turned copies of each recording whose scores are averaged when a recognizer is evaluated."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.test_views < 1 or not 0 <= self.label_smoothing < 1 or self.encoder_lr < 0:
            raise ConfigError(
                "finetune: test_views must be at least 1, label_smoothing in [0, 1), encoder_lr not negative"
            )


@dataclass(frozen=True)
class DetectionConfig(TuningConfig):
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
class PredictionConfig(TuningConfig):
    """Training a predictor of motion."""

    steps: int = 2_000
    batch_size: int = 64
    accumulate: int = 1
    lr: float = 1e-3
    warmup: int = 50
    schedule: Literal["linear", "cosine", "halving", "constant"] = "cosine"
    weight_decay: float = 1e-4
    observed: int = 50
    """Frames that are seen."""
    predicted: int = 25
    """Frames that are predicted."""
    step: int = 1
    """Only every n-th frame of a recording is used; the published protocols take every 2nd."""
    context: int = 26
    """The last observed frames, which the encoder sees; 0: no encoder, the decoder works on its own."""
    width: int = 128
    """Features of a token of the decoder."""
    layers: int = 6
    """Blocks of the decoder."""
    coefficients: int = 24
    """DCT coefficients over observed and predicted frames that the decoder keeps."""
    dropout: float = 0.0
    """In the decoder's blocks."""
    velocity: float = 1.0
    """Weight of the loss on velocities beside that on positions."""
    reverse: float = 0.0
    """Probability of playing a training window backwards."""
    frozen: bool = False
    """Whether the encoder keeps its weights."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("observed", "predicted", "step", "width", "layers", "coefficients"):
            if getattr(self, name) < 1:
                raise ConfigError(f"predict.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.context <= self.observed:
            raise ConfigError(
                f"predict.context must lie between 0 and predict.observed ({self.observed}), "
                f"got {self.context}"
            )
        if not 0 <= self.reverse <= 1 or not 0 <= self.dropout < 1:
            raise ConfigError("predict.reverse must lie in [0, 1], predict.dropout in [0, 1)")
        if self.velocity < 0 or self.encoder_lr < 0:
            raise ConfigError("predict.velocity and predict.encoder_lr must not be negative")


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
    predict: PredictionConfig = field(default_factory=PredictionConfig)
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    layout: str = ""
    """Joint layout (a name or a .yaml file) that recordings are mapped to for training; empty: their own."""
    min_frames: int = 1
    """Shorter bodies take no part in pre-training (the authors: 19)."""
    max_frames: int = 300
    """Longer recordings are cropped at random in training."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_frames <= self.max_frames:
            raise ConfigError(
                f"min_frames must lie between 1 and max_frames, got {self.min_frames} and {self.max_frames}"
            )
