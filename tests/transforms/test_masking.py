"""The masking rule: who is chosen, what becomes of them, and where replacements come from."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import keyed_generator
from hitrs.transforms.masking import JointMasking


def numbered(count: int, frames: int, joints: int) -> torch.Tensor:
    """Positions whose coordinates are the (sequence, frame, joint) they stand at, plus 10 (1 is the mask)."""
    grid = torch.cartesian_prod(torch.arange(count), torch.arange(frames), torch.arange(joints))
    return grid.view(count, frames, joints, 3).float() + 10


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shares() -> None:
    positions = numbered(40, 50, 20)
    valid = torch.ones(40, 50, 20, dtype=torch.bool)
    masked = JointMasking()(positions, valid, torch.full((40,), 50), keyed_generator(40))
    chosen = masked.chosen
    assert chosen.float().mean().item() == pytest.approx(0.15, abs=0.006)
    assert torch.equal(masked.positions[~chosen], positions[~chosen])
    values, own = masked.positions[chosen], positions[chosen]
    replaced = (values == 1).all(-1)
    same = (values == own).all(-1)
    swapped = ~replaced & ~same
    assert replaced.float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert swapped.float().mean().item() == pytest.approx(0.1, abs=0.015)
    assert same.float().mean().item() == pytest.approx(0.1, abs=0.015)
    # a swapped joint holds the unmasked value of another joint of another frame of its own sequence
    assert (values[swapped][:, 0] == own[swapped][:, 0]).all()
    assert (values[swapped][:, 1] != own[swapped][:, 1]).all()
    assert (values[swapped][:, 2] != own[swapped][:, 2]).all()
    # and any of them: all other frames and joints come up
    for axis, count in ((1, 50), (2, 20)):
        steps = (values[swapped][:, axis] - own[swapped][:, axis]) % count
        assert len(steps.unique()) == count - 1


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    joints=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_only_real_joints_take_part(lengths: list[int], joints: int, seed: int) -> None:
    count, frames = len(lengths), max(lengths)
    positions = numbered(count, frames, joints)
    valid = torch.rand(count, frames, joints, generator=generator(seed)) < 0.7
    for s, length in enumerate(lengths):
        valid[s, length:] = False
    positions[~valid] = float("nan")
    masked = JointMasking()(positions, valid, torch.tensor(lengths), keyed_generator(count, seed))
    assert not (masked.chosen & ~valid).any()
    assert masked.positions[valid].isfinite().all()  # nothing that was not seen came in
    for s, t, j in masked.chosen.nonzero().tolist():
        value = masked.positions[s, t, j]
        if (value == 1).all() or torch.equal(value, positions[s, t, j]):
            continue
        sequence, frame, joint = (value - 10).long().tolist()
        assert sequence == s
        assert frame != t
        assert joint != j
        assert frame < lengths[s]
        assert valid[s, frame, joint]


def test_drawn_anew_each_time() -> None:
    positions, valid = numbered(2, 30, 10), torch.ones(2, 30, 10, dtype=torch.bool)
    lengths = torch.tensor([30, 30])
    first, again, other = (
        JointMasking()(positions, valid, lengths, keyed_generator(2, seed)).chosen for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


def test_no_sequence_is_no_trouble() -> None:
    masked = JointMasking()(
        numbered(0, 3, 2), torch.ones(0, 3, 2, dtype=torch.bool), torch.zeros(0).long(), keyed_generator(0)
    )
    assert masked.positions.shape == (0, 3, 2, 3)
