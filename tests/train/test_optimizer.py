"""The learning rate over the updates, and which parameters decay."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from factories import JOINTS, LAYOUT, tiny
from hitrs.errors import ConfigError
from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS
from hitrs.pretext.objective import PretextConfig, PretextObjective
from hitrs.tasks.recognition import RecognitionModel, RecognitionObjective
from hitrs.train.config import Config, RecognitionConfig
from hitrs.train.optimizer import OptimConfig, learning_rate, make_optimizer


def test_the_papers_rate() -> None:
    config = OptimConfig()
    assert learning_rate(config, 0) == 0
    assert learning_rate(config, 500) == pytest.approx(2e-4)
    assert learning_rate(config, 1_000) == pytest.approx(4e-4)
    assert learning_rate(config, 25_500) == pytest.approx((4e-4 + 2e-6) / 2)
    assert learning_rate(config, 50_000) == pytest.approx(2e-6)


def test_the_papers_finetuning_halves_after_epochs_20_30_40_50_60_of_70() -> None:
    config = RecognitionConfig(steps=70, lr=1.0)
    rates = [learning_rate(config, epoch) for epoch in range(70)]
    assert rates == [1.0] * 20 + [0.5] * 10 + [0.25] * 10 + [0.125] * 10 + [0.0625] * 10 + [0.03125] * 10


@given(
    schedule=st.sampled_from(["linear", "cosine", "constant"]),
    steps=st.integers(2, 200),
    warmup=st.integers(0, 50),
)
def test_up_then_down(schedule: str, steps: int, warmup: int) -> None:
    config = OptimConfig(steps=steps, warmup=warmup, schedule=schedule, lr=1.0, final_lr=0.1)
    rates = [learning_rate(config, step) for step in range(steps + 1)]
    assert rates[: warmup + 1] == pytest.approx(
        [s / warmup if s < warmup else 1.0 for s in range(warmup + 1)][: steps + 1]
    )
    falling = rates[warmup:]
    assert all(a >= b for a, b in itertools.pairwise(falling))
    if falling:
        assert falling[0] == 1.0
    if warmup < steps:
        assert falling[-1] == pytest.approx(1.0 if schedule == "constant" else 0.1)
        middle = learning_rate(config, warmup + (steps - warmup) // 2)
        part = ((steps - warmup) // 2) / (steps - warmup)
        expected = {
            "constant": 1.0,
            "linear": 1 - 0.9 * part,
            "cosine": 0.1 + 0.9 * (1 + math.cos(math.pi * part)) / 2,
        }
        assert middle == pytest.approx(expected[schedule])


def test_what_does_not_decay() -> None:
    objective = PretextObjective(HiTRS(tiny(), JOINTS), PretextConfig(views=1.0))
    optimizer = make_optimizer(objective, OptimConfig(weight_decay=0.3))
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert len(decay) == len(list(objective.parameters()))
    spared, decayed = set(), set()
    for name, parameter in objective.named_parameters():
        (decayed if decay[id(parameter)] else spared).add(name)
    assert set(decay.values()) == {0.0, 0.3}
    for name in spared:
        norm = "norm" in name or name == "encoder.frame.embed.2.weight"
        assert name.endswith((".bias", ".code", ".fusion")) or norm, name
    for name in decayed:
        assert name.endswith(".weight"), name
        assert objective.get_parameter(name).ndim == 2, name
    codes = {f"encoder.{level}.code" for level in ("frame", "clip", "video")}
    assert codes | {"encoder.clip.fusion", "encoder.video.fusion"} <= spared
    assert {"encoder.frame.stack.layers.0.qkv.weight", "tasks.future_clip.head.weight"} <= decayed


def test_an_encoder_can_learn_more_slowly_than_its_head() -> None:
    card = ModelCard(tiny(), LAYOUT, classes=("a", "b"))
    objective = RecognitionObjective(RecognitionModel(HiTRS(tiny(), JOINTS), card))
    scale = {
        id(p): g["scale"]
        for g in make_optimizer(objective, OptimConfig(), 0.1).param_groups
        for p in g["params"]
    }
    for name, parameter in objective.named_parameters():
        assert scale[id(parameter)] == (1.0 if "classifier" in name else 0.1), name


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
        (OptimConfig, {"clip": 0.0}, "clip"),
        (OptimConfig, {"warmup": -1}, "warmup"),
        (OptimConfig, {"schedule": "steps"}, "schedule must be one of linear, cosine, halving, constant"),
        (RecognitionConfig, {"test_views": 0}, "test_views"),
        (RecognitionConfig, {"label_smoothing": 1.0}, "label_smoothing"),
        (RecognitionConfig, {"batch_size": 0}, "batch_size"),
        (Config, {"min_frames": 20, "max_frames": 10}, "min_frames"),
    ],
)
def test_values_that_make_no_run(kind, values: dict[str, float], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        kind(**values)


def test_the_defaults_are_the_papers() -> None:
    config = Config()
    assert (config.pretrain.batch_size, config.pretrain.accumulate, config.pretrain.clip) == (64, 4, 1.0)
    assert (config.pretrain.weight_decay, config.max_frames) == (0.01, 300)
    assert (config.finetune.batch_size, config.finetune.accumulate) == (32, 4)
    assert torch.tensor([config.model.width, config.model.heads, config.model.layers]).tolist() == [128, 8, 3]
