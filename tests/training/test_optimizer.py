"""The learning rate over the steps, and which parameters decay."""

import dataclasses
import itertools
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from detectors import detector
from factories import JOINTS, LAYOUT, tiny
from hitrs.config import Config
from hitrs.errors import ConfigError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.pretext.objective import PretextObjective
from hitrs.tasks.recognition.config import RecognitionConfig, RecognitionEvalConfig, RecognitionLossConfig
from hitrs.tasks.recognition.model import RecognitionModel, RecognitionObjective
from hitrs.training.config import FinetuneOptimConfig, OptimConfig
from hitrs.training.optimizer import learning_rate, make_optimizer, no_weight_decay
from predictors import predictor


def test_the_papers_rate() -> None:
    config = OptimConfig()
    assert learning_rate(config, 0) == 0
    assert learning_rate(config, 500) == pytest.approx(2e-4)
    assert learning_rate(config, 1_000) == pytest.approx(4e-4)
    assert learning_rate(config, 25_500) == pytest.approx((4e-4 + 2e-6) / 2)
    assert learning_rate(config, 50_000) == pytest.approx(2e-6)


def test_the_papers_finetuning_halves_after_epochs_20_30_40_50_60_of_70() -> None:
    config = dataclasses.replace(RecognitionConfig().optim, steps=70, lr=1.0)
    rates = [learning_rate(config, epoch) for epoch in range(70)]
    assert rates == [1.0] * 20 + [0.5] * 10 + [0.25] * 10 + [0.125] * 10 + [0.0625] * 10 + [0.03125] * 10


@given(
    schedule=st.sampled_from(["linear", "cosine", "constant"]),
    steps=st.integers(2, 200),
    warmup_steps=st.integers(0, 50),
)
def test_up_then_down(schedule: str, steps: int, warmup_steps: int) -> None:
    config = OptimConfig(steps=steps, warmup_steps=warmup_steps, schedule=schedule, lr=1.0, final_lr=0.1)
    rates = [learning_rate(config, step) for step in range(steps + 1)]
    assert rates[: warmup_steps + 1] == pytest.approx(
        [s / warmup_steps if s < warmup_steps else 1.0 for s in range(warmup_steps + 1)][: steps + 1]
    )
    falling = rates[warmup_steps:]
    assert all(a >= b for a, b in itertools.pairwise(falling))
    if falling:
        assert falling[0] == 1.0
    if warmup_steps < steps:
        assert falling[-1] == pytest.approx(1.0 if schedule == "constant" else 0.1)
        middle = learning_rate(config, warmup_steps + (steps - warmup_steps) // 2)
        part = ((steps - warmup_steps) // 2) / (steps - warmup_steps)
        expected = {
            "constant": 1.0,
            "linear": 1 - 0.9 * part,
            "cosine": 0.1 + 0.9 * (1 + math.cos(math.pi * part)) / 2,
        }
        assert middle == pytest.approx(expected[schedule])


def test_what_does_not_decay() -> None:
    objective = PretextObjective(HiTRS(tiny(), JOINTS), {"views": 1.0})
    optimizer = make_optimizer(objective, OptimConfig(weight_decay=0.3))
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert len(decay) == len(list(objective.parameters()))
    spared, decayed = set(), set()
    for name, parameter in objective.named_parameters():
        (decayed if decay[id(parameter)] else spared).add(name)
    assert set(decay.values()) == {0.0, 0.3}
    for name in spared:
        norm = "norm" in name or name == "encoder.frame.embed.2.weight"
        assert name.endswith((".bias", ".pos_embed", ".fusion_token")) or norm, name
    for name in decayed:
        assert name.endswith(".weight"), name
        assert objective.get_parameter(name).ndim == 2, name
    embeddings = {f"encoder.{level}.pos_embed" for level in ("frame", "clip", "video")}
    assert embeddings | {"encoder.clip.fusion_token", "encoder.video.fusion_token"} <= spared
    assert {"encoder.frame.stack.layers.0.qkv.weight", "tasks.future_clip.head.weight"} <= decayed


def recognizer() -> nn.Module:
    card = ModelCard(tiny(), LAYOUT, classes=("a", "b"))
    return RecognitionObjective(RecognitionModel(HiTRS(tiny(), JOINTS), card))


@pytest.mark.parametrize(
    "make",
    [
        lambda: HiTRS(tiny(), JOINTS),
        lambda: PretextObjective(HiTRS(tiny(), JOINTS), {"views": 1.0}),
        recognizer,
        detector,
        predictor,
        lambda: predictor(context=0),
    ],
    ids=["encoder", "pretext", "recognizer", "detector", "predictor", "poses alone"],
)
def test_groups_are_those_of_the_names(make: Callable[[], nn.Module]) -> None:
    """The order of groups and of parameters in them is part of a checkpoint."""
    module, by_name = make(), {}
    for name, parameter in module.named_parameters():
        decays = parameter.ndim >= 2 and not name.endswith((".pos_embed", ".fusion_token"))
        in_encoder = "encoder." in name or isinstance(module, HiTRS)
        by_name.setdefault((decays, in_encoder), []).append(parameter)
    groups = make_optimizer(module, OptimConfig(weight_decay=0.3), 0.1).param_groups
    assert len(groups) == len(by_name)
    for group, ((decays, in_encoder), parameters) in zip(groups, by_name.items(), strict=True):
        assert [id(p) for p in group["params"]] == [id(p) for p in parameters]
        assert group["weight_decay"] == (0.3 if decays else 0.0)
        assert group["scale"] == (0.1 if in_encoder else 1.0)


def test_a_head_can_spare_parameters_of_its_own() -> None:
    class Head(nn.Linear):
        def no_weight_decay(self) -> set[str]:
            return {"weight"}

    assert no_weight_decay(Head(2, 2)) == {"weight"}
    module = nn.Sequential(nn.Linear(2, 2), nn.Sequential(Head(2, 2)))
    assert no_weight_decay(module) == {"1.0.weight"}
    decayed = [g["params"] for g in make_optimizer(module, OptimConfig()).param_groups if g["weight_decay"]]
    assert [[id(p) for p in group] for group in decayed] == [[id(module[0].weight)]]


def test_frozen_parameters_are_left_out() -> None:
    encoder = HiTRS(tiny(), JOINTS)
    encoder.frame.requires_grad_(False)
    held = {id(p) for g in make_optimizer(encoder, OptimConfig()).param_groups for p in g["params"]}
    assert held == {id(p) for name, p in encoder.named_parameters() if not name.startswith("frame.")}


@pytest.mark.parametrize(
    ("kind", "values", "name"),
    [
        (OptimConfig, {"steps": 0}, "steps"),
        (OptimConfig, {"lr": 0.0}, "lr"),
        (OptimConfig, {"lr": math.nan}, "lr"),
        (OptimConfig, {"max_grad_norm": 0.0}, "max_grad_norm"),
        (OptimConfig, {"warmup_steps": -1}, "warmup_steps"),
        (OptimConfig, {"schedule": "steps"}, "schedule must be one of linear, cosine, halving, constant"),
        (RecognitionEvalConfig, {"test_views": 0}, "test_views"),
        (RecognitionLossConfig, {"label_smoothing": 1.0}, "label_smoothing"),
        (FinetuneOptimConfig, {"batch_size": 0}, "batch_size"),
        (Config, {"min_frames": 20, "max_frames": 10}, "min_frames"),
    ],
)
def test_values_that_make_no_run(kind, values: dict[str, float], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        kind(**values)


def test_the_defaults_are_the_papers() -> None:
    config = Config()
    assert (
        config.pretrain.optim.batch_size,
        config.pretrain.optim.accumulation_steps,
        config.pretrain.optim.max_grad_norm,
    ) == (64, 4, 1.0)
    assert (config.pretrain.optim.weight_decay, config.max_frames) == (0.01, 300)
    assert (config.recognize.optim.batch_size, config.recognize.optim.accumulation_steps) == (32, 4)
    assert torch.tensor([config.model.width, config.model.heads, config.model.layers]).tolist() == [128, 8, 3]
