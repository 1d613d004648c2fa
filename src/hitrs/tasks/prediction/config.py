"""Settings of motion prediction. No torch here: ``--help`` reads this module."""

from __future__ import annotations

from dataclasses import dataclass

from hitrs.errors import ConfigError
from hitrs.training.config import FinetuneOptimConfig


@dataclass(frozen=True)
class Span:
    """How many frames are observed and predicted, of every ``frame_step``-th frame of a recording."""

    observed: int
    predicted: int
    frame_step: int = 1

    @property
    def total(self) -> int:
        """Observed and predicted frames."""
        return self.observed + self.predicted

    @property
    def recording_frames(self) -> int:
        """Frames of a recording that a window covers, those left out by ``frame_step`` included."""
        return (self.total - 1) * self.frame_step + 1


@dataclass(frozen=True)
class PredictionHeadConfig:
    """Shape of a predictor; saved with the model."""

    observed: int = 50
    """Frames that are seen."""
    predicted: int = 25
    """Frames that are predicted."""
    frame_step: int = 1
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

    def __post_init__(self) -> None:
        for name in ("observed", "predicted", "frame_step", "width", "layers", "coefficients"):
            if getattr(self, name) < 1:
                raise ConfigError(f"predict.head.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.context <= self.observed:
            raise ConfigError(
                f"predict.head.context must lie between 0 and predict.head.observed ({self.observed}), "
                f"got {self.context}"
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"predict.head.dropout must lie in [0, 1), got {self.dropout}")

    @property
    def span(self) -> Span:
        """The frames of a window."""
        return Span(self.observed, self.predicted, self.frame_step)


@dataclass(frozen=True)
class PredictionLossConfig:
    """The loss of a predictor: distance of joints, and of their displacements between frames."""

    velocity: float = 1.0
    """Weight of the loss on velocities beside that on positions."""

    def __post_init__(self) -> None:
        if self.velocity < 0:
            raise ConfigError(f"predict.loss.velocity must not be negative, got {self.velocity}")


@dataclass(frozen=True)
class PredictionConfig:
    """Training a predictor of motion."""

    head: PredictionHeadConfig = PredictionHeadConfig()
    """Shape of the head."""
    optim: FinetuneOptimConfig = FinetuneOptimConfig(
        steps=2_000,
        batch_size=64,
        accumulation_steps=1,
        lr=1e-3,
        warmup_steps=50,
        schedule="cosine",
        weight_decay=1e-4,
    )
    """How the weights are learned."""
    loss: PredictionLossConfig = PredictionLossConfig()
    """What is minimized."""
    reverse: float = 0.0
    """Probability of playing a training window backwards."""
    freeze_encoder: bool = False
    """Whether the encoder keeps its weights."""

    def __post_init__(self) -> None:
        if not 0 <= self.reverse <= 1:
            raise ConfigError(f"predict.reverse must lie in [0, 1], got {self.reverse}")


CONFIG = PredictionConfig
