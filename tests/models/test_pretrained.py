"""A model directory: what goes in comes out, and what is damaged is named."""

import dataclasses
import json
import os
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError

from factories import JOINTS, LAYOUT, sequences, tiny
from hitrs.data.space import Space
from hitrs.errors import CheckpointError, LayoutError
from hitrs.models import pretrained
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.models.pretrained import load_pretrained, load_weights, resolve_pretrained, save_pretrained
from hitrs.skeleton.layout import Layout, get_layout
from hitrs.transforms.config import PreprocessingConfig

CARD = ModelCard(
    tiny(mode="paper", stride=3),
    LAYOUT,
    PreprocessingConfig(stream="bone", center="first", align="yaw", up="z"),
    classes=("wave", "nod"),
    persons=3,
    trained={"task": "recognition", "steps": 7},
)


@pytest.fixture
def encoder() -> HiTRS:
    torch.manual_seed(0)
    return HiTRS(CARD.model, JOINTS).eval()


@pytest.fixture
def folder(encoder: HiTRS, tmp_path: Path) -> Path:
    return encoder.save_pretrained(tmp_path / "model", CARD)


@torch.no_grad()
def test_round_trip(encoder: HiTRS, folder: Path) -> None:
    again = HiTRS.from_pretrained(folder)
    assert again.card == CARD
    assert not again.training
    batch = sequences([12, 30], seen=0.8)
    assert torch.equal(again(*batch).video, encoder(*batch).video)
    assert sorted(p.name for p in folder.parent.iterdir()) == ["model"]
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_run_folder_is_a_model_too(folder: Path) -> None:
    assert resolve_pretrained(folder.parent) == folder
    assert load_pretrained(str(folder.parent))[0] == CARD


@torch.no_grad()
def test_a_model_that_knows_what_joints_are_takes_another_layout(tmp_path: Path) -> None:
    kinect = get_layout("kinect20")
    space = Space("meters", "y", tuple(0.1 * (n + 1) for n in range(19)))
    card = ModelCard(
        tiny(joint_embedding="descriptor"), kinect, PreprocessingConfig(stream="fused"), space=space
    )
    encoder = HiTRS.untrained(card.model, kinect, card.preprocessing)
    folder = encoder.save_pretrained(tmp_path / "model", card)
    again = HiTRS.from_pretrained(folder, "ntu25")
    ntu = get_layout("ntu25")
    assert again.card.layout == ntu
    assert again.joints == 25
    for name, value in encoder.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    assert again(*sequences([12, 30], joints=25, coords=9)).video.shape == (2, encoder.video_width)
    bones = dict(zip(ntu.bones(), again.card.space.bones, strict=True))
    elbow = (ntu.index("left_elbow"), ntu.index("left_shoulder"))
    assert (
        bones[elbow] == space.bones[kinect.bones().index((kinect.index("left_elbow"), elbow_parent(kinect)))]
    )
    assert bones[(ntu.index("left_thumb"), ntu.parents[ntu.index("left_thumb")])] == 0  # has no counterpart


def elbow_parent(layout: Layout) -> int:
    return layout.parents[layout.index("left_elbow")]


def test_a_model_that_counts_joints_takes_its_own_layout_only(folder: Path) -> None:
    assert HiTRS.from_pretrained(folder, LAYOUT).card == CARD
    with pytest.raises(LayoutError, match=r"joints of layout 'toy'.*leave out the layout 'ntu25'"):
        HiTRS.from_pretrained(folder, "ntu25")


def test_an_older_model_is_replaced(encoder: HiTRS, folder: Path) -> None:
    newer = dataclasses.replace(CARD, classes=("other",))
    encoder.save_pretrained(folder, newer)
    assert load_pretrained(folder)[0].classes == ("other",)


def test_a_kill_between_two_moves_loses_nothing(folder: Path) -> None:
    """A model that is being replaced is moved aside first; until the new one is there it must be found."""
    for source in (folder, folder.parent):
        folder.rename(folder.with_name(".model.old"))
        assert load_pretrained(source)[0] == CARD
        assert folder.is_dir()


def test_other_folders_are_left_alone(
    encoder: HiTRS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path, "."):
        with pytest.raises(CheckpointError, match="holds something else than a model"):
            encoder.save_pretrained(place, CARD)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    assert encoder.save_pretrained("empty", CARD) == tmp_path / "empty"


@pytest.mark.parametrize("existing", [False, True])
def test_a_full_disk_leaves_what_was_there(
    encoder: HiTRS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    if existing:
        encoder.save_pretrained(tmp_path / "model", CARD)

    def full(tensors, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pretrained, "save_file", full)
    with pytest.raises(CheckpointError, match=r"could not write the model .*No space left.*free some space"):
        encoder.save_pretrained(tmp_path / "model", dataclasses.replace(CARD, classes=()))
    assert [p.name for p in tmp_path.iterdir()] == (["model"] if existing else [])
    if existing:
        assert load_pretrained(tmp_path / "model")[0] == CARD


def test_a_file_in_the_way(encoder: HiTRS, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a file")
    with pytest.raises(CheckpointError, match="could not write the model"):
        encoder.save_pretrained(tmp_path / "model", CARD)
    assert (tmp_path / "model").read_text() == "a file"


def test_there_is_no_model(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing", "./missing", "missing"):
        with pytest.raises(CheckpointError, match="is not a model directory"):
            load_pretrained(place)


def change_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    kept = {key: value for key, value in json.loads(path.read_text()).items() if key != "sha256"}
    path.write_text(json.dumps({**kept, **changes}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format_version": 1, "mod', "cannot be read"),
        ("[]", "is not a hitrs model configuration"),
        ("{}", "has model format None, this release reads 2 and 1; update hitrs"),
        ('{"format_version": 1}', "is not a hitrs model configuration: 'classes'"),
        ('{"format_version": 2}', "is not a hitrs model configuration: 'model'"),
    ],
)
def test_damaged_configuration(folder: Path, text: str, message: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load_pretrained(folder)


def test_configuration_that_is_no_text(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format_version", 99, "has model format 99"),
        ("model", {"width": 8, "depth": 3}, "depth"),
        ("model", {"width": 9}, "width"),
        ("layout", {"name": "x", "center": "a", "joints": [["a", "b"], ["b", "a"]]}, "root"),
        ("preprocessing", {"color": "red"}, "color"),
        (
            "preprocessing",
            {"stream": "sound"},
            "stream must be one of joint, bone, motion, fused, got 'sound'",
        ),
        ("model", {"mode": "fast"}, "mode must be one of default, paper, got 'fast'"),
        ("classes", None, "classes must be a list"),
    ],
)
def test_configuration_with_a_wrong_part(folder: Path, key: str, value: object, message: str) -> None:
    change_config(folder, **{key: value})
    with pytest.raises(CheckpointError, match=message):
        HiTRS.from_pretrained(folder)


def test_weights_cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        HiTRS.from_pretrained(folder)


@pytest.mark.parametrize("place", [-1, -200])
def test_a_flipped_bit_is_told(folder: Path, place: int) -> None:
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[place] ^= 0x40
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged.*download the model again"):
        load_pretrained(folder)
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del values["weights_sha256"], values["sha256"]
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    load_pretrained(folder)  # somebody changed it on purpose


def test_a_changed_card_is_told(folder: Path) -> None:
    """Another number there gave another answer, without a word."""
    path = folder / "config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["preprocessing"]["frames"] = 40
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"damaged or was changed by hand.*remove sha256"):
        load_pretrained(folder)
    del values["sha256"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert load_pretrained(folder)[0].preprocessing.frames == 40  # somebody changed it on purpose


def test_weights_missing(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"cannot be read"):
        HiTRS.from_pretrained(folder)


def test_weights_of_another_model(encoder: HiTRS, folder: Path) -> None:
    change_config(folder, layout=get_layout("ntu25").to_dict())
    with pytest.raises(
        CheckpointError, match=r"the weights of .* do not fit its configuration: .* is .* and not "
    ):
        HiTRS.from_pretrained(folder)
    weights = {k: v for k, v in encoder.state_dict().items() if k != "clip.fusion_token"}
    with pytest.raises(CheckpointError, match=r"clip\.fusion_token is missing"):
        load_weights(encoder, weights, "here")


def test_data_of_another_layout_is_refused_by_the_model(folder: Path) -> None:
    with pytest.raises(LayoutError, match="25 joints"):
        HiTRS.from_pretrained(folder)(*sequences([9], joints=25))


def test_card_goes_through_json(tmp_path: Path) -> None:
    assert ModelCard.from_dict(json.loads(json.dumps(CARD.to_dict()))) == CARD
    save_pretrained(tmp_path / "m", CARD, {"x": torch.ones(2, 3).t()})  # also weights that are not contiguous
    assert torch.equal(load_pretrained(tmp_path / "m")[1]["x"], torch.ones(3, 2))


def test_a_model_of_the_hub_is_downloaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, sorted(allow_patterns)))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert load_pretrained("hub://someone/model")[0] == CARD
    assert asked == [("someone/model", ["config.json", "model.safetensors"])]


@pytest.mark.parametrize("path", ["runs/tunned", "tunned", "./runs/tunned", "/runs/tunned", "hub:/a/b"])
def test_a_path_is_never_asked_of_the_hub(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever owns that name there would supply the model."""

    def download(*_: object, **__: object) -> str:
        raise AssertionError

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(CheckpointError, match=f"^{path} is not a model directory: there is nothing") as no:
        load_pretrained(path)
    assert ("a model of the hub is hub://runs/tunned" in str(no.value)) == (path == "runs/tunned")


def test_a_model_that_the_hub_does_not_give(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, allow_patterns: list[str]) -> str:
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(CheckpointError, match="does not give the model hub://someone/model: no connection"):
        load_pretrained("hub://someone/model")
    with pytest.raises(CheckpointError, match="expected hub://owner/name"):
        load_pretrained("hub://model")


@pytest.mark.skipif(os.name == "nt", reason="no modes")
def test_a_model_has_the_mode_that_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        save_pretrained(tmp_path / "m", CARD, {"x": torch.ones(2)})
    finally:
        os.umask(before)
    assert {oct(file.stat().st_mode & 0o777) for file in (tmp_path / "m").iterdir()} == {"0o644"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x.to(torch.int64), "is int64"),
        (lambda x: x > 0, "is bool"),
        (lambda x: x.index_fill(0, torch.tensor([0]), float("nan")), "not finite"),
        (lambda x: x * float("inf"), "not finite"),
    ],
)
def test_weights_that_are_no_finite_numbers(encoder: HiTRS, tmp_path: Path, spoil, message: str) -> None:
    """They would load without a word, and be converted."""
    weights = {f"encoder.{name}": value.clone() for name, value in encoder.state_dict().items()}
    name = "encoder.frame.pos_embed"
    weights[name] = spoil(weights[name] + 1)
    save_pretrained(tmp_path / "spoiled", CARD, weights)
    with pytest.raises(CheckpointError, match=message) as refused:
        HiTRS.from_pretrained(tmp_path / "spoiled")
    assert "frame.pos_embed" in str(refused.value)
