"""The detector's loss against a loop, and its class weights."""

import pytest
import torch

from hitrs.tasks.detection.objective import JUMP, DetectionObjective, class_weights


class Fixed(torch.nn.Module):
    """Gives the scores that it was made with."""

    def __init__(self, logits: torch.Tensor):
        super().__init__()
        self.logits = torch.nn.Parameter(logits)
        self.encoder = torch.nn.Linear(1, 1)

    def forward(self, batch: object) -> torch.Tensor:
        return self.logits


def test_the_loss_is_what_a_loop_computes() -> None:
    torch.manual_seed(0)
    logits, weights = 4 * torch.randn(2, 5, 3), torch.tensor([0.5, 2.0, 1.0])
    labels = torch.tensor([[0, 1, 1, 2, 2], [2, 2, 0, -1, -1]])
    loss, metrics = DetectionObjective(Fixed(logits), weights, smoothness=0.5)(None, labels)

    entropy = total = right = 0.0
    jumps = []
    for row in range(2):
        frames = [t for t in range(5) if labels[row, t] >= 0]
        for t in frames:
            log = logits[row, t].log_softmax(-1)
            entropy -= weights[labels[row, t]] * log[labels[row, t]]
            total += weights[labels[row, t]]
            right += float(logits[row, t].argmax() == labels[row, t]) / 8
            if t - 1 in frames:
                before = logits[row, t - 1].log_softmax(-1)
                jumps += [min(abs(float(a - b)), JUMP) ** 2 for a, b in zip(log, before, strict=True)]
    assert loss.item() == pytest.approx(float(entropy / total) + 0.5 * sum(jumps) / len(jumps), rel=1e-5)
    assert metrics["accuracy"].item() == pytest.approx(right)


def test_weights_lift_the_rare_and_keep_the_mean() -> None:
    labels = torch.tensor([2] * 90 + [0] * 9 + [1])
    plain, balanced = class_weights(labels, 4, 0.0), class_weights(labels, 4, 1.0)
    assert plain.tolist() == pytest.approx([1.0] * 4, rel=0.02)
    assert (balanced[0] / balanced[2]).item() == pytest.approx(10.0)
    assert balanced[1] == balanced[3]  # one frame, none
    counts = torch.bincount(labels, minlength=4)
    assert ((balanced * counts).sum() / 100).item() == pytest.approx(1.0, rel=0.02)


def test_a_frozen_encoder_stays_in_eval_mode_and_gets_no_gradient() -> None:
    objective = DetectionObjective(Fixed(torch.zeros(1, 2, 3)), torch.ones(3), 0.0, frozen=True).train()
    assert not objective.model.encoder.training
    assert objective.model.training
    assert not any(p.requires_grad for p in objective.model.encoder.parameters())
