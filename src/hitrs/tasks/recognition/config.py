"""Settings of action recognition. No torch here: ``--help`` reads this module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hitrs.errors import ConfigError, check_literals
from hitrs.training.config import FinetuneOptimConfig


@dataclass(frozen=True)
class RecognitionHeadConfig:
    """The classifier on the encoder."""

    features: Literal["video", "pooled", "convolutions"] = "video"
    """video: the paper's video feature; pooled: with it the mean over clips, and mean and maximum over time
    of every joint; convolutions: random ones in place of an encoder, which are not trained step by step."""
    convolutions: bool = False
    """Random convolutions with a ridge classifier answer beside the encoder, and the probabilities are
    averaged; where they do not help the validation recordings they are left out again."""
    norm: bool = True
    """LayerNorm on pooled features; without it one linear layer reads them as they are."""
    dropout: float = 0.0
    """Dropout on the features."""

    def __post_init__(self) -> None:
        check_literals(self)
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"recognize.head.dropout must lie in [0, 1), got {self.dropout}")


@dataclass(frozen=True)
class RecognitionLossConfig:
    """The loss of a recognizer: cross-entropy."""

    label_smoothing: float = 0.0
    """Share of the target spread over all classes."""

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ConfigError(
                f"recognize.loss.label_smoothing must lie in [0, 1), got {self.label_smoothing}"
            )


@dataclass(frozen=True)
class RecognitionEvalConfig:
    """How a recognizer is tested."""

    test_views: int = 1
    """Turned copies of each recording whose scores are averaged."""
    refused: float = 0.05
    """Share of the validation recordings that may be called none of the classes, so that unknown ones are."""

    def __post_init__(self) -> None:
        if not 0 <= self.refused < 1:
            raise ConfigError(f"recognize.eval.refused must lie in [0, 1), got {self.refused}")
        if self.test_views < 1:
            raise ConfigError(f"recognize.eval.test_views must be at least 1, got {self.test_views}")


@dataclass(frozen=True)
class RecognitionConfig:
    """Training a recognizer. The defaults are the paper's fine-tuning, its 70 epochs in steps of NTU-60."""

    optim: FinetuneOptimConfig = FinetuneOptimConfig(
        steps=22_000, batch_size=32, warmup_steps=0, schedule="halving"
    )
    """How the weights are learned."""
    head: RecognitionHeadConfig = RecognitionHeadConfig()
    """The classifier."""
    loss: RecognitionLossConfig = RecognitionLossConfig()
    """What is minimized."""
    eval: RecognitionEvalConfig = RecognitionEvalConfig()
    """How the result is tested."""


CONFIG = RecognitionConfig
