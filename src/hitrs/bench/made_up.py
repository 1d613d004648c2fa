"""Random sequences of a given size: cost does not depend on what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hitrs.bench.case import Case
from hitrs.data.recording import Recording
from hitrs.data.store import write_store
from hitrs.skeleton.layout import Layout


def random_bodies(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Every body of a batch as a sequence, all joints seen: positions (S, T, J, 3), valid, lengths (S,)."""
    count = case.batch_size * case.persons
    generator = torch.Generator().manual_seed(0)
    positions = torch.randn(count, case.frames, case.joints, 3, generator=generator)
    valid = torch.ones(positions.shape[:3], dtype=torch.bool)
    return positions, valid, torch.full((count,), case.frames, dtype=torch.int64)


def chain(joints: int) -> Layout:
    """A layout of any number of joints, one behind the other."""
    names = tuple(f"joint_{j}" for j in range(joints))
    return Layout(name=f"chain{joints}", joints=names, parents=(0, *range(joints - 1)), pairs=(), center=(0,))


def made_up_recordings(case: Case) -> Iterator[Recording]:
    """``case.recordings`` recordings, all joints seen, of ten actions and eight subjects."""
    layout, rng = chain(case.joints), np.random.default_rng(0)
    for number in range(case.recordings):
        shape = (case.frames, case.persons, case.joints)
        yield Recording(
            positions=rng.normal(size=(*shape, 3)).astype(np.float32),
            valid=np.ones(shape, bool),
            layout=layout,
            name=f"recording-{number:06}",
            label=f"action {number % 10}",
            subject=f"person {number % 8}",
        )


def write_made_up_store(path: str, case: Case) -> Path:
    """A store of them."""
    classes = [f"action {n}" for n in range(10)]
    layout = chain(case.joints)
    write_store(path, made_up_recordings(case), layout=layout, classes=classes, protocols={}, meta={})
    return Path(path)
