"""Checkpoints of the authors' code: there and back, and nothing in them is run."""

import os
import pickle
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import yaml

from factories import JOINTS, LAYOUT, sequences, tiny
from hitrs.cli.main import main
from hitrs.models.authors import to_authors
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.models.pretrained import load_pretrained
from hitrs.pretext.objective import PretextObjective
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.transforms.batch import Batch
from hitrs.transforms.config import PreprocessingConfig
from predictors import predictor

CLASSES = ("wave", "nod", "bow")


@pytest.fixture(scope="module")
def layout_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("layout") / "toy.yaml"
    path.write_text(yaml.safe_dump(LAYOUT.to_dict()), encoding="utf-8")
    return str(path)


@pytest.fixture
def recognizer() -> RecognitionModel:
    torch.manual_seed(0)
    config = tiny(window=7, stride=7, dilation=2, mode="paper")
    return RecognitionModel(HiTRS(config, JOINTS), ModelCard(config, LAYOUT, classes=CLASSES)).eval()


@pytest.fixture
def theirs(recognizer: RecognitionModel) -> dict[str, torch.Tensor]:
    """A checkpoint as the authors release them."""
    return {f"module.{name}": value for name, value in to_authors(recognizer.state_dict()).items()}


def logits(model: RecognitionModel) -> torch.Tensor:
    positions, valid, lengths = sequences([20, 31], seen=0.9)
    with torch.no_grad():
        return model(Batch(positions[:, None], valid[:, None], lengths))


def test_the_logits_are_equal_after_the_way_there_and_back(
    recognizer: RecognitionModel, theirs: dict, layout_file: str, tmp_path: Path
) -> None:
    torch.save(OrderedDict(theirs), tmp_path / "a.pth")
    names = tmp_path / "classes.txt"
    names.write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    words = ["--heads", "2", "--layout", layout_file]
    there = ["convert", str(tmp_path / "a.pth"), str(tmp_path / "model"), *words, "--classes", str(names)]
    assert main(there) == 0
    model = RecognitionModel.from_pretrained(tmp_path / "model")
    assert model.card.classes == CLASSES
    assert torch.equal(logits(model), logits(recognizer))

    assert main(["convert", str(tmp_path / "model"), str(tmp_path / "back.pth")]) == 0
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    assert back.keys() == theirs.keys()
    assert all(torch.equal(back[name], theirs[name]) for name in theirs)


def test_a_pretraining_checkpoint_inside_another_dictionary(layout_file: str, tmp_path: Path) -> None:
    objective = PretextObjective(HiTRS(tiny(mode="paper"), JOINTS))
    content = {"epoch": 3, "state_dict": to_authors(objective.state_dict())}
    torch.save(content, tmp_path / "a.pth")
    words = ["--heads", "2", "--layout", layout_file]
    assert main(["convert", str(tmp_path / "a.pth"), str(tmp_path / "model"), *words]) == 0
    card, weights = load_pretrained(tmp_path / "model")
    assert card.classes == ()
    expected = objective.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert torch.equal(
        HiTRS.from_pretrained(tmp_path / "model").frame.pos_embed, objective.encoder.frame.pos_embed
    )


class Malicious:
    """Unpickling this would make a folder."""

    def __init__(self, folder: Path):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("form", ["torch", "inside", "pickle"])
def test_code_in_a_checkpoint_is_refused_and_not_run(form: str, theirs: dict, tmp_path: Path, fails) -> None:
    trap, file = Malicious(tmp_path / "pwned"), tmp_path / "evil.pth"
    if form == "pickle":
        file.write_bytes(pickle.dumps(trap, protocol=2))
    else:
        torch.save(trap if form == "torch" else {**theirs, "extra": trap}, file)
    assert "holds more than tensors" in fails("convert", file, tmp_path / "model", "--heads", "2")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.pth"]


def test_the_refusal_names_what_the_file_holds(theirs: dict, tmp_path: Path, fails) -> None:
    torch.save({"state_dict": theirs, "args": Namespace(lr=1)}, tmp_path / "a.pth")
    said = fails("convert", tmp_path / "a.pth", tmp_path / "model")
    assert "argparse.Namespace" in said
    assert "weights_only" not in said  # torch would suggest to switch the protection off


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_is_cut_short(share: float, zipped: bool, theirs: dict, tmp_path: Path, fails) -> None:
    file = tmp_path / "a.pth"
    torch.save(theirs, file, _use_new_zipfile_serialization=zipped)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    said = fails("convert", file, tmp_path / "model", "--heads", "2")
    assert "is no PyTorch checkpoint" in said
    assert not (tmp_path / "model").exists()


def test_what_else_can_be_wrong(theirs: dict, layout_file: str, tmp_path: Path, fails) -> None:
    def saved(content: object) -> Path:
        torch.save(content, tmp_path / "a.pth")
        return tmp_path / "a.pth"

    out = tmp_path / "model"
    words = ["--heads", "2", "--layout", layout_file]
    assert "there is no file" in fails("convert", tmp_path / "nothing.pth", out)
    assert "holds no Hi-TRS model" in fails("convert", saved({"conv.weight": torch.zeros(3)}), out)
    assert "holds no Hi-TRS model" in fails("convert", saved([1, 2]), out)
    assert "'step' is not a tensor" in fails("convert", saved({**theirs, "step": 3}), out)
    assert "name them with --heads" in fails("convert", saved(theirs), out, "--layout", layout_file)
    assert "name its --layout" in fails("convert", saved(theirs), out, "--heads", "2")
    assert "layout ntu25 has 25" in fails("convert", saved(theirs), out, "--heads", "2", "--layout", "ntu25")
    assert "3 heads do not divide" in fails(
        "convert", saved(theirs), out, "--heads", "3", "--layout", layout_file
    )
    wrong = {**theirs, "module.v_input_map.weight": torch.zeros(5, 5)}
    assert "do not fit" in fails("convert", saved(wrong), out, *words)
    names = tmp_path / "names.txt"
    names.write_text("one\ntwo\n", encoding="utf-8")
    assert "2 different names" in fails("convert", saved(theirs), out, *words, "--classes", names)
    assert not out.exists()
    out.mkdir()
    assert "exists already" in fails("convert", saved(theirs), out, *words)


def saved(folder: Path, model: RecognitionModel) -> str:
    return str(model.save_pretrained(folder))


def test_what_the_authors_code_cannot_hold_is_not_written(tmp_path: Path, fails) -> None:
    """Each of these became a file that could not be read back, or that was another model when it was."""
    out = tmp_path / "out.pth"
    assert "model.stride is 4, and there it is 7" in fails("convert", "general", out)
    fused = PreprocessingConfig(stream="fused")
    pooled = {"features": "pooled", "norm": False}
    cards = {
        "takes 9 numbers of a joint at once": ModelCard(tiny(), LAYOUT, fused, CLASSES),
        "its classifier reads pooled features": ModelCard(tiny(), LAYOUT, classes=CLASSES, head=pooled),
        "with random convolutions beside": ModelCard(
            tiny(), LAYOUT, classes=CLASSES, head={"convolutions": True}
        ),
        "model.padded is false, and there it is true": ModelCard(tiny(padded=False), LAYOUT, classes=CLASSES),
    }
    for number, (reason, card) in enumerate(cards.items()):
        model = saved(tmp_path / str(number), RecognitionModel.untrained(card))
        assert reason in fails("convert", model, out)
    plain = predictor().save_pretrained(tmp_path / "predictor")
    assert "it is a model for prediction" in fails("convert", plain, out)
    assert not out.exists()


def test_heads_that_are_left_out_are_named(pretrained: str, tmp_path: Path, said) -> None:
    """The quick configuration has the views task, which the authors do not."""
    shown = said("convert", pretrained, tmp_path / "a.pth")
    assert "their code does not have: views" in shown
    assert "masked here and zeros there" in shown
