"""Random batches; and lets the tests of this folder import what they share (``factories``)."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from hitrs.transforms.batch import Batch, collate

sys.path.insert(0, str(Path(__file__).parents[1]))

Make = Callable[..., Batch]


@pytest.fixture
def make_batch() -> Make:
    """``make_batch([(frames, persons), ...])``: random recordings, a share ``seen`` of the joints valid."""

    def make(
        shapes: Sequence[tuple[int, int]], joints: int = 5, coords: int = 3, seen: float = 0.8, seed: int = 0
    ) -> Batch:
        rng = np.random.default_rng(seed)
        arrays = []
        for frames, persons in shapes:
            valid = rng.random((frames, persons, joints)) < seen
            arrays.append((rng.normal(size=(*valid.shape, coords)).astype(np.float32), valid))
        return collate(arrays)

    return make


def check_batch(batch: Batch) -> None:
    """What every batch must keep to: padding and unseen joints are 0 and not valid."""
    frames = batch.positions.shape[2]
    assert batch.valid.shape == batch.positions.shape[:-1]
    assert batch.positions.isfinite().all()
    assert (batch.lengths >= 1).all()
    assert int(batch.lengths.max()) <= frames
    for b, length in enumerate(batch.lengths.tolist()):
        assert not batch.valid[b, :, length:].any()
    assert (batch.positions[~batch.valid] == 0).all()


@pytest.fixture
def consistent() -> Callable[[Batch], None]:
    return check_batch
