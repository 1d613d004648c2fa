"""Centring, aligning and scaling: what the model's input no longer depends on."""

import math

import pytest
import torch

from hitrs.errors import ConfigError
from hitrs.skeleton.layout import Layout, get_layout
from hitrs.transforms.batch import Batch
from hitrs.transforms.preprocess import Preprocessing, body_scale, facing_yaw, preprocess, yaw_matrix

LAYOUT = get_layout("ntu25")


@pytest.fixture
def batch(make_batch) -> Batch:
    return make_batch([(6, 2), (3, 1), (1, 1)], joints=LAYOUT.n_joints, seen=0.9)


def moved(batch: Batch, positions: torch.Tensor) -> Batch:
    return Batch(positions.masked_fill(~batch.valid[..., None], 0.0), batch.valid, batch.lengths)


def test_the_paper_changes_nothing(batch, consistent) -> None:
    result = preprocess(batch, Preprocessing(), LAYOUT)
    assert torch.equal(result.positions, batch.positions)
    consistent(result)


@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_yaw_alignment_undoes_any_turn(batch, consistent, up: str) -> None:
    settings = Preprocessing(align="yaw", up=up)
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
    aligned = preprocess(Batch(positions, valid, torch.tensor([1])), Preprocessing(align="yaw"), LAYOUT)
    torch.testing.assert_close(aligned.positions[0, 0, 0, left], torch.tensor([1.0, 0.3, 0.0]))


def test_all_bodies_turn_together(batch) -> None:
    aligned = preprocess(batch, Preprocessing(align="yaw"), LAYOUT)
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
    settings = Preprocessing(center="first")
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
    settings = Preprocessing(scale="body")
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
    result = preprocess(flat, Preprocessing(align="yaw"), layout)
    assert torch.equal(result.positions, flat.positions)


@pytest.mark.parametrize("name", ["stream", "center", "align", "up", "scale"])
def test_unknown_words_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be one of .*, got 'sideways'"):
        Preprocessing(**{name: "sideways"})


def test_centering_in_each_frame_follows_the_body_and_waits_where_it_is_not_seen() -> None:
    positions = torch.zeros(1, 1, 4, LAYOUT.n_joints, 3)
    positions[0, 0, :, :, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None]
    valid = torch.ones(1, 1, 4, LAYOUT.n_joints, dtype=torch.bool)
    valid[0, 0, 2, list(LAYOUT.center)] = False
    found = preprocess(Batch(positions, valid, torch.tensor([4])), Preprocessing(center="frame"), LAYOUT)
    assert found.positions[0, 0, :, 1, 0].tolist() == [0.0, 0.0, 1.0, 0.0]
