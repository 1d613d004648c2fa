"""Padding recordings to a batch, and taking the bodies out of it."""

import numpy as np
import torch

from hitrs.transforms.batch import bodies, collate


def test_collate_pads_with_what_is_not_valid(make_batch, consistent) -> None:
    batch = make_batch([(4, 1), (7, 2), (1, 1)])
    assert batch.positions.shape == (3, 2, 7, 5, 3)
    assert batch.lengths.tolist() == [4, 7, 1]
    assert not batch.valid[0, 1].any()  # the second body of a recording of one
    consistent(batch)


def test_collate_keeps_every_value() -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(3, 2, 4, 3)).astype(np.float32)
    valid = rng.random((3, 2, 4)) < 0.5
    batch = collate([(positions, valid), (positions[:1], valid[:1])])
    for t, p, j in np.ndindex(3, 2, 4):
        assert batch.valid[0, p, t, j] == valid[t, p, j]
        if valid[t, p, j]:
            assert batch.positions[0, p, t, j].tolist() == positions[t, p, j].tolist()


def test_bodies_leaves_out_who_was_never_seen(make_batch) -> None:
    batch = make_batch([(4, 2), (7, 2), (5, 1)])
    batch.valid[1, 0] = False
    found = bodies(batch)
    assert list(zip(found.recording.tolist(), found.person.tolist(), strict=True)) == [
        (0, 0), (0, 1), (1, 1), (2, 0),
    ]  # fmt: skip
    assert found.lengths.tolist() == [4, 4, 7, 5]
    for row, (b, p) in enumerate(zip(found.recording, found.person, strict=True)):
        assert torch.equal(found.positions[row], batch.positions[b, p])
        assert torch.equal(found.valid[row], batch.valid[b, p])


def test_bodies_in_slots_are_always_as_many(make_batch) -> None:
    batch = make_batch([(4, 1), (6, 1)])
    two = bodies(batch, slots=2)
    assert two.recording.tolist() == [0, 0, 1, 1]
    assert two.person.tolist() == [0, 1, 0, 1]
    assert not two.valid[1].any()
    assert (two.positions[1] == 0).all()
    assert torch.equal(two.positions[2], batch.positions[1, 0])
    assert bodies(make_batch([(4, 3)]), slots=2).person.tolist() == [0, 1]
