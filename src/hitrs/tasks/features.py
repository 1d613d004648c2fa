"""Features and scores of many recordings, without gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from hitrs.transforms.batch import Batch
from hitrs.transforms.source import Source


@torch.no_grad()
def collect(
    run: Callable[[Batch], Tensor], module: nn.Module, source: Source, batch_size: int = 64,
    change: Callable[[Batch], Batch] | None = None,
) -> np.ndarray:
    """``run`` on every recording of ``source``, (N, ...) float32, in eval mode.

    Recordings of like length share a batch; the result is in the order of ``source``.

    Args:
        change: applied to each preprocessed batch first, for example an augmentation.
    """
    was_training = module.training
    module.eval()
    device = next(module.parameters()).device
    order = np.argsort(np.asarray(source.store.frames)[source.indices], kind="stable")
    parts = []
    for first in range(0, len(order), batch_size):
        batch = source.batch(order[first : first + batch_size])
        parts.append(run((change(batch) if change else batch).to(device)).float().cpu().numpy())
    module.train(was_training)
    joined = np.concatenate(parts)
    result = np.empty_like(joined)
    result[order] = joined
    return result
