"""Augmentation: what it does, how often, and what it must leave alone."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from factories import keyed_generator
from hitrs.errors import ConfigError
from hitrs.skeleton.layout import get_layout
from hitrs.transforms.augmentation import (
    augment,
    change_speed,
    crop,
    crop_to,
    paper_augment,
    take_frames,
)
from hitrs.transforms.batch import Batch
from hitrs.transforms.config import AugmentConfig, ViewsConfig

LAYOUT = get_layout("utd20")
MIRROR = torch.as_tensor(LAYOUT.mirror)
STILL = ViewsConfig(yaw=0, tilt=0, stretch=0, speed=0, crop=0, noise=0, drop=0, mirror=0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def many(count: int, frames: int = 20, joints: int = 6, persons: int = 1) -> Batch:
    """The same random recording ``count`` times, so that a difference is the augmentation's."""
    positions = torch.randn(1, persons, frames, joints, 3, generator=generator(1))
    valid = torch.ones(1, persons, frames, joints, dtype=torch.bool)
    return Batch(
        positions.repeat(count, 1, 1, 1, 1), valid.repeat(count, 1, 1, 1), torch.full((count,), frames)
    )


def views(**ranges: float) -> AugmentConfig:
    """The policy with these ranges, all others being 0."""
    return AugmentConfig(policy="views", views=dataclasses.replace(STILL, **ranges))


@pytest.mark.parametrize(
    "config", [AugmentConfig(), AugmentConfig(policy="views", views=ViewsConfig(mirror=0.5)), views()]
)
def test_stays_consistent(make_batch, consistent, config: AugmentConfig) -> None:
    for seed in range(5):
        batch = make_batch([(30, 2), (12, 1), (1, 1), (2, 2)], joints=LAYOUT.n_joints, seed=seed)
        before = batch.positions.clone()
        result = augment(batch, config, keyed_generator(4, seed), 1, MIRROR)
        consistent(result)
        assert torch.equal(batch.positions, before)  # a changed copy
        again = augment(batch, config, keyed_generator(4, seed), 1, MIRROR)
        assert torch.equal(result.positions, again.positions)


def test_no_policy_is_no_change(make_batch) -> None:
    batch = make_batch([(4, 1)])
    assert augment(batch, AugmentConfig(policy="none"), keyed_generator(1), 1, MIRROR) is batch


def test_views_with_all_ranges_zero_is_no_change(make_batch) -> None:
    batch = make_batch([(9, 2), (4, 1)], joints=LAYOUT.n_joints)
    result = augment(batch, views(), keyed_generator(2), 1, MIRROR)
    assert torch.equal(result.positions, batch.positions)
    assert torch.equal(result.valid, batch.valid)


def kind_of_change(before: torch.Tensor, after: torch.Tensor) -> str:
    """Which change of space (P, T, J, C) -> (P, T, J, C) was made, where time was left alone."""
    difference = after - before
    if difference.abs().max() < 1e-6:
        return "none"
    if torch.allclose(difference, difference[:, :1].expand_as(difference), atol=1e-5):
        return "offset"
    ratio = (after * before).sum() / before.square().sum()
    return "scale" if torch.allclose(after, ratio * before, atol=1e-5) else "shear"


def test_paper_changes_as_often_as_described() -> None:
    batch = many(1600)
    result = paper_augment(batch, keyed_generator(len(batch.lengths)))
    shorter = result.lengths < 20
    space = []
    for b in range(600):
        length = int(result.lengths[b])
        after = result.positions[b, :, :length]
        candidates = [batch.positions[b, :, s : s + length] for s in range(20 - length + 1)]
        found = [kind_of_change(before, after) for before in candidates]
        space.append(min(found, key=["none", "offset", "scale", "shear"].index))
    share = {kind: space.count(kind) / 600 for kind in set(space)}
    # half of the draws change something, one of three ways in space; a move in time looks like a shear here
    assert share["none"] == pytest.approx(0.5, abs=0.06)
    assert share["scale"] + share["offset"] == pytest.approx(1 / 6, abs=0.05)
    # a crop in a quarter of them, of which those under half a frame (U(0, 4) < 0.5) change nothing
    assert shorter.float().mean().item() == pytest.approx(0.25 * 7 / 8, abs=0.03)
    assert int(result.lengths.min()) == 16


def test_paper_changes_stay_in_their_ranges() -> None:
    batch = many(400)
    result = paper_augment(batch, keyed_generator(len(batch.lengths), 3))
    scales, offsets = [], []
    for b in (result.lengths == 20).nonzero()[:, 0].tolist():
        before, after = batch.positions[b], result.positions[b]
        kind = kind_of_change(before, after)
        if kind == "scale":
            scales.append(((after * before).sum() / before.square().sum()).item())
        elif kind == "offset":
            offset = (after - before)[0, 0]
            assert int((offset.abs().sum(-1) > 1e-6).sum()) == 5  # of the six joints
            offsets.append(offset.abs().max().item())
    assert scales
    assert offsets
    assert all(0.8 <= s <= 1.2 for s in scales)
    assert max(offsets) <= 0.2 + 1e-6


def test_paper_shear_has_a_unit_diagonal() -> None:
    positions = torch.zeros(3000, 1, 1, 3, 3)
    positions[:] = torch.eye(3)  # joint c is the c-th unit vector, so the result is the matrix itself
    batch = Batch(positions, torch.ones(3000, 1, 1, 3, dtype=torch.bool), torch.ones(3000, dtype=torch.int64))
    result = paper_augment(batch, keyed_generator(len(batch.lengths)))
    matrices = result.positions[:, 0, 0].transpose(1, 2)
    off = matrices - torch.eye(3)
    # an offset of joints would move the diagonal too
    sheared = (off.abs().amax((1, 2)) > 1e-6) & (off.diagonal(dim1=1, dim2=2).abs().amax(1) < 1e-6)
    assert sheared.float().mean().item() == pytest.approx(1 / 6, abs=0.03)
    assert (off[sheared].abs() <= 0.5).all()
    assert (off[sheared] != 0).sum(-1).eq(2).all()  # all six coefficients


def test_both_bodies_share_the_paper_draw() -> None:
    batch = many(60, persons=2)
    batch.positions[:, 1] = batch.positions[:, 0]
    result = paper_augment(batch, keyed_generator(len(batch.lengths)))
    assert torch.equal(result.positions[:, 0], result.positions[:, 1])
    assert (result.positions[:, 0, :1] != batch.positions[:, 0, :1]).any()


def test_moving_towards_the_next_frame_needs_both_seen() -> None:
    batch = many(400, frames=3)
    # all joints go the same way at an even pace, whatever is done to space; joint 0 is unseen in between
    positions = torch.arange(3.0)[:, None, None] * torch.tensor([0.3, -0.5, 0.8]) + torch.zeros_like(
        batch.positions
    )
    valid = batch.valid.clone()
    valid[:, :, 1, 0] = False
    batch = Batch(positions.masked_fill(~valid[..., None], 0.0), valid, batch.lengths)
    result = paper_augment(batch, keyed_generator(len(batch.lengths)))
    whole = result.lengths == 3
    assert torch.equal(result.valid[whole], valid[whole])
    frames = result.positions[whole, 0]
    first, second = frames[:, 1, 1:] - frames[:, 0, 1:], frames[:, 2, 1:] - frames[:, 1, 1:]
    # frames 0 and 1 move on by the same share, the last frame has no next
    share = 1 - (second * first).sum((1, 2)) / first.square().sum((1, 2))
    torch.testing.assert_close(second, (1 - share)[:, None, None] * first, atol=1e-4, rtol=0)
    assert share.min() >= -1e-4
    assert share.max() <= 1 + 1e-4
    assert (share > 1e-3).float().mean().item() == pytest.approx(0.25, abs=0.07)
    torch.testing.assert_close(frames[:, 2, 0] - frames[:, 0, 0], 2 * first[:, 0], atol=1e-4, rtol=0)


def test_yaw_only_turns_about_the_up_axis() -> None:
    batch = many(50, joints=LAYOUT.n_joints, persons=2)
    for up in range(3):
        result = augment(batch, views(yaw=60.0), keyed_generator(len(batch.lengths)), up, MIRROR)
        torch.testing.assert_close(result.positions[..., up], batch.positions[..., up], atol=1e-5, rtol=0)
        torch.testing.assert_close(
            result.positions.norm(dim=-1), batch.positions.norm(dim=-1), atol=1e-5, rtol=0
        )
        ground = [axis for axis in range(3) if axis != up]
        a, b = batch.positions[:, 0, 0, 0][:, ground], result.positions[:, 0, 0, 0][:, ground]
        cosine = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
        angles = torch.rad2deg(cosine.clamp(-1, 1).acos())
        assert 40 < angles.max() <= 60 + 1e-3
        assert len(angles.unique()) > 40


def test_stretch_scales_the_axes() -> None:
    batch = many(50, joints=LAYOUT.n_joints)
    result = augment(batch, views(stretch=0.2), keyed_generator(len(batch.lengths)), 1, MIRROR)
    factor = result.positions / batch.positions
    torch.testing.assert_close(factor, factor[:, :, :1, :1].expand_as(factor), atol=1e-3, rtol=0)
    assert factor.min() >= 0.8**2 - 1e-3
    assert factor.max() <= 1.2**2 + 1e-3


def test_mirror_swaps_sides() -> None:
    batch = many(40, joints=LAYOUT.n_joints)
    batch.valid[..., LAYOUT.index("left_hand")] = False
    batch = Batch(batch.positions.masked_fill(~batch.valid[..., None], 0.0), batch.valid, batch.lengths)
    result = augment(batch, views(mirror=1.0), keyed_generator(len(batch.lengths)), 1, MIRROR)
    assert not result.valid[..., LAYOUT.index("right_hand")].any()
    expected = batch.positions[..., MIRROR, :] * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.equal(result.positions, expected)
    half = augment(batch, views(mirror=0.5), keyed_generator(len(batch.lengths)), 1, MIRROR)
    flipped = (half.positions == expected).flatten(1).all(1)
    same = (half.positions == batch.positions).flatten(1).all(1)
    assert (flipped ^ same).all()
    assert 8 < int(flipped.sum()) < 32


@pytest.mark.parametrize("up", [0, 1])
def test_two_dimensions_mirror_across_the_ground(up: int) -> None:
    layout = get_layout("coco17")
    batch = Batch(
        torch.randn(3, 1, 4, 17, 2, generator=generator()),
        torch.ones(3, 1, 4, 17, dtype=torch.bool),
        torch.full((3,), 4),
    )
    mirror = torch.as_tensor(layout.mirror)
    result = augment(batch, views(mirror=1.0, yaw=30.0), keyed_generator(len(batch.lengths)), up, mirror)
    side = torch.ones(2)
    side[1 - up] = -1
    assert torch.equal(result.positions, batch.positions[..., mirror, :] * side)


def test_noise_has_the_given_size() -> None:
    batch = many(400)
    result = augment(batch, views(noise=0.05), keyed_generator(len(batch.lengths)), 1, MIRROR)
    spread = (result.positions - batch.positions).flatten(1).std(1)
    assert spread.max() <= 0.06
    assert spread.mean().item() == pytest.approx(0.025, abs=0.004)  # the level is U(0, 0.05)


def test_drop_takes_joints_away_for_good() -> None:
    batch = many(500)
    result = augment(batch, views(drop=0.3), keyed_generator(len(batch.lengths)), 1, MIRROR)
    gone = ~result.valid
    assert torch.equal(gone, gone[:, :, :1].expand_as(gone))
    assert gone[:, 0, 0].float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_never_are_all_joints_of_a_body_dropped() -> None:
    batch = many(200, persons=2, joints=3)
    batch.valid[:, 1, :, 1:] = False  # of the second body only one joint was seen
    batch = Batch(batch.positions.masked_fill(~batch.valid[..., None], 0.0), batch.valid, batch.lengths)
    result = augment(batch, views(drop=0.9), keyed_generator(len(batch.lengths)), 1, MIRROR)
    assert result.valid.flatten(2).any(2).all()
    assert (~result.valid[:, 0]).any()


def test_crop_splits_the_cut_at_random() -> None:
    batch = many(600, frames=50)
    batch.positions[:] = torch.arange(50.0)[:, None, None]  # a frame tells its number
    result = crop(batch, 0.2, keyed_generator(600))
    start = result.positions[:, 0, 0, 0, 0].long()
    cut = 50 - result.lengths
    assert (start >= 0).all()
    assert (start <= cut).all()
    assert int(cut.max()) == 10
    assert cut.float().mean().item() == pytest.approx(5, abs=0.4)
    assert (start == 0)[cut > 2].any()
    assert (start == cut)[cut > 2].any()
    for b in range(50):
        kept = result.positions[b, 0, : result.lengths[b], 0, 0]
        assert torch.equal(kept, torch.arange(start[b], start[b] + result.lengths[b]).float())


def test_crop_leaves_a_frame(make_batch, consistent) -> None:
    result = crop(make_batch([(1, 1), (2, 1)]), 1.0, keyed_generator(2))
    consistent(result)
    assert (result.lengths >= 1).all()


@pytest.mark.parametrize("seed", [None, 0])
def test_crop_to_limits_the_length(make_batch, consistent, seed: int | None) -> None:
    batch = make_batch([(30, 1), (8, 2)], seen=1.0)
    result = crop_to(batch, 10, None if seed is None else keyed_generator(2, seed))
    assert result.lengths.tolist() == [10, 8]
    consistent(result)
    starts = [s for s in range(21) if torch.equal(result.positions[0, 0], batch.positions[0, 0, s : s + 10])]
    assert len(starts) == 1
    if seed is None:
        assert starts == [10]  # the middle
    assert crop_to(batch, 30, None) is batch


def test_take_frames(make_batch, consistent) -> None:
    batch = make_batch([(9, 2), (5, 1)])
    result = take_frames(batch, torch.tensor([3, 1]), torch.tensor([6, 2]))
    consistent(result)
    assert torch.equal(result.positions[0], batch.positions[0, :, 3:9])
    assert torch.equal(result.valid[1, :, :2], batch.valid[1, :, 1:3])


def test_speed_one_is_the_identity(make_batch) -> None:
    batch = make_batch([(9, 2), (5, 1), (1, 1)])
    result = change_speed(batch, torch.ones(3))
    assert torch.equal(result.positions, batch.positions)
    assert torch.equal(result.valid, batch.valid)
    assert torch.equal(result.lengths, batch.lengths)


@given(frames=st.integers(1, 60), factor=st.floats(0.4, 2.5))
def test_speed_interpolates_between_frames(frames: int, factor: float) -> None:
    # a joint that moves evenly: at any time its place is known, and the start and end stay
    place = torch.arange(float(frames))[None, None, :, None, None].expand(1, 1, -1, 2, 3)
    valid = torch.ones(1, 1, frames, 2, dtype=torch.bool)
    result = change_speed(Batch(place, valid, torch.tensor([frames])), torch.tensor([factor]))
    length = int(result.lengths)
    assert length == max(1, round((frames - 1) / torch.tensor([factor]).item()) + 1) or math.isclose(
        ((frames - 1) / factor) % 1, 0.5, abs_tol=1e-4
    )
    expected = torch.linspace(0, frames - 1, length) if length > 1 else torch.zeros(1)
    torch.testing.assert_close(result.positions[0, 0, :, 0, 0], expected, atol=1e-4, rtol=0)
    assert result.valid.all()


def test_speed_needs_both_neighbors_seen(consistent) -> None:
    valid = torch.ones(1, 1, 5, 1, dtype=torch.bool)
    valid[0, 0, 2] = False
    batch = Batch(torch.ones(1, 1, 5, 1, 3) * valid[..., None], valid, torch.tensor([5]))
    slow = change_speed(batch, torch.tensor([0.5]))  # frames 0, 0.5, 1, ... 4
    consistent(slow)
    assert slow.valid[0, 0, :, 0].tolist() == [True] * 3 + [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crop", 1.5),
        ("drop", -0.1),
        ("mirror", 2),
        ("stretch", -1),
        ("yaw", -1),
        ("speed", -0.1),
    ],
)
def test_ranges_are_checked(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"augment\.views.*{name}"):
        ViewsConfig(**{name: value})


def test_unknown_policies_are_refused() -> None:
    with pytest.raises(ConfigError, match="policy must be one of none, paper, views, got 'wild'"):
        AugmentConfig(policy="wild")
