"""The predictor's model: which frames it sees, what it makes of unseen joints, and its loss."""

from pathlib import Path

import pytest
import torch

from factories import JOINTS, LAYOUT, sequences
from hitrs.errors import CheckpointError
from hitrs.models.card import ModelCard
from hitrs.models.pretrained import save_pretrained
from hitrs.tasks.prediction.model import (
    PredictionModel,
    PredictionObjective,
    dct_basis,
    forward_fill,
    mean_distance,
)
from predictors import predictor


def observed(count: int = 3, frames: int = 10, seen: float = 0.9) -> tuple[torch.Tensor, torch.Tensor]:
    positions, valid, _ = sequences([frames] * count, seen)
    return positions, valid


def test_the_basis_is_orthonormal() -> None:
    basis = dct_basis(12, 12)
    torch.testing.assert_close(basis @ basis.T, torch.eye(12), atol=1e-6, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("context", [0, 3, 8])
def test_what_was_not_seen_does_not_matter(context: int) -> None:
    model = predictor(context=context)
    positions, valid = observed()
    valid[1, -3:] = False  # nothing at all in the last frames
    valid[2, :, 2] = False
    future = model(positions, valid)
    assert future.shape == (3, 5, JOINTS, 3)
    other = torch.where(valid[..., None], positions, torch.full_like(positions, 1e3))
    again = model(other, valid)
    known = valid.any(1)
    torch.testing.assert_close(future.transpose(1, 2)[known], again.transpose(1, 2)[known], atol=1e-5, rtol=0)


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
    tokens = model.encoder_tokens(encoder, positions, valid)
    positions[:, :7] += 1.0
    torch.testing.assert_close(model.encoder_tokens(encoder, positions, valid), tokens)
    positions[:, 7] += 1.0
    assert (model.encoder_tokens(encoder, positions, valid) - tokens).abs().max() > 1e-3


def test_forward_fill_against_a_loop() -> None:
    positions, valid = observed(seen=0.4)
    valid[0, :, 1] = False
    filled, seen = forward_fill(positions, valid, dim=1)
    for s in range(3):
        for j in range(JOINTS):
            known = [t for t in range(10) if valid[s, t, j]]
            assert bool(seen[s, j]) == bool(known)
            for t in range(10):
                if known:
                    before = [k for k in known if k <= t]
                    source = before[-1] if before else known[0]
                    assert (filled[s, t, j] == positions[s, source, j]).all()


def test_an_unseen_joint_stands_where_it_was_seen_last_or_first() -> None:
    positions, valid = torch.arange(4.0).view(4, 1, 1), torch.tensor([[False], [True], [True], [False]])
    filled, seen = forward_fill(positions, valid)
    assert filled[:, 0, 0].tolist() == [1, 1, 2, 2]
    assert seen.tolist() == [True]
    assert forward_fill(positions, torch.zeros(4, 1, dtype=torch.bool))[1].tolist() == [False]


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
    assert float(metrics["position"]) == pytest.approx(sum(distances) / len(distances), rel=1e-4)
    assert float(loss.detach()) > float(metrics["position"])


def test_a_distance_of_nothing_is_zero() -> None:
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    assert mean_distance(torch.ones(2, 3, 3), torch.zeros(2, 3, 3), nothing) == 0


def test_a_frozen_encoder_does_not_learn() -> None:
    objective = PredictionObjective(predictor(), velocity=1.0, freeze_encoder=True).train()
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
    save_pretrained(tmp_path / "other", card, {})
    with pytest.raises(CheckpointError, match="--task prediction"):
        PredictionModel.from_pretrained(tmp_path / "other")
