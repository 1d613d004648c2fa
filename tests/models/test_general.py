"""The encoder that comes with the package: whole, small, said what it saw, and used by its name."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import hitrs
from hitrs.config import DEFAULT, differences, load_config
from hitrs.data.synthetic import make_synthetic
from hitrs.errors import CheckpointError
from hitrs.models.card_files import GENERAL, resolve_pretrained
from hitrs.models.encoder import HiTRS


def test_it_is_found_by_its_name_unless_a_folder_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_pretrained("general") == GENERAL
    (tmp_path / "general").mkdir()
    with pytest.raises(CheckpointError, match="general is not a model directory"):
        resolve_pretrained("general")


def test_it_is_small_and_whole() -> None:
    size = sum(file.stat().st_size for file in GENERAL.iterdir())
    assert size < 4e6
    with safe_open(GENERAL / "model.safetensors", "pt") as file:
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118  it is no mapping
    assert kinds == {torch.float16}
    encoder = HiTRS.from_pretrained("general")
    assert all(torch.isfinite(p).all() and p.dtype == torch.float32 for p in encoder.parameters())
    assert encoder.card.layout.name == "kinect20"
    assert encoder.card.preprocessing.scale == "body"


def test_who_starts_from_it_has_the_default_configuration() -> None:
    """Detectors made of it looked at frames to come, as the default did when it was trained."""
    own = load_config(GENERAL / "config.yaml")
    assert differences(own, load_config(DEFAULT)) == [("layout", "kinect20", "")]


def test_it_says_which_files_it_saw() -> None:
    seen = (GENERAL / "files.txt").read_text(encoding="utf-8").splitlines()
    card = json.loads((GENERAL / "config.json").read_text(encoding="utf-8"))["trained"]
    assert len(seen) == len(set(seen))
    by_set: dict[str, list[str]] = {}
    for line in seen:
        dataset, _, name = line.partition(": ")
        by_set.setdefault(dataset, []).append(name)
    assert set(by_set) == {"precog", "cmu-motion", "ui-prmd", "synthetic"}
    assert len(card["stores"]) == len(by_set)
    # the training parts: odd subjects, and what lies in train/
    assert all(int(Path(name).stem.split("_")[-1]) % 2 for name in by_set["precog"])
    assert all(int(Path(name).stem.split("_s")[1][:2]) % 2 for name in by_set["ui-prmd"])
    assert all(name.startswith("train/") for name in by_set["cmu-motion"])


def test_a_recognizer_from_it_without_more_than_its_name(tmp_path: Path) -> None:
    store = make_synthetic(tmp_path / "motion", size="tiny")
    run = hitrs.finetune(store, tmp_path / "run", start="general", config=quick())
    assert hitrs.Recognizer(run.model)(store[0]).label in store.classes


def quick() -> hitrs.Config:
    """The settings that stand beside it, for a moment's training."""
    own = hitrs.load_config(GENERAL / "config.yaml")
    return own.changed({"recognize.optim.steps": 2, "recognize.eval.test_views": 1})
