"""What several pretext tasks have in common: their losses, and the negatives of those that tell an order.

A loss is 0 with a gradient path where nothing takes part.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hitrs.pretext.base import TaskResult, no_result
from hitrs.transforms.random import KeyedGenerator

SCALE = 10.0
"""Coordinates in meters are multiplied by this before SmoothL1, so that errors under 10 cm are squared."""


def regression_result(prediction: Tensor, target: Tensor) -> TaskResult:
    """SmoothL1 of predicted vectors (Q, C) in meters, and their mean distance from the target (Q, C)."""
    prediction = prediction.float()
    if len(prediction) == 0:
        return no_result(prediction)
    loss = F.smooth_l1_loss(SCALE * prediction, SCALE * target)
    error = torch.linalg.vector_norm(prediction.detach() - target, dim=-1).mean()
    return TaskResult(loss, error, len(prediction))


def order_result(in_order: Tensor, swapped: Tensor) -> TaskResult:
    """Cross-entropy of two-way logits: (R, 2) of things in order (class 1), (R, 2) of swapped ones (0)."""
    if len(in_order) == 0:
        return no_result(in_order, swapped)
    logits = torch.cat([in_order, swapped]).float()
    target = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
    target[: len(in_order)] = 1
    accuracy = (logits.argmax(1) == target).float().mean()
    return TaskResult(F.cross_entropy(logits, target), accuracy.detach(), len(logits))


def contrastive_result(queries: Tensor, targets: Tensor, own: Tensor, temperature: float) -> TaskResult:
    """InfoNCE on cosine similarity: query i (R, D) is to find target own[i] among all targets (Q, D)."""
    if len(queries) == 0:
        return no_result(queries)
    similarity = F.normalize(queries.float(), dim=1) @ F.normalize(targets.float(), dim=1).T / temperature
    accuracy = (similarity.argmax(1) == own).float().mean()
    return TaskResult(F.cross_entropy(similarity, own), accuracy.detach(), len(queries))


def draw_pair(valid: Tensor, generator: KeyedGenerator, name: str, apart: int = 2) -> Tensor:
    """Two distinct valid places of each row, uniformly among the pairs at least ``apart`` apart.

    A row that has no such pair but two valid places (two clips) gets a pair of those.

    Args:
        valid: (R, N), at least two True per row.
        generator: of the rows; name: of this draw.
    Returns:
        (R, 2) int64, the smaller place first.
    """
    places = valid.shape[1]
    first, second = torch.triu_indices(places, places, offset=1, device=valid.device)
    possible = valid[:, first] & valid[:, second]
    far = possible & (second - first >= apart)
    allowed = torch.where(far.any(1, keepdim=True), far, possible)
    score = generator.uniform_at(name, (first << 16) + second).masked_fill(~allowed, -1.0)
    pick = score.argmax(1)
    return torch.stack([first[pick], second[pick]], dim=1)


def exchange(values: Tensor, pair: Tensor) -> Tensor:
    """Rows (R, N) with the two places of ``pair`` (R, 2) exchanged."""
    return values.scatter(1, pair, values.gather(1, pair.flip(1)))
