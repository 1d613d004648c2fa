"""Padding recordings to a batch, taking the bodies out of it, and their streams against loops."""

import numpy as np
import pytest
import torch

from hitrs.skeleton.layout import Layout, get_layout
from hitrs.transforms.batch import (
    MOTION_SCALE,
    Batch,
    Stream,
    collate,
    resample,
    stream_bodies,
    take_stream,
    tubelets,
)
from hitrs.transforms.config import PreprocessingConfig

CHAIN = Layout("chain", ("pelvis", "a", "b", "c", "d"), (0, 0, 1, 2, 3), (), 0)


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


def test_bodies_of_one_length_as_recordings(consistent) -> None:
    positions, valid = torch.randn(3, 6, 5, 3), torch.rand(3, 6, 5) < 0.7
    batch = Batch.from_bodies(positions, valid)
    consistent(batch)
    assert batch.lengths.tolist() == [6, 6, 6]
    assert torch.equal(batch.valid[:, 0], valid)
    assert torch.equal(batch.positions[:, 0][valid], positions[valid])


def test_bodies_leave_out_who_was_never_seen(make_batch) -> None:
    batch = make_batch([(4, 2), (7, 2), (5, 1)])
    batch.valid[1, 0] = False
    bodies = stream_bodies(batch, PreprocessingConfig(stream="joint"), CHAIN)
    assert list(zip(bodies.recording.tolist(), bodies.person.tolist(), strict=True)) == [
        (0, 0), (0, 1), (1, 1), (2, 0),
    ]  # fmt: skip
    assert bodies.lengths.tolist() == [4, 4, 7, 5]
    for row, (b, p) in enumerate(zip(bodies.recording, bodies.person, strict=True)):
        assert torch.equal(bodies.positions[row], batch.positions[b, p])
        assert torch.equal(bodies.valid[row], batch.valid[b, p])


def test_bodies_leave_out_who_has_nothing_in_the_stream(make_batch) -> None:
    batch = make_batch([(4, 1), (4, 2)], seen=1.0)
    batch.valid[0, :, 1:] = False  # a single frame
    batch.valid[1, 0, :, 1:] = False  # the root alone
    batch.valid[1, 1, :, [0, 2, 4]] = False  # no joint together with its parent
    assert stream_bodies(batch, PreprocessingConfig(stream="joint"), CHAIN).recording.tolist() == [0, 1, 1]
    assert stream_bodies(batch, PreprocessingConfig(stream="bone"), CHAIN).person.tolist() == [
        0,
        0,
    ]  # the root's bone is 0, but seen
    batch.valid[0] = False
    moving = stream_bodies(batch, PreprocessingConfig(stream="motion"), CHAIN)
    assert moving.recording.tolist() == [1, 1]
    expected, seen = take_stream(batch.positions[1, 1], batch.valid[1, 1], "motion", CHAIN)
    assert torch.equal(moving.positions[1], expected)
    assert torch.equal(moving.valid[1], seen)


@pytest.mark.parametrize("stream", ["joint", "bone", "motion"])
def test_bodies_in_slots_are_always_as_many(make_batch, stream: Stream) -> None:
    batch = make_batch([(4, 1), (6, 1)])
    batch.valid[1] = False
    two = stream_bodies(batch, PreprocessingConfig(stream=stream), CHAIN, slots=2)
    assert two.recording.tolist() == [0, 0, 1, 1]
    assert two.person.tolist() == [0, 1, 0, 1]
    assert not two.valid[1:].any()
    assert (two.positions[1] == 0).all()
    expected, _ = take_stream(batch.positions[0, 0], batch.valid[0, 0], stream, CHAIN)
    assert torch.equal(two.positions[0], expected)
    assert stream_bodies(
        make_batch([(4, 3)]), PreprocessingConfig(stream=stream), CHAIN, slots=2
    ).person.tolist() == [0, 1]


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
    spoiled = positions.masked_fill(~valid[..., None], float("nan"))
    values, _ = take_stream(spoiled, valid, stream, layout)
    assert torch.equal(values, take_stream(positions, valid, stream, layout)[0])


def test_fused_is_the_three_streams_side_by_side() -> None:
    generator = torch.Generator().manual_seed(0)
    positions = torch.randn(2, 6, 5, 3, generator=generator)
    valid = torch.rand(2, 6, 5, generator=generator) < 0.7
    values, seen = take_stream(positions, valid, "fused", CHAIN)
    assert torch.equal(seen, valid)
    for place, stream in enumerate(("joint", "bone", "motion")):
        own, own_seen = take_stream(positions, valid, stream, CHAIN)  # type: ignore[arg-type]
        scale = MOTION_SCALE if stream == "motion" else 1.0
        expected = scale * own.masked_fill(~own_seen[..., None], 0.0)
        torch.testing.assert_close(values[..., 3 * place : 3 * place + 3], expected)


def test_resampled_lines_stay_lines() -> None:
    lengths = torch.tensor([7, 1, 40])
    start, speed = torch.randn(3, 1, 5, 3), torch.randn(3, 1, 5, 3)
    times = torch.arange(40).clamp(max=39)[None, :, None, None]
    positions = start + speed * times
    valid = (torch.arange(40) < lengths[:, None])[..., None].expand(-1, -1, 5)
    values, seen, counts = resample(positions.masked_fill(~valid[..., None], 0.0), valid, lengths, 13)
    assert seen.all()
    assert counts.tolist() == [13, 13, 13]
    when = torch.linspace(0, 1, 13) * (lengths - 1)[:, None]
    torch.testing.assert_close(values, start + speed * when[:, :, None, None], atol=1e-4, rtol=1e-5)


def test_resampling_keeps_a_joint_that_flickers() -> None:
    positions = torch.arange(5.0)[None, :, None, None].expand(1, 5, 1, 1)
    valid = torch.tensor([True, False, True, False, True])[None, :, None]
    values, seen, _ = resample(positions * valid[..., None], valid, torch.tensor([5]), 9)
    # at 0, 0.5, 1, ... 4: between a seen and an unseen frame the nearer one counts, at a half the earlier one
    assert seen[0, :, 0].tolist() == [True, False, False, True, True, False, False, True, True]
    assert values[0, :, 0, 0].tolist() == [0, 0, 0, 2, 2, 0, 0, 4, 4]


def test_a_tubelet_is_a_joint_in_successive_frames() -> None:
    generator = torch.Generator().manual_seed(1)
    positions = torch.randn(2, 10, 5, 3, generator=generator)
    valid = torch.rand(2, 10, 5, generator=generator) < 0.4
    positions = positions.masked_fill(~valid[..., None], 0.0)
    tokens, seen, lengths = tubelets(positions, valid, torch.tensor([10, 5]), 4)
    assert tokens.shape == (2, 3, 5, 12)
    assert lengths.tolist() == [3, 2]
    for s in range(2):
        for group in range(3):
            frames = range(4 * group, min(4 * group + 4, 10))
            for joint in range(5):
                values = [v for f in frames for v in positions[s, f, joint].tolist()]
                assert tokens[s, group, joint].tolist() == [*values, *[0.0] * (12 - len(values))]
                assert bool(seen[s, group, joint]) == any(bool(valid[s, f, joint]) for f in frames)


def test_bodies_of_a_light_model(make_batch) -> None:
    settings = PreprocessingConfig(stream="fused", frames=12, tubelet=4)
    bodies = stream_bodies(make_batch([(4, 1), (30, 2)]), settings, CHAIN)
    assert bodies.positions.shape == (3, 3, 5, settings.channels(3))
    assert bodies.lengths.tolist() == [3, 3, 3]
    assert bodies.recording.tolist() == [0, 1, 1]
