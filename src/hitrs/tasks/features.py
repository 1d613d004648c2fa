"""Features and scores of many recordings, without gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from hitrs.errors import DataError
from hitrs.transforms.batch import Batch
from hitrs.transforms.source import Source


@torch.no_grad()
def collect(
    run: Callable[[Batch], Tensor],
    module: nn.Module,
    source: Source,
    batch_size: int = 64,
    change: Callable[[Batch], Batch] | None = None,
) -> np.ndarray:
    """``run`` on every recording of ``source``, (N, ...) float32, in eval mode.

    Recordings of like length share a batch; the result is in the order of ``source``.

    Args:
        change: applied to each preprocessed batch first, for example an augmentation.
    Raises:
        DataError: if there is no recording.
    """
    if not len(source):
        raise DataError(
            f"no recording of {source.store.path} is left to look at; see its protocols with `hitrs inspect`"
        )
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


def resampled_positions(source: Source, frames: int = 16) -> np.ndarray:
    """Preprocessed positions of each recording at ``frames`` evenly spread frames, (N, frames P J C).

    The plain description that a learned feature has to beat; absent bodies and unseen joints are 0.
    """
    persons = int(np.asarray(source.store.persons)[source.indices].max())
    rows = []
    for i in range(len(source)):
        batch = source.batch([i])
        where = np.linspace(0, int(batch.lengths[0]) - 1, frames).round().astype(int)
        taken = batch.positions[0][:, where].numpy()  # (P, frames, J, C)
        rows.append(np.pad(taken, ((0, persons - len(taken)), (0, 0), (0, 0), (0, 0))).ravel())
    return np.stack(rows)
