"""Joint, bone and motion against loops."""

import pytest
import torch

from hitrs.skeleton.layout import Layout, get_layout
from hitrs.transforms.streams import Stream, take_stream


@pytest.fixture
def example() -> tuple[torch.Tensor, torch.Tensor, Layout]:
    torch.manual_seed(0)
    layout = get_layout("ntu25")
    valid = torch.rand(2, 6, layout.n_joints) < 0.7
    positions = torch.randn(2, 6, layout.n_joints, 3)
    return positions, valid, layout


def loop(positions: torch.Tensor, valid: torch.Tensor, stream: Stream, layout: Layout):
    values, seen = torch.zeros_like(positions), torch.zeros_like(valid)
    for s, t, j in torch.cartesian_prod(*(torch.arange(n) for n in valid.shape)).tolist():
        other = (s, t, layout.parents[j]) if stream == "bone" else (s, max(t - 1, 0), j)
        seen[s, t, j] = valid[s, t, j] and valid[other]
        if seen[s, t, j]:
            values[s, t, j] = positions[s, t, j] - positions[other]
    return values, seen


@pytest.mark.parametrize("stream", ["bone", "motion"])
def test_equals_the_loop(example, stream: Stream) -> None:
    values, seen = take_stream(*example[:2], stream, example[2])
    expected, expected_seen = loop(*example[:2], stream, example[2])
    assert torch.equal(seen, expected_seen)
    torch.testing.assert_close(values, expected)


def test_joints_stay(example) -> None:
    positions, valid, layout = example
    values, seen = take_stream(positions, valid, "joint", layout)
    assert values is positions
    assert seen is valid


def test_root_bone_and_first_motion_are_zero_but_seen(example) -> None:
    positions, valid, layout = example
    valid = torch.ones_like(valid)
    bones, bone_seen = take_stream(positions, valid, "bone", layout)
    assert (bones[..., layout.root, :] == 0).all()
    assert bone_seen.all()
    motion, motion_seen = take_stream(positions, valid, "motion", layout)
    assert (motion[:, 0] == 0).all()
    assert motion_seen.all()
    # all information but the start is there: the sums give the positions back
    torch.testing.assert_close(motion.cumsum(1) + positions[:, :1], positions, atol=1e-5, rtol=0)


@pytest.mark.parametrize("stream", ["bone", "motion"])
def test_what_stands_at_unseen_joints_is_never_used(example, stream: Stream) -> None:
    positions, valid, layout = example
    spoilt = positions.masked_fill(~valid[..., None], float("nan"))
    values, _ = take_stream(spoilt, valid, stream, layout)
    assert torch.equal(values, take_stream(positions, valid, stream, layout)[0])
