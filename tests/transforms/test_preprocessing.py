"""Centering, aligning, scaling: what the model's input no longer depends on; inverted, and frame by frame."""

import math

import pytest
import torch

from hitrs.errors import ConfigError
from hitrs.skeleton.layout import Layout, get_layout
from hitrs.transforms.batch import Batch, take_stream
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.preprocessing import (
    FittedPreprocessing,
    RunningPreprocessing,
    body_scale,
    check_online,
    facing_yaw,
    fit_preprocessing,
    preprocess,
    yaw_matrix,
)

LAYOUT = get_layout("ntu25")


@pytest.fixture
def batch(make_batch) -> Batch:
    return make_batch([(6, 2), (3, 1), (1, 1)], joints=LAYOUT.n_joints, seen=0.9)


def moved(batch: Batch, positions: torch.Tensor) -> Batch:
    return Batch(positions.masked_fill(~batch.valid[..., None], 0.0), batch.valid, batch.lengths)


def test_the_paper_changes_nothing(batch, consistent) -> None:
    result = preprocess(batch, PreprocessingConfig(), LAYOUT)
    assert torch.equal(result.positions, batch.positions)
    consistent(result)


@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_yaw_alignment_undoes_any_turn(batch, consistent, up: str) -> None:
    settings = PreprocessingConfig(align="yaw", up=up)
    turn = yaw_matrix(torch.tensor([0.4, -2.5, 3.0]), settings.up_axis)
    turned = moved(batch, torch.einsum("bptjc,bdc->bptjd", batch.positions, turn))
    plain, same = preprocess(batch, settings, LAYOUT), preprocess(turned, settings, LAYOUT)
    torch.testing.assert_close(same.positions, plain.positions, atol=1e-5, rtol=0)
    assert facing_yaw(plain.positions, plain.valid, LAYOUT, settings.up_axis).abs().max() < 1e-5
    consistent(same)
    # a turn about the up axis: heights and all distances stay
    torch.testing.assert_close(
        plain.positions[..., settings.up_axis], batch.positions[..., settings.up_axis], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(plain.positions.norm(dim=-1), batch.positions.norm(dim=-1), atol=1e-5, rtol=0)


def test_yaw_takes_the_left_side_to_plus_x() -> None:
    positions = torch.zeros(1, 1, 1, LAYOUT.n_joints, 3)
    left, right = LAYOUT.index("left_shoulder"), LAYOUT.index("right_shoulder")
    angle = 0.7
    positions[..., left, :] = torch.tensor([math.cos(angle), 0.3, math.sin(angle)])
    positions[..., right, :] = -positions[..., left, :]
    valid = torch.zeros(1, 1, 1, LAYOUT.n_joints, dtype=torch.bool)
    valid[..., [left, right]] = True
    assert facing_yaw(positions, valid, LAYOUT, 1).item() == pytest.approx(angle)
    aligned = preprocess(Batch(positions, valid, torch.tensor([1])), PreprocessingConfig(align="yaw"), LAYOUT)
    torch.testing.assert_close(aligned.positions[0, 0, 0, left], torch.tensor([1.0, 0.3, 0.0]))


def test_all_bodies_turn_together(batch) -> None:
    aligned = preprocess(batch, PreprocessingConfig(align="yaw"), LAYOUT)
    both = batch.valid[0, 0] & batch.valid[0, 1]
    before = (batch.positions[0, 0] - batch.positions[0, 1])[both].norm(dim=-1)
    after = (aligned.positions[0, 0] - aligned.positions[0, 1])[both].norm(dim=-1)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


@pytest.mark.parametrize("first_seen", [0, 2, None])
def test_centering_forgets_where_the_person_stands(batch, consistent, first_seen: int | None) -> None:
    valid = batch.valid.clone()
    valid[0, :, :, LAYOUT.center] = False
    if first_seen is not None:
        valid[0, 0, first_seen:, LAYOUT.center] = True
    batch = moved(Batch(batch.positions, valid, batch.lengths), batch.positions)
    settings = PreprocessingConfig(center="first")
    result = preprocess(batch, settings, LAYOUT)
    consistent(result)
    if first_seen is not None:
        assert (result.positions[0, 0, first_seen, LAYOUT.center] == 0).all()
    else:  # the mean of what was seen
        assert result.positions[0][valid[0]].mean(0).abs().max() < 1e-5
    away = moved(batch, batch.positions + torch.tensor([5.0, -2.0, 1.0]))
    torch.testing.assert_close(
        preprocess(away, settings, LAYOUT).positions, result.positions, atol=1e-5, rtol=0
    )


def test_body_scale_forgets_the_unit(batch, consistent) -> None:
    settings = PreprocessingConfig(scale="body")
    result = preprocess(batch, settings, LAYOUT)
    consistent(result)
    pixels = moved(batch, batch.positions * 100)
    torch.testing.assert_close(
        preprocess(pixels, settings, LAYOUT).positions, result.positions, atol=1e-5, rtol=0
    )
    total, count = 0.0, 0
    for child, parent in LAYOUT.bones():
        both = result.valid[0, ..., child] & result.valid[0, ..., parent]
        lengths = (result.positions[0, ..., child, :] - result.positions[0, ..., parent, :]).norm(dim=-1)
        total, count = total + lengths[both].sum().item(), count + int(both.sum())
    assert total / count == pytest.approx(0.2, rel=1e-5)


def test_a_body_without_bones_keeps_its_size() -> None:
    dot = Layout("dot", ("pelvis",), (0,), (), 0)
    positions, valid = torch.ones(1, 1, 2, 1, 3), torch.ones(1, 1, 2, 1, dtype=torch.bool)
    assert body_scale(positions, valid, dot).tolist() == [1.0]
    lonely = torch.zeros(1, 1, 2, LAYOUT.n_joints, dtype=torch.bool)
    lonely[..., 3] = True
    assert body_scale(torch.ones(1, 1, 2, LAYOUT.n_joints, 3), lonely, LAYOUT).tolist() == [1.0]


def test_two_dimensions_are_never_turned(make_batch) -> None:
    layout = get_layout("coco17")
    flat = make_batch([(4, 1)], joints=17, coords=2)
    result = preprocess(flat, PreprocessingConfig(align="yaw"), layout)
    assert torch.equal(result.positions, flat.positions)


@pytest.mark.parametrize("name", ["stream", "center", "align", "up", "scale"])
def test_unknown_words_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be one of .*, got 'sideways'"):
        PreprocessingConfig(**{name: "sideways"})


def test_centering_in_each_frame_follows_the_body_and_waits_where_it_is_not_seen() -> None:
    positions = torch.zeros(1, 1, 4, LAYOUT.n_joints, 3)
    positions[0, 0, :, :, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None]
    valid = torch.ones(1, 1, 4, LAYOUT.n_joints, dtype=torch.bool)
    valid[0, 0, 2, list(LAYOUT.center)] = False
    batch = Batch(positions, valid, torch.tensor([4]))
    result = preprocess(batch, PreprocessingConfig(center="frame"), LAYOUT)
    assert result.positions[0, 0, :, 1, 0].tolist() == [0.0, 0.0, 1.0, 0.0]


ALL_CONFIGS = [
    PreprocessingConfig(center=center, align=align, scale=scale)
    for center in ("none", "first", "frame")
    for align in ("none", "yaw", "running")
    for scale in ("none", "body", "running")
]


@pytest.mark.parametrize("config", ALL_CONFIGS, ids=lambda c: f"{c.center}-{c.align}-{c.scale}")
def test_what_was_done_can_be_taken_back(batch, config: PreprocessingConfig) -> None:
    fitted = fit_preprocessing(batch.positions, batch.valid, config, LAYOUT)
    positions = torch.randn_like(batch.positions)  # not only what it was fitted on
    torch.testing.assert_close(fitted.inverse(fitted.apply(positions)), positions, atol=1e-5, rtol=1e-5)
    assert torch.equal(fitted.apply_to(batch).positions, preprocess(batch, config, LAYOUT).positions)


def test_nothing_is_fitted_where_nothing_is_asked_for(batch) -> None:
    fitted = fit_preprocessing(batch.positions, batch.valid, PreprocessingConfig(), LAYOUT)
    assert fitted == FittedPreprocessing()
    assert fitted.apply(batch.positions) is batch.positions


def test_what_follows_the_last_frame_is_centered_as_in_it(batch) -> None:
    valid = batch.valid.clone()
    valid[:, 0, 3, list(LAYOUT.center)] = True
    past = batch.positions[:, :, :4], valid[:, :, :4]
    fitted = fit_preprocessing(*past, PreprocessingConfig(center="frame"), LAYOUT).at_last_frame()
    placed = fitted.apply(batch.positions)
    torch.testing.assert_close(placed.diff(dim=2), batch.positions.diff(dim=2), atol=1e-5, rtol=0)
    assert placed[0, 0, 3, list(LAYOUT.center)].mean(0).abs().max() < 1e-6


RUNNING = [("none", "none"), ("running", "none"), ("none", "running"), ("running", "running")]


@pytest.mark.parametrize("stream", ["joint", "bone", "motion", "fused"])
@pytest.mark.parametrize("center", ["none", "first", "frame"])
@pytest.mark.parametrize("first_seen", [0, 3])
@pytest.mark.parametrize(("align", "scale"), RUNNING)
def test_the_running_fit_is_that_of_the_whole_recording(
    make_batch, center, stream, first_seen: int, align, scale
) -> None:
    config = PreprocessingConfig(center=center, stream=stream, align=align, scale=scale)
    batch = make_batch([(12, 2)], joints=LAYOUT.n_joints, seen=0.8)
    valid = batch.valid.clone()
    valid[0, :, :, LAYOUT.center] = torch.rand(2, 12, 1, generator=torch.Generator().manual_seed(0)) < 0.5
    valid[0, :, :first_seen, LAYOUT.center] = False
    valid[0, 0, first_seen, LAYOUT.center] = True
    batch = moved(Batch(batch.positions, valid, batch.lengths), batch.positions)
    whole = preprocess(batch, config, LAYOUT)
    if center == "first":  # frames before cannot be placed
        valid = whole.valid.clone()
        valid[:, :, :first_seen] = False
        whole = moved(Batch(whole.positions, valid, whole.lengths), whole.positions)
    expected, seen = take_stream(whole.positions, whole.valid, stream, LAYOUT)
    exact = align == scale == "none"
    running = RunningPreprocessing(config, LAYOUT)
    for t in range(12):
        values, valid_now = running(batch.positions[0, :, t], batch.valid[0, :, t])
        torch.testing.assert_close(values, expected[0, :, t], atol=0 if exact else 1e-5, rtol=0)
        assert torch.equal(valid_now, seen[0, :, t])


def test_the_running_fit_is_of_whoever_is_seen_first(make_batch) -> None:
    """Not of the body in front, of which nobody knows yet that it will come."""
    config = PreprocessingConfig(align="running", scale="running")
    batch = make_batch([(9, 2)], joints=LAYOUT.n_joints)
    valid = batch.valid.clone()
    valid[0, 0, :4] = False
    valid[0, :, :2] = False
    batch = moved(Batch(batch.positions, valid, batch.lengths), batch.positions)
    whole, running = preprocess(batch, config, LAYOUT), RunningPreprocessing(config, LAYOUT)
    alone = Batch(batch.positions[:, 1:], valid[:, 1:], batch.lengths)
    torch.testing.assert_close(preprocess(alone, config, LAYOUT).positions, whole.positions[:, 1:])
    for t in range(9):
        values, _ = running(batch.positions[0, :, t], batch.valid[0, :, t])
        torch.testing.assert_close(values, whole.positions[0, :, t], atol=1e-6, rtol=0)


@pytest.mark.parametrize("center", ["none", "first", "frame"])
def test_running_forms_are_causal_and_end_as_those_of_the_whole(make_batch, center) -> None:
    batch = make_batch([(20, 1)], joints=LAYOUT.n_joints, seen=0.9)
    valid = batch.valid.clone()
    valid[..., LAYOUT.center] = True
    batch = moved(Batch(batch.positions, valid, batch.lengths), batch.positions)
    config = PreprocessingConfig(center=center, align="running", scale="running")
    whole = preprocess(batch, config, LAYOUT)
    for frames in (1, 7, 19):
        past = Batch(batch.positions[:, :, :frames], valid[:, :, :frames], torch.tensor([frames]))
        found = preprocess(past, config, LAYOUT).positions
        torch.testing.assert_close(found, whole.positions[:, :, :frames], atol=1e-6, rtol=0)
    plain = preprocess(batch, PreprocessingConfig(center=center, align="yaw", scale="body"), LAYOUT)
    torch.testing.assert_close(whole.positions[:, :, -1], plain.positions[:, :, -1], atol=1e-5, rtol=0)
    assert (whole.positions[:, :, 0] - plain.positions[:, :, 0]).abs().max() > 1e-3


@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_running_forms_forget_camera_and_unit(batch, up: str) -> None:
    config = PreprocessingConfig(center="first", align="running", scale="running", up=up)
    turn = 40 * yaw_matrix(torch.tensor([0.4, -2.5, 3.0]), config.up_axis)
    turned = moved(batch, torch.einsum("bptjc,bdc->bptjd", batch.positions, turn))
    found, expected = preprocess(turned, config, LAYOUT), preprocess(batch, config, LAYOUT)
    torch.testing.assert_close(found.positions, expected.positions, atol=1e-5, rtol=0)


def test_a_running_size_moves_nobody_who_stands_still(make_batch) -> None:
    """Bones that seem to shrink change the size of a body far from the camera, not its place."""
    batch = make_batch([(6, 1)], joints=LAYOUT.n_joints)
    center = batch.positions[:, :, :1, list(LAYOUT.center)].mean(3, keepdim=True)
    shrinking = torch.linspace(1.0, 0.5, 6)[:, None, None]
    far = (batch.positions - batch.positions[..., list(LAYOUT.center), :].mean(3, keepdim=True)) * shrinking
    positions = far + center + 100.0
    config = PreprocessingConfig(center="first", scale="running")
    result = preprocess(Batch(positions, batch.valid, batch.lengths), config, LAYOUT)
    assert result.positions[..., list(LAYOUT.center), :].mean(3).abs().max() < 1e-3


def test_what_follows_the_last_frame_keeps_its_running_fit(batch) -> None:
    config = PreprocessingConfig(center="first", align="running", scale="running")
    fitted = fit_preprocessing(batch.positions, batch.valid, config, LAYOUT)
    later = fitted.at_last_frame()
    expected = fitted.apply(batch.positions)[:, :, -1]
    torch.testing.assert_close(later.apply(batch.positions[:, :, -1:])[:, :, 0], expected)
    many = torch.randn(3, 2, 11, LAYOUT.n_joints, 3)  # more frames than were fitted
    torch.testing.assert_close(later.inverse(later.apply(many)), many, atol=1e-4, rtol=1e-4)


def test_what_needs_the_whole_recording_does_not_run() -> None:
    config = PreprocessingConfig(align="yaw", scale="body")
    for refused in (lambda: check_online(config), lambda: RunningPreprocessing(config, LAYOUT)):
        with pytest.raises(ConfigError, match=r"align = yaw and preprocessing\.scale = body needs the whole"):
            refused()
    with pytest.raises(ConfigError, match=r"`--preprocessing\.align running --preprocessing\.scale running`"):
        check_online(config)
    check_online(PreprocessingConfig(center="frame", stream="motion", align="running", scale="running"))
