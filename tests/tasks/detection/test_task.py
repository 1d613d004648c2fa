"""Detectors of encoders that learned from resampled recordings, and of tokens of several frames, by runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hitrs
from factories import tiny, untrimmed_store
from hitrs.config import Config, dump_config
from hitrs.data.store import Store
from hitrs.errors import ConfigError
from hitrs.experiments.plan import read_plan
from hitrs.experiments.runner import Runner
from hitrs.models.card_files import read_card
from hitrs.tasks.detection.config import DetectionConfig, DetectionHeadConfig
from hitrs.tasks.detection.model import DetectionModel
from hitrs.training.config import FinetuneOptimConfig, OptimConfig, PretrainConfig
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig

LIGHT = PreprocessingConfig(stream="fused", center="first", align="yaw", scale="body", frames=16, tubelet=4)
OPTIM = {"steps": 2, "batch_size": 2, "accumulation_steps": 1, "warmup_steps": 0}
CONFIG = Config(
    model=tiny(layers=1, window=2, stride=2, dilation=1, padded=False, frame_drop=0.5),
    preprocessing=LIGHT,
    augment=AugmentConfig(policy="views"),
    pretrain=PretrainConfig(optim=OptimConfig(**OPTIM)),
    tasks={
        "detect": DetectionConfig(
            head=DetectionHeadConfig(stride=2, hidden=8, layers=2),
            optim=FinetuneOptimConfig(**OPTIM),
            chunk_frames=24,
        )
    },
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return untrimmed_store(tmp_path_factory.mktemp("detection") / "store")


@pytest.fixture(scope="module")
def encoder(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder") / "run"
    return hitrs.pretrain(store, folder, config=CONFIG).model


def test_an_encoder_of_resampled_recordings_makes_a_detector(store, encoder, tmp_path) -> None:
    said: list[str] = []
    run = hitrs.finetune(
        store, tmp_path / "run", start=encoder, task="detection", config=CONFIG, notify=said.append
    )
    assert "note: detection sets preprocessing.frames of the encoder to 0; it was 16" in said
    model = DetectionModel.from_pretrained(run.model)
    assert model.card.preprocessing == PreprocessingConfig(
        stream="fused", center="first", align="yaw", scale="body", tubelet=4
    )
    assert model.card.trained["encoder_frames"] == 16
    assert model.card.trained["from"] == "pre-trained encoder"
    recording = store[0]
    assert len(hitrs.Detector(model)(recording).probabilities) == recording.n_frames != 16
    # a run goes on as it began
    again = hitrs.finetune(
        store, tmp_path / "run", start=encoder, task="detection", config=CONFIG, resume=True
    )
    assert again.results["metrics"] == run.results["metrics"]


def test_from_scratch_nothing_is_resampled_either(store, tmp_path) -> None:
    said: list[str] = []
    run = hitrs.finetune(store, tmp_path / "run", task="detection", config=CONFIG, notify=said.append)
    assert "note: detection sets preprocessing.frames to 0; it was 16" in said
    card = DetectionModel.from_pretrained(run.model).card
    assert card.preprocessing.frames == 0
    assert "encoder_frames" not in card.trained


def test_nothing_is_said_where_nothing_changes(store, tmp_path) -> None:
    said: list[str] = []
    config = CONFIG.changed({"preprocessing.frames": 0})
    hitrs.finetune(store, tmp_path / "run", task="detection", config=config, notify=said.append)
    assert not [line for line in said if "preprocessing" in line]


def test_a_causal_one_goes_by_the_frames_so_far_and_runs_online(store, tmp_path) -> None:
    causal = CONFIG.changed({"detect.head.causal": True})
    run = hitrs.finetune(store, tmp_path / "run", task="detection", config=causal)
    settings = read_card(run.model)[0].preprocessing
    assert (settings.align, settings.scale) == ("running", "running")
    whole, online = hitrs.Detector(run.model), hitrs.OnlineDetector(run.model)
    recording = store[1]
    expected = whole(recording).probabilities
    for frame, seen, row in zip(recording.positions, recording.valid, expected, strict=True):
        assert online.update(frame, seen).probabilities == pytest.approx(row, abs=1e-5)


def test_a_plan_takes_it_the_same_way(store, tmp_path) -> None:
    plan = tmp_path / "plan.yaml"
    data = {"store": store.path.name, "protocol": "subjects", "stream": "fused"}
    cells = [
        {"do": "pretrain", "id": "encoder", **data},
        {"do": "finetune", "task": "detection", "from": [None, "encoder"], **data},
    ]
    config = tmp_path / "light.yaml"
    dump_config(CONFIG, config)
    plan.write_text(json.dumps({"name": "light", "config": str(config), "cells": cells}))
    runner = Runner(read_plan(plan), store.path.parent, tmp_path / "runs", tmp_path / "results")
    for cell in runner.plan.cells:
        runner.run(cell)
    cards = [json.loads(file.read_text()) for file in (tmp_path / "runs").glob("**/model/config.json")]
    frames = [(card["task"], card["preprocessing"]["frames"]) for card in cards]
    assert sorted(frames) == [("detection", 0), ("detection", 0), ("pretraining", 16)]


def test_prediction_still_refuses_tubelets(store, tmp_path) -> None:
    head = {"observed": 10, "predicted": 4, "context": 8, "coefficients": 4}
    changes = {f"predict.head.{name}": value for name, value in head.items()}
    config = CONFIG.changed({"preprocessing.frames": 0, **changes})
    with pytest.raises(ConfigError, match=r"preprocessing\.tubelet = 4 .*`.*--preprocessing\.tubelet 1`"):
        hitrs.finetune(store, tmp_path / "run", task="prediction", config=config)


def test_the_light_configuration_is_one_of_a_detector() -> None:
    config = hitrs.load_config("light")
    assert config.detect.head.stride == config.model.window  # clips stand side by side, as in pre-training
    assert config.detect.head.hidden == 128
