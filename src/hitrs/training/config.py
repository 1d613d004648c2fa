"""Settings of training and of probes.

No torch here: ``--help`` reads this module and must not wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hitrs.errors import ConfigError, check_literals
from hitrs.models.config import CheckpointedLevels

Schedule = Literal["linear", "cosine", "halving", "constant"]


@dataclass(frozen=True)
class OptimConfig:
    """Optimization. The defaults are those of the paper's pre-training."""

    steps: int = 50_000
    """Optimizer steps in all."""
    batch_size: int = 64
    """Recordings per forward pass of one process."""
    accumulation_steps: int = 4
    """Forward passes per optimizer step."""
    lr: float = 4e-4
    """Peak learning rate."""
    final_lr: float = 2e-6
    """Learning rate at the last step (linear and cosine)."""
    warmup_steps: int = 1_000
    """Steps of linear warm-up; the first step has rate 0 if this is above 0."""
    schedule: Schedule = "linear"
    """How the rate falls after warm-up; halving: after 2/7 of the run and every 1/7 from there."""
    weight_decay: float = 0.01
    """AdamW's decay; none for biases, norms, position embeddings and fusion tokens."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Precision of the forward pass; bf16 is faster where the machine has it."""
    activation_checkpointing: CheckpointedLevels = "none"
    """Levels that compute each layer again in the backward pass instead of keeping what it needs. In float32,
    frames: a seventh more time, two thirds of the memory; all: a third more time, a third of the memory."""
    seed: int = 0
    """Source of all randomness of the run."""
    shuffle_mib: float = 1024.0
    """Of a store on another machine, recordings are shuffled among shards of so many MiB; the cache holds
    twice as much. A smaller store comes in the order that it would have on this machine."""
    log_every: int = 10
    """Steps between two lines of the log."""
    eval_every: int = 0
    """Steps between two probes or validations; 0: at the end only."""
    checkpoint_seconds: float = 60.0
    """Seconds between two checkpoints."""

    def __post_init__(self) -> None:
        check_literals(self)
        for name in ("steps", "batch_size", "accumulation_steps", "log_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"optim.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("lr", "max_grad_norm", "shuffle_mib"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"optim.{name} must be above 0, got {getattr(self, name)}")
        for name in ("final_lr", "weight_decay", "warmup_steps", "eval_every"):
            if getattr(self, name) < 0:
                raise ConfigError(f"optim.{name} must not be negative, got {getattr(self, name)}")


@dataclass(frozen=True)
class FinetuneOptimConfig(OptimConfig):
    """Optimization of an encoder together with the head that stands on it."""

    encoder_lr_scale: float = 1.0
    """Learning rate of a pre-trained encoder as a multiple of lr; the head always has lr."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder_lr_scale < 0:
            raise ConfigError(f"optim.encoder_lr_scale must not be negative, got {self.encoder_lr_scale}")


@dataclass(frozen=True)
class PretrainConfig:
    """Pre-training without labels."""

    optim: OptimConfig = OptimConfig()
    """How the weights are learned."""


@dataclass(frozen=True)
class ProbeConfig:
    """Recognition from features of a frozen encoder."""

    k: int = 1
    """k of the k-NN probe."""
    C: float = 0.01
    """Inverse regularization of the linear probe, as scikit-learn's logistic regression takes it."""
    train_views: int = 1
    """Copies of each training recording that the linear probe sees: itself, and augmented ones."""
