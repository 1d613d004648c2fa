"""What every pretext task returns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class TaskResult:
    """Loss of one task on one batch, and how well it was solved."""

    loss: Tensor
    """Scalar; 0 with a gradient path if no sequence of the batch is long enough for the task."""
    metric: Tensor
    """Detached scalar: the accuracy, or the error of a prediction."""
    count: int
    """How many items both are means over."""


def no_result(*outputs: Tensor) -> TaskResult:
    """The result where no sequence takes part: the sum of the head's outputs for none, which is 0.

    It leads back through head and encoder, so that every process has a gradient for the same parameters.
    """
    nothing = torch.cat([output.flatten().float() for output in outputs]).sum()
    return TaskResult(nothing, nothing.detach(), 0)


def order_result(in_order: Tensor, swapped: Tensor) -> TaskResult:
    """Cross-entropy of two-way logits: (R, 2) of things in order (class 1), (R, 2) of swapped ones (0)."""
    logits = torch.cat([in_order, swapped]).float()
    target = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
    target[: len(in_order)] = 1
    accuracy = (logits.argmax(1) == target).float().mean()
    return TaskResult(F.cross_entropy(logits, target), accuracy.detach(), len(logits))


def contrast(queries: Tensor, targets: Tensor, own: Tensor, temperature: float) -> TaskResult:
    """InfoNCE on cosine similarity: query i (R, D) is to find target own[i] among all targets (Q, D)."""
    similarity = F.normalize(queries.float(), dim=1) @ F.normalize(targets.float(), dim=1).T / temperature
    accuracy = (similarity.argmax(1) == own).float().mean()
    return TaskResult(F.cross_entropy(similarity, own), accuracy.detach(), len(queries))
