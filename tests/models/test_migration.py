"""Models and a store of format version 1 open, give the answers that they gave, and are saved as version 2.

The files were written by tests/fixtures/make_version1.py.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import hitrs
from factories import CLASSES, JOINTS, LAYOUT, small_store, tiny
from hitrs.data.recording import Recording
from hitrs.data.store import Store
from hitrs.errors import CheckpointError
from hitrs.models.card_files import read_card
from hitrs.models.encoder import HiTRS
from hitrs.models.migration import migrate_card, migrate_weights
from hitrs.models.pretrained import load_pretrained, load_weights, save_pretrained
from hitrs.pretext.objective import PretextObjective
from hitrs.pretext.registry import pretext_weights
from hitrs.tasks.base import get_task

VERSION1 = Path(__file__).parents[1] / "fixtures" / "version1"
TASKS = {"recognizer": "recognition", "detector": "detection", "predictor": "prediction"}


@pytest.fixture(scope="module")
def answers() -> dict:
    return json.loads((VERSION1 / "answers.json").read_text())


@pytest.fixture(scope="module")
def example() -> Recording:
    arrays = np.load(VERSION1 / "example.npz")
    return Recording(arrays["positions"], arrays["valid"], LAYOUT, name="example", fps=30.0)


@pytest.fixture(params=["version 1", "saved as version 2"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the models are: as they were written, or opened and saved again."""
    if request.param == "version 1":
        return VERSION1
    for name in ("pretrained", *TASKS):
        save_pretrained(tmp_path / name, *load_pretrained(VERSION1 / name))
        assert read_card(tmp_path / name)[1] == 2
    return tmp_path


def encode(encoder: HiTRS, recording: Recording) -> torch.Tensor:
    """The video feature of its first body, without preprocessing."""
    positions, valid = torch.from_numpy(recording.positions), torch.from_numpy(recording.valid)
    with torch.no_grad():
        return encoder(positions[None, :, 0], valid[None, :, 0], torch.tensor([recording.n_frames])).video[0]


def test_a_pretrained_encoder_gives_the_same_features(folder: Path, example, answers) -> None:
    encoder = HiTRS.from_pretrained(folder / "pretrained")
    torch.testing.assert_close(
        encode(encoder, example), torch.tensor(answers["pretrained"]), atol=1e-6, rtol=1e-5
    )
    assert encoder.card.model == tiny(layers=1)
    assert encoder.card.task == "pretraining"
    assert (encoder.card.preprocessing.center, encoder.card.preprocessing.align) == ("first", "yaw")


def test_the_heads_of_the_pretext_tasks_are_known(folder: Path) -> None:
    _, weights = load_pretrained(folder / "pretrained")
    weights_of_tasks = pretext_weights({"views": 1.0})
    load_weights(PretextObjective(HiTRS(tiny(layers=1), JOINTS), weights_of_tasks), weights, folder)


@pytest.mark.parametrize("name", TASKS)
def test_models_of_tasks_load(folder: Path, name: str) -> None:
    model = get_task(TASKS[name]).load(
        folder / name
    )  # every parameter must be known, and none may be missing
    assert model.card.task == TASKS[name]
    assert model.card.layout == LAYOUT


def test_a_recognizer_gives_the_same_probabilities(folder: Path, example, answers) -> None:
    recognizer = hitrs.Recognizer(folder / "recognizer")
    probabilities = {p.label: p.probability for p in recognizer(example).scores}
    assert probabilities == pytest.approx(answers["recognizer"], abs=1e-6)
    assert recognizer.classes == CLASSES
    assert recognizer.model.card.trained == {"task": "recognition", "steps": 3}


def test_a_detector_gives_the_same_probabilities(folder: Path, example, answers) -> None:
    detection = hitrs.Detector(folder / "detector")(example)
    someone = example.valid.any((1, 2))  # where nobody is there, version 1 had other rules
    expected = np.array(answers["detector"])
    np.testing.assert_allclose(detection.probabilities[someone], expected[someone], atol=1e-6, rtol=0)
    assert someone.sum() > 30


def test_a_predictor_gives_the_same_positions(folder: Path, example, answers) -> None:
    continuation = hitrs.Predictor(folder / "predictor")(example)
    np.testing.assert_allclose(continuation.positions, answers["predictor"], atol=1e-6, rtol=1e-6)


def test_a_store_opens_with_the_same_content(tmp_path: Path) -> None:
    old, new = Store.open(VERSION1 / "store", verify=True), small_store(tmp_path / "store", count=6)
    assert len(old) == len(new) == 6
    assert (old.layout, old.classes, old.protocols) == (new.layout, new.classes, new.protocols)
    for i in range(6):
        assert old.name(i) == new.name(i)
        assert np.array_equal(old.positions(i), new.positions(i))
        assert np.array_equal(old.valid(i), new.valid(i))
    for column in ("frames", "persons", "labels", "subjects", "fps"):
        assert np.array_equal(getattr(old, column), getattr(new, column), equal_nan=True)
    assert old.split("subjects", "train").tolist() == new.split("subjects", "train").tolist()


def test_settings_that_have_moved() -> None:
    values = json.loads((VERSION1 / "detector" / "config.json").read_text())
    card = migrate_card(values, VERSION1 / "detector")
    assert "segments" not in card["head"]
    assert card["postprocessing"] == {"segments": values["head"]["segments"]}
    assert {**card["head"], "segments": values["head"]["segments"]} == values["head"]


def test_parameters_of_today_keep_their_names() -> None:
    weights = {
        "encoder.frame.pos_embed": 1,
        "encoder.clip.stack.layers.0.fc1.weight": 2,
        "head.expand.bias": 3,
    }
    assert migrate_weights(weights, 2) == weights


def test_a_version_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has model format 3, this release reads 2 and 1; update hitrs"):
        migrate_card({"format_version": 3}, tmp_path)
