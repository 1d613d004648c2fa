"""The predictor: from which frames and joints it predicts, in which coordinates, and its loss."""

from pathlib import Path

import numpy as np
import pytest
import torch

from factories import JOINTS, LAYOUT, sequences
from hitrs.errors import CheckpointError, LayoutError
from hitrs.models.bundle import ModelCard, save_bundle
from hitrs.skeleton import Layout, get_layout
from hitrs.tasks.prediction.decoder import cosine_basis
from hitrs.tasks.prediction.loss import PredictionObjective, mean_distance
from hitrs.tasks.prediction.model import PredictionModel, hold
from hitrs.tasks.prediction.placement import as_batch, place
from hitrs.tasks.prediction.predict import predict_bodies
from hitrs.transforms.preprocess import Preprocessing, preprocess
from predictors import predictor


def observed(count: int = 3, frames: int = 10, seen: float = 0.9) -> tuple[torch.Tensor, torch.Tensor]:
    positions, valid, _ = sequences([frames] * count, seen)
    return positions, valid


def test_the_basis_is_orthonormal() -> None:
    basis = cosine_basis(12, 12)
    torch.testing.assert_close(basis @ basis.T, torch.eye(12), atol=1e-6, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("context", [0, 3, 8])
def test_what_was_not_seen_does_not_matter(context: int) -> None:
    model = predictor(context=context)
    positions, valid = observed()
    valid[1, -3:] = False  # nothing at all in the last frames
    valid[2, :, 2] = False
    found = model(positions, valid)
    assert found.shape == (3, 5, JOINTS, 3)
    other = torch.where(valid[..., None], positions, torch.full_like(positions, 1e3))
    again = model(other, valid)
    known = valid.any(1)
    torch.testing.assert_close(found.transpose(1, 2)[known], again.transpose(1, 2)[known], atol=1e-5, rtol=0)


@torch.no_grad()
def test_displacements_do_not_depend_on_the_place_without_an_encoder() -> None:
    model = predictor(context=0)
    positions, valid = observed(seen=1.0)
    shift = torch.tensor([3.0, -1.0, 2.0])
    torch.testing.assert_close(
        model(positions + shift, valid), model(positions, valid) + shift, atol=1e-4, rtol=0
    )


@torch.no_grad()
def test_the_encoder_sees_the_last_frames_only() -> None:
    model = predictor(context=3)
    positions, valid = observed(seen=1.0)
    encoder = model.encoder
    assert encoder is not None
    tokens = model.tokens(encoder, positions, valid)
    positions[:, :7] += 1.0
    torch.testing.assert_close(model.tokens(encoder, positions, valid), tokens)
    positions[:, 7] += 1.0
    assert (model.tokens(encoder, positions, valid) - tokens).abs().max() > 1e-3


def test_holding_against_a_loop() -> None:
    positions, valid = observed(seen=0.4)
    valid[0, :, 1] = False
    held, seen = hold(positions, valid)
    for s in range(3):
        for j in range(JOINTS):
            known = [t for t in range(10) if valid[s, t, j]]
            assert bool(seen[s, j]) == bool(known)
            for t in range(10):
                if known:
                    before = [k for k in known if k <= t]
                    source = before[-1] if before else known[0]
                    assert (held[s, t, j] == positions[s, source, j]).all()


@pytest.mark.parametrize(
    "settings",
    [
        Preprocessing(center="first"),
        Preprocessing(center="first", align="yaw", scale="body"),
        Preprocessing(align="yaw", up="z"),
    ],
)
def test_preprocessing_is_that_of_training_and_can_be_undone(settings: Preprocessing) -> None:
    positions, valid = observed()
    placement = place(positions, valid, settings, LAYOUT)
    placed = placement.apply(positions).masked_fill(~valid[..., None], 0.0)
    torch.testing.assert_close(
        placed, preprocess(as_batch(positions, valid), settings, LAYOUT).positions[:, 0], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(placement.undo(placement.apply(positions)), positions, atol=1e-5, rtol=0)


def test_predictions_turn_and_move_with_the_recording() -> None:
    settings = Preprocessing(center="first", align="yaw")
    model = predictor(preprocessing=settings)
    positions, valid = (x.numpy() for x in observed(1, seen=1.0))
    turn = np.array([[0.6, 0, 0.8], [0, 1, 0], [-0.8, 0, 0.6]], np.float32)
    first, known = predict_bodies(model, [(positions.swapaxes(0, 1), valid.swapaxes(0, 1))], LAYOUT)[0]
    moved = (positions @ turn + np.float32(2)).swapaxes(0, 1)
    second, _ = predict_bodies(model, [(moved, valid.swapaxes(0, 1))], LAYOUT)[0]
    assert known.all()
    np.testing.assert_allclose(second, first @ turn + 2, atol=1e-4)


def test_joints_that_the_model_does_not_know() -> None:
    """One that coincides with a known joint goes with it, one that stands still stays, others are unknown."""
    names = (*LAYOUT.joints, "left_wrist", "tail", "kite")
    wider = Layout("wider", names, (0, 0, 0, 0, 2, 3, 4, 0, 0), LAYOUT.pairs, (0,))
    positions, valid = (x.numpy().swapaxes(0, 1) for x in observed(1, seen=1.0))
    extra = np.stack([positions[..., 4, :], np.ones_like(positions[..., 0, :]), positions[..., 1, :] + 1], -2)
    positions = np.concatenate([positions, extra], axis=2)
    valid = np.ones(positions.shape[:3], bool)
    model = predictor()
    found, known = predict_bodies(model, [(positions, valid)], wider)[0]
    narrow, _ = predict_bodies(model, [(positions[:, :, :6], valid[:, :, :6])], LAYOUT)[0]
    assert known[0, 0].tolist() == [True] * 8 + [False]
    np.testing.assert_allclose(found[:, :, :6], narrow, atol=1e-5)
    np.testing.assert_array_equal(found[:, :, 6], found[:, :, 4])
    assert (found[:, :, 7] == 1).all()
    with pytest.raises(LayoutError, match="no joint name in common"):
        predict_bodies(
            model, [(positions[:, :, :2], valid[:, :, :2])], Layout("odd", ("a", "b"), (0, 0), (), (0,))
        )


def test_absent_bodies_are_left_out() -> None:
    positions, valid = (x.numpy().swapaxes(0, 1) for x in observed(2, seen=1.0))
    valid = valid.copy()
    valid[:, 1] = False
    found, known = predict_bodies(predictor(), [(positions, valid)], LAYOUT)[0]
    assert known[:, 0].all()
    assert not known[:, 1].any()
    assert (found[:, 1] == 0).all()


def test_layouts_of_moving_joints_are_those_of_the_protocols() -> None:
    left_out = {
        "cmu25": ("cmu38", (0, 1, 2, 7, 8, 13, 16, 20, 24, 27, 29, 33, 36)),
        "h36m22": ("h36m32", (0, 1, 6, 11, 16, 20, 23, 24, 28, 31)),
    }
    for name, (whole, unscored) in left_out.items():
        joints = get_layout(whole).joints
        assert get_layout(name).joints == tuple(j for i, j in enumerate(joints) if i not in unscored)


def test_the_loss_masks_what_was_not_seen() -> None:
    model = predictor()
    positions, valid = observed(3, 15)
    loss, metrics = PredictionObjective(model, velocity=0.5)(positions, valid)
    far = torch.where(valid[..., None], positions, torch.full_like(positions, 50.0))
    torch.testing.assert_close(
        PredictionObjective(model, velocity=0.5)(far, valid)[0], loss, atol=1e-4, rtol=0
    )
    with torch.no_grad():
        predicted = model(positions[:, :10], valid[:, :10])
    known = valid[:, 10:] & valid[:, :10].any(1, keepdim=True)
    distances = [
        float((predicted - positions[:, 10:])[s, h, j].norm()) for s, h, j in known.nonzero().tolist()
    ]
    assert float(metrics["position"]) == pytest.approx(np.mean(distances), rel=1e-4)
    assert float(loss.detach()) > float(metrics["position"])


def test_a_distance_of_nothing_is_zero() -> None:
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    assert mean_distance(torch.ones(2, 3, 3), torch.zeros(2, 3, 3), nothing) == 0


def test_a_frozen_encoder_does_not_learn() -> None:
    objective = PredictionObjective(predictor(), velocity=1.0, frozen=True).train()
    objective(*observed(3, 15))[0].backward()
    encoder = objective.model.encoder
    assert encoder is not None
    assert not encoder.training
    assert all(p.grad is None for p in encoder.parameters())
    assert all(p.grad is not None for p in objective.model.decoder.parameters())


@pytest.mark.parametrize("context", [0, 8])
def test_saved_and_loaded(tmp_path: Path, context: int) -> None:
    model = predictor(context=context)
    again = PredictionModel.from_pretrained(model.save_pretrained(tmp_path / "model"))
    positions, valid = observed()
    with torch.no_grad():
        torch.testing.assert_close(again(positions, valid), model(positions, valid))
    card = ModelCard(model.card.model, LAYOUT)
    save_bundle(tmp_path / "other", card, {})
    with pytest.raises(CheckpointError, match="--task prediction"):
        PredictionModel.from_pretrained(tmp_path / "other")
