"""AdamW with the groups that the model asks for, and the learning rate as a function of the step alone."""

from __future__ import annotations

import math

import torch
from torch import nn

from hitrs.models.encoder import HiTRS
from hitrs.training.config import OptimConfig


def learning_rate(config: OptimConfig, step: int) -> float:
    """Rate of step ``step``, counted from 0."""
    if step < config.warmup_steps:
        return config.lr * step / config.warmup_steps
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "halving":
        return config.lr * 0.5 ** max(0, 7 * step // config.steps - 1)
    part = min(1.0, (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps))
    if config.schedule == "cosine":
        part = (1 - math.cos(math.pi * part)) / 2
    return config.lr + part * (config.final_lr - config.lr)


def make_optimizer(
    module: nn.Module, config: OptimConfig, encoder_lr_scale: float = 1.0
) -> torch.optim.AdamW:
    """AdamW over the parameters that need gradients; matrices of linear maps decay, nothing else does.

    Which matrices are spared is told by the modules themselves: each may have a method ``no_weight_decay``
    that returns names of its parameters (as in timm). The ``scale`` of a group multiplies the learning rate:
    ``encoder_lr_scale`` for all within an encoder, 1 for everything that stands on it.
    """
    spared = no_weight_decay(module)
    in_encoder = {
        id(parameter)
        for part in module.modules()
        if isinstance(part, HiTRS)
        for parameter in part.parameters()
    }
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim >= 2 and name not in spared
            groups.setdefault((decays, id(parameter) in in_encoder), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": group,
                "weight_decay": config.weight_decay if decays else 0.0,
                "scale": encoder_lr_scale if encoder else 1.0,
            }
            for (decays, encoder), group in groups.items()
        ],
        lr=config.lr,
        fused=True,  # one pass over the parameters: a tenth of a light model's step
    )


def no_weight_decay(module: nn.Module) -> set[str]:
    """Names of the parameters that the parts of a module want to be spared of weight decay."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, part in module.named_modules()
        if hasattr(part, "no_weight_decay")
        for name in part.no_weight_decay()
    }
