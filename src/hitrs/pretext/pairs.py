"""Drawing two places to exchange, for the two order tasks."""

from __future__ import annotations

import torch
from torch import Tensor

from hitrs.transforms.draws import Draws


def draw_pair(valid: Tensor, draws: Draws, name: str, apart: int = 2) -> Tensor:
    """Two distinct valid places of each row, uniformly among the pairs at least ``apart`` apart.

    A row that has no such pair but two valid places (two clips) gets a pair of those.

    Args:
        valid: (R, N), at least two True per row.
        draws: of the rows; name: of this draw.
    Returns:
        (R, 2) int64, the smaller place first.
    """
    places = valid.shape[1]
    first, second = torch.triu_indices(places, places, offset=1, device=valid.device)
    possible = valid[:, first] & valid[:, second]
    far = possible & (second - first >= apart)
    allowed = torch.where(far.any(1, keepdim=True), far, possible)
    score = draws.uniform_at(name, (first << 16) + second).masked_fill(~allowed, -1.0)
    pick = score.argmax(1)
    return torch.stack([first[pick], second[pick]], dim=1)


def exchange(values: Tensor, pair: Tensor) -> Tensor:
    """Rows (R, N) with the two places of ``pair`` (R, 2) exchanged."""
    return values.scatter(1, pair, values.gather(1, pair.flip(1)))
