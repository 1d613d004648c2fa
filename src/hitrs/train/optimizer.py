"""AdamW with the right groups, and the learning rate as a function of the update alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from hitrs.errors import ConfigError
from hitrs.models.hitrs import Recompute
from hitrs.transforms.choices import check_choices


@dataclass(frozen=True)
class OptimConfig:
    """Optimization. The defaults are those of the paper's pre-training."""

    steps: int = 50_000
    """Updates in all."""
    batch_size: int = 64
    """Recordings per forward pass of one process."""
    accumulate: int = 4
    """Forward passes per update."""
    lr: float = 4e-4
    """Peak learning rate."""
    final_lr: float = 2e-6
    """Learning rate at the last update (linear and cosine)."""
    warmup: int = 1_000
    """Updates of linear warm-up; the first update has rate 0 if this is above 0."""
    schedule: Literal["linear", "cosine", "halving", "constant"] = "linear"
    """How the rate falls after warm-up; halving: after 2/7 of the run and every 1/7 from there."""
    weight_decay: float = 0.01
    """AdamW's decay; none for biases, norms, position codes and fusion tokens."""
    clip: float = 1.0
    """Largest gradient norm."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Mixed precision of the forward pass: no is float32; bf16 is faster where the machine has it."""
    recompute: Recompute = "none"
    """Levels that compute each layer again in the backward pass instead of keeping what it needs. In float32,
    frames: a seventh more time, two thirds of the memory; all: a third more time, a third of the memory."""
    seed: int = 0
    """Source of all randomness of the run."""
    log_every: int = 10
    """Updates between two lines of the log."""
    eval_every: int = 0
    """Updates between two probes or validations; 0: at the end only."""
    checkpoint_seconds: float = 60.0
    """Seconds between two checkpoints."""

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("steps", "batch_size", "accumulate", "log_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"optim.{name} must be at least 1, got {getattr(self, name)}")
        if not self.lr > 0 or self.final_lr < 0 or self.weight_decay < 0 or not self.clip > 0:
            raise ConfigError(
                "optim.lr and optim.clip must be above 0, final_lr and weight_decay not negative"
            )
        if self.warmup < 0 or self.eval_every < 0:
            raise ConfigError("optim.warmup and optim.eval_every must not be negative")


def learning_rate(config: OptimConfig, step: int) -> float:
    """Rate of update ``step``, counted from 0."""
    if step < config.warmup:
        return config.lr * step / config.warmup
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "halving":
        return config.lr * 0.5 ** max(0, 7 * step // config.steps - 1)
    part = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
    if config.schedule == "cosine":
        part = (1 - math.cos(math.pi * part)) / 2
    return config.lr + part * (config.final_lr - config.lr)


def make_optimizer(module: nn.Module, config: OptimConfig, encoder_lr: float = 1.0) -> torch.optim.AdamW:
    """AdamW over the parameters that need gradients; matrices of linear maps decay, nothing else does.

    Each group's ``scale`` multiplies the learning rate: ``encoder_lr`` for the encoder, 1 for heads.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim >= 2 and not name.endswith((".code", ".fusion"))
            groups.setdefault((decays, "encoder." in name), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": group,
                "weight_decay": config.weight_decay if decays else 0.0,
                "scale": encoder_lr if inner else 1.0,
            }
            for (decays, inner), group in groups.items()
        ],
        lr=config.lr,
    )
