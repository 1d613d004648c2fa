"""Stores and files in another unit than a model's: converted, told, and answered as the same in its unit."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import hitrs
from bodies import KINECT, people
from factories import CLASSES
from hitrs.data.cleaning import ToMeters, clean_store
from hitrs.data.space import measure_space
from hitrs.models.card_files import read_card
from hitrs.transforms.config import PreprocessingConfig
from predictors import predictor


def made(folder: Path, name: str, factor: float, size: float = 1.0) -> str:
    """12 recordings of waving people, three classes by pace, four subjects."""

    def recordings():
        for number in range(12):
            positions, valid = people(20, seed=number)
            positions[..., 1] += 0.2 * np.sin(np.arange(20) * (1 + number % 3))[:, None, None]
            yield hitrs.Recording(
                positions * np.float32(factor * size), valid, KINECT, f"r{number}", fps=30.0,
                label=CLASSES[number % 3], subject=str(number // 3),
            )  # fmt: skip

    parts = {"subjects": lambda recording: "test" if recording.subject == "3" else "train"}
    return str(hitrs.write_store(folder / name, recordings(), classes=CLASSES, protocols=parts).path)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """In meters, in millimeters, and of dolls that no unit explains."""
    folder = tmp_path_factory.mktemp("units")
    return made(folder, "m", 1.0), made(folder, "mm", 1000.0), made(folder, "dolls", 1.0, 0.3)


@pytest.fixture(scope="module")
def model(stores: tuple[str, str, str], quick: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(hitrs.finetune(stores[0], tmp_path_factory.mktemp("run") / "tuned", config=quick).folder)


def test_a_model_knows_what_it_was_trained_on(model: str) -> None:
    card, _ = read_card(Path(model) / "model")
    assert (card.space.unit, card.space.up, card.space.seen) == ("meters", "y", 1.0)
    assert card.space.bone_length == pytest.approx(0.2, rel=0.2)


def test_evaluation_converts_and_says_so(stores: tuple[str, str, str], model: str, said) -> None:
    meters, millimeters, dolls = stores
    plain = json.loads(said("evaluate", meters, model, "--json"))
    other = json.loads(said("evaluate", millimeters, model, "--json"))
    assert (plain["notes"], other["metrics"]) == ([], plain["metrics"])
    assert "converted from millimeters to meters" in other["notes"][0]
    assert "converted from millimeters to meters" in said("evaluate", millimeters, model)
    assert "no unit explains" in said("evaluate", dolls, model)


def test_in_python_it_is_a_warning(stores: tuple[str, str, str], model: str) -> None:
    with pytest.warns(UserWarning, match="converted from millimeters to meters"):
        hitrs.evaluate(stores[1], model)


@pytest.mark.parametrize("verb", ["probe", "finetune"])
def test_an_encoder_reads_a_store_of_another_unit(
    verb: str, stores: tuple[str, str, str], model: str, quick: str, tmp_path: Path, said
) -> None:
    words = {"probe": [model], "finetune": ["--from", model]}[verb]
    shown = said(verb, stores[1], *words, "--config", quick, "--out", tmp_path / "out")
    assert "converted from millimeters to meters" in shown
    folder = tmp_path / "out" if verb == "probe" else tmp_path / "out" / "model"
    card, _ = read_card(folder)
    assert card.space.unit == "meters"


def test_files_are_converted_unless_asked_not_to(
    stores: tuple[str, str, str], model: str, tmp_path: Path, said
) -> None:
    file = tmp_path / "a.npz"
    hitrs.write_npz(hitrs.Store.open(stores[1])[0], file)
    shown = said("recognize", model, file)
    assert "joints      20 of 20 matched, 20 seen on average" in shown
    assert "note        converted from millimeters to meters, as the model was trained" in shown
    assert "note" not in said("recognize", model, file, "--as-is")


def test_repairs_stand_in_the_card(stores: tuple[str, str, str], quick: str, tmp_path: Path) -> None:
    cleaned = clean_store(stores[1], tmp_path / "cleaned", [ToMeters("mm")])
    run = hitrs.finetune(cleaned, tmp_path / "run", config=quick)
    card, _ = read_card(run.model)
    assert card.trained["repairs"] == ["unit mm"]
    assert card.space.unit == "meters"


def test_a_predictor_that_scales_bodies_tells_errors_in_the_unit_of_the_file(tmp_path: Path, said) -> None:
    own = predictor(layout=KINECT, preprocessing=PreprocessingConfig(scale="body"))
    own.card = dataclasses.replace(own.card, space=measure_space(*people(30), KINECT))
    own.save_pretrained(tmp_path / "model")
    positions, valid = people(30)
    shown = []
    for name, factor in (("meters", 1.0), ("centimeters", 100.0)):
        hitrs.write_npz(hitrs.Recording(positions * np.float32(factor), valid, KINECT), tmp_path / "a.npz")
        shown.append(said("predict", tmp_path / "model", tmp_path / "a.npz", "--at", 20).splitlines())
        continuation = hitrs.Predictor(tmp_path / "model")(tmp_path / "a.npz", at=20)
        assert continuation.unit == continuation.to_dict()["unit"] == name
    errors = [[float(word) for word in lines[-2].split()[1:]] for lines in shown]
    assert shown[0][-2].split()[0] == "mm"
    assert 0 < errors[0][0] < 10_000
    np.testing.assert_allclose(errors[0], errors[1], atol=0.11)
