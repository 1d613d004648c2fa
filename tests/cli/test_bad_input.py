"""Everything that people hand in by mistake: a message that says what is wrong, and nothing half-written."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from factories import JOINTS, LAYOUT, small_store
from hitrs import Recognizer
from hitrs.cli.main import main
from hitrs.data import Store, write_npz
from hitrs.data.recording import Recording
from hitrs.errors import CheckpointError, DataError, LayoutError
from hitrs.skeleton import Layout, get_layout


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with one good recording."""
    folder = tmp_path / "files"
    folder.mkdir()
    save(folder / "good.npz", motion())
    return folder


def motion(frames: int = 12) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(frames, 25, 3))


def save(path: Path, positions: np.ndarray, **more: object) -> None:
    np.savez(path, positions=positions, layout="ntu25", label="wave", subject=path.stem, **more)


def only_files(tmp_path: Path) -> bool:
    return [path.name for path in tmp_path.iterdir()] == ["files"]


def test_a_missing_folder(tmp_path: Path, fails) -> None:
    assert "there is no folder" in fails("import", tmp_path / "nowhere", tmp_path / "store")
    assert not list(tmp_path.iterdir())


def test_truncated_json(tmp_path: Path, tuned: str, fails) -> None:
    file = tmp_path / "a01_s01_e00_v01.json"
    file.write_text('{"file_name": "a01_s01_e00_v01", "skeletons": [[[0.1, 0.2', encoding="utf-8")
    said = fails("recognize", tuned, file)
    assert str(file) in said
    assert "JSON" in said


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        (np.zeros((5, 20, 3)), ["20", "ntu25", "25"]),
        (np.zeros((5, 25, 2)), ["2-D", "ntu25"]),
        (np.full((5, 25, 3), np.inf), ["frame 0", "pelvis", "inf"]),
        (np.zeros((0, 25, 3)), ["empty"]),
    ],
    ids=["joints", "dimensions", "infinite", "empty"],
)
def test_a_recording_that_is_not_usable(
    positions: np.ndarray, words: list[str], tmp_path: Path, files: Path, fails
) -> None:
    save(files / "bad.npz", positions)
    said = fails("import", files, tmp_path / "store", "--strict")
    assert str(files / "bad.npz") in said
    assert all(word in said for word in words)
    assert only_files(tmp_path)


def test_it_is_left_out_and_listed(tmp_path: Path, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(files / "bad.npz", np.zeros((0, 25, 3)))
    assert main(["import", str(files), str(tmp_path / "store")]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1] == "recordings  1"
    assert "! left out  1 file that could not be read:" in shown
    assert any("bad.npz" in line for line in shown)


def test_a_long_list_says_how_many_more(tmp_path: Path, files: Path, said) -> None:
    for number in range(30):
        save(files / f"bad{number}.npz", np.zeros((0, 25, 3)))
    shown = said("import", files, tmp_path / "store")
    assert "and 20 more; `hitrs inspect STORE --json` lists all of them" in shown
    assert "more (--json lists all)" in said("inspect", tmp_path / "store")
    assert len(json.loads(said("inspect", tmp_path / "store", "--json"))["quarantined"]) == 30


def test_an_unknown_layout_in_the_first_file_is_left_out(
    tmp_path: Path, files: Path, capsys: pytest.CaptureFixture[str], fails
) -> None:
    bad, other = files / "a.npz", files / "z.npz"
    np.savez(bad, positions=motion(), layout="ntu26")
    np.savez(other, positions=np.ones((3, 20, 3)), layout="kinect20")
    assert main(["import", str(files), str(tmp_path / "store")]) == 0
    shown = capsys.readouterr().out
    assert f"{bad}: there is no layout 'ntu26'; did you mean 'ntu25'?" in shown
    assert f"{other}: recording 'z' has layout 'kinect20', but the store is for 'ntu25'" in shown
    for file in (files / "good.npz", other):
        file.unlink()
    np.savez(other, positions=motion(), layout="ntu27")
    assert f"{bad}: there is no layout 'ntu26'" in fails("import", files, tmp_path / "again")


def test_npz_of_another_kind(tmp_path: Path, tuned: str, fails) -> None:
    np.savez(tmp_path / "a.npz", xyz=motion())
    said = fails("recognize", tuned, tmp_path / "a.npz")
    assert "npz (arrays with a key `positions` or `joints`)" in said
    assert "`hitrs import --format`" in said


def test_a_store_below_a_file(tmp_path: Path, files: Path, fails) -> None:
    (tmp_path / "a.py").write_text("", encoding="utf-8")
    store = tmp_path / "a.py" / "store"
    said = f"cannot write {store}: {tmp_path / 'a.py'} is a file."
    assert said in fails("import", files, store)
    assert said in fails("import", "synthetic", store, "--size", "tiny")


def test_nan_is_a_joint_that_was_not_seen(tmp_path: Path, files: Path) -> None:
    positions = motion()
    positions[3, 4] = np.nan
    save(files / "gap.npz", positions)
    assert main(["import", str(files), str(tmp_path / "store")]) == 0
    store = Store.open(tmp_path / "store")
    gap = next(recording for recording in store if recording.name == "gap")
    assert not gap.valid[3, 0, 4]
    assert gap.valid.sum() == gap.valid.size - 1


def test_one_frame_goes_all_the_way(tmp_path: Path, quick: str) -> None:
    """Recordings of one frame among others: pre-trained on, trained on, recognized."""
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(8):
        positions = motion(1 if number % 2 else 12) + number
        np.savez(folder / f"{number}.npz", positions=positions, layout="ntu25", label=f"{number // 4}")
    assert main(["import", str(folder), str(tmp_path / "store"), "--split", "random"]) == 0
    words = ["--config", quick, "--pretrain.optim.steps", "2"]
    assert main(["pretrain", str(tmp_path / "store"), *words, "--out", str(tmp_path / "a")]) == 0
    words = ["--from", str(tmp_path / "a"), "--config", quick, "--recognize.optim.steps", "2"]
    assert main(["finetune", str(tmp_path / "store"), *words, "--out", str(tmp_path / "b")]) == 0
    assert main(["recognize", str(tmp_path / "b"), str(folder / "1.npz")]) == 0


def test_labels_that_name_no_file(tmp_path: Path, files: Path, fails) -> None:
    (files / "labels.csv").write_text("file,label\nbaad,wave\n", encoding="utf-8")
    said = fails("import", files, tmp_path / "store")
    assert "baad" in said
    assert only_files(tmp_path)


@pytest.mark.parametrize("name", ["shards/00000/positions.f32", "labels.npy", "store.json"])
@pytest.mark.parametrize("words", [["inspect"], ["pretrain", "--out", "run"], ["finetune", "--out", "run"]])
def test_a_store_cut_short(
    words: list[str], name: str, store: str, tmp_path: Path, fails, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(store, "store")
    content = Path("store", name).read_bytes()
    Path("store", name).write_bytes(content[: len(content) // 2])
    said = fails(words[0], "store", *words[1:])
    assert "store" in said
    assert "damaged" in said or "cut short" in said or "not valid" in said or "cannot be read" in said
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_model_of_another_layout(tmp_path: Path, tuned: str, pretrained: str, quick: str, fails) -> None:
    strange = Layout("strange", tuple(f"marker_{n}" for n in range(6)), LAYOUT.parents, LAYOUT.pairs, 0)
    other = small_store(tmp_path / "store", layout=strange).path
    for words in (["evaluate", other, tuned], ["probe", other, pretrained]):
        said = fails(*words)
        assert "marker_0" in said
        assert "toy" in said
    words = ["--from", pretrained, "--config", quick, "--out", tmp_path / "run"]
    assert "marker_0" in fails("finetune", other, *words)
    assert not (tmp_path / "run").exists()


def test_2d_input_to_a_3d_model(tmp_path: Path, tuned: str, fails) -> None:
    layout = get_layout("coco17")
    flat = Recording(np.ones((9, 1, 17, 2)), np.ones((9, 1, 17), bool), layout, name="flat")
    write_npz(flat, tmp_path / "flat.npz")
    said = fails("recognize", tuned, tmp_path / "flat.npz")
    assert "2-D" in said
    assert "3-D" in said


def test_2d_stores_are_scaled_by_body_size(tmp_path: Path, quick: str) -> None:
    """Pixels depend on the camera, so that raw ones must not reach a model."""
    layout = Layout("flat", LAYOUT.joints, LAYOUT.parents, LAYOUT.pairs, 0, 2)
    store = small_store(tmp_path / "store", layout=layout).path
    words = ["--config", quick, "--pretrain.optim.steps", "1", "--out", str(tmp_path / "run")]
    assert main(["pretrain", str(store), *words]) == 0
    assert "scale: body" in (tmp_path / "run" / "config.yaml").read_text(encoding="utf-8")


def test_an_unknown_config_key(tmp_path: Path, store: str, fails) -> None:
    (tmp_path / "mine.yaml").write_text("pretrain:\n  optim:\n    stepz: 3\n", encoding="utf-8")
    said = fails("pretrain", store, "--config", tmp_path / "mine.yaml", "--out", tmp_path / "run")
    assert "unknown key 'pretrain.optim.stepz'; did you mean 'steps'?" in said
    assert not (tmp_path / "run").exists()


def test_a_value_that_makes_no_sense(store: str, quick: str, tmp_path: Path, fails) -> None:
    said = fails("pretrain", store, "--config", quick, "--out", tmp_path / "run", "--model.width", "7")
    assert "model.width must be a multiple of 4" in said
    assert not (tmp_path / "run").exists()


def test_no_model_where_one_was_named(store: str, pretrained: str, tmp_path: Path, fails) -> None:
    assert "is not a model directory" in fails("probe", store, tmp_path)
    assert "is a pre-trained encoder, which has no figures of its own" in fails("evaluate", store, pretrained)
    assert "is a pre-trained model without a head for recognition" in fails(
        "recognize", pretrained, tmp_path / "a.npz"
    )


def test_a_class_that_the_model_does_not_know(tmp_path: Path, tuned: str, store: str, fails) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for label, recording in zip(("jump", "nod"), Store.open(store), strict=False):
        recording.label = label
        write_npz(recording, folder / f"{label}.npz")
    assert main(["import", str(folder), str(tmp_path / "own")]) == 0
    assert "does not know the class 'jump'" in fails("evaluate", tmp_path / "own", tuned)


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk(tmp_path: Path, store: str, quick: str, files: Path, fails, monkeypatch) -> None:
    """The last step of every write is a rename; here it fails as a write on a full disk does."""
    monkeypatch.setattr("os.replace", full_disk)
    assert "the disk is full" in fails("import", files, tmp_path / "store")
    assert "the disk is full" in fails("pretrain", store, "--config", quick, "--out", tmp_path / "run")
    assert only_files(tmp_path)


def test_a_disk_that_fills_up_while_training(
    tmp_path: Path, store: str, quick: str, fails, monkeypatch
) -> None:
    monkeypatch.setattr("hitrs.training.checkpoint.save_file", full_disk)
    said = fails("pretrain", store, "--config", quick, "--out", tmp_path / "run")
    assert "could not write the checkpoint" in said
    assert not (tmp_path / "run").exists()


def test_joints_without_a_reading_are_refused_by_name(tmp_path: Path, tuned: str, fails) -> None:
    blind = Recording(np.zeros((5, 1, JOINTS, 3)), np.zeros((5, 1, JOINTS), bool), LAYOUT, name="blind")
    write_npz(blind, tmp_path / "blind.npz")
    assert "'blind': no joint was seen" in fails("recognize", tuned, tmp_path / "blind.npz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path, files: Path, tuned: str, fails) -> None:
    """Nobody writes to it, so reading it would never end."""
    os.mkfifo(tmp_path / "pipe.npz")
    assert "there is no file" in fails("recognize", tuned, tmp_path / "pipe.npz")
    assert "is not a model directory" in fails("recognize", tmp_path / "pipe.npz", files / "good.npz")
    for name in ("config.json", "model.safetensors"):
        model = shutil.copytree(Path(tuned) / "model", tmp_path / name.replace(".", "-"))
        (model / name).unlink()
        os.mkfifo(model / name)
        assert str(model) in fails("recognize", model, files / "good.npz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_one_odd_file_does_not_stop_an_import(tmp_path: Path, files: Path) -> None:
    os.mkfifo(files / "pipe.npz")
    os.mkfifo(files / "frame_000000000001_keypoints.json")
    (files / "gone.npz").symlink_to(files / "nowhere.npz")
    (files / "loop.npz").symlink_to(files / "loop.npz")
    (files / "folder.npz").mkdir()
    save(files / os.fsdecode(b"caf\xe9.npz"), motion())  # Latin-1, which is no UTF-8
    assert main(["import", str(files), str(tmp_path / "store")]) == 0
    store = Store.open(tmp_path / "store")
    assert sorted(store.name(n) for n in range(len(store))) == ["caf\\udce9", "good"]
    left_out = {item["source"] for item in store.meta["quarantined"]}
    assert {"pipe.npz", "gone.npz", "loop.npz"} <= left_out


def test_links_in_a_circle(tmp_path: Path, files: Path) -> None:
    """Two links to the folder itself are 2^40 folders to whoever follows them."""
    for name in ("a", "b"):
        (files / name).symlink_to(".", target_is_directory=True)
    (tmp_path / "elsewhere").mkdir()
    save(tmp_path / "elsewhere" / "linked.npz", motion())
    (files / "c").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert main(["import", str(files), str(tmp_path / "store")]) == 0
    store = Store.open(tmp_path / "store")
    assert sorted(store.name(n) for n in range(len(store))) == ["c/linked", "good"]


@pytest.mark.parametrize("bad", ["file", "/proc/nowhere"])
def test_places_that_cannot_be_written(
    bad: str, store: str, quick: str, tuned: str, tmp_path: Path, fails
) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / bad
    if not place.parent.is_dir():
        pytest.skip("needs /proc")
    plan = tmp_path / "plan.yaml"
    cell = f"{{do: knn, store: {Path(store).name}, protocol: {Store.open(store).protocols[0]}}}"
    plan.write_text(f"name: p\nconfig: {quick}\ncells: [{cell}]\n", encoding="utf-8")
    table = ["table", plan, "--stores", Path(store).parent]
    assert "cannot write" in fails(*table, "--runs", place / "x", "--results", tmp_path / "results")
    assert "cannot write" in fails(*table, "--runs", tmp_path / "runs", "--results", place / "x")
    assert "cannot write" in fails("layouts", "ntu25", "--out", place / "x.png")
    assert "cannot write" in fails("convert", tuned, place / "x.pth")
    recording = tmp_path / "a.npz"
    write_npz(Store.open(store)[0], recording)
    assert "cannot write" in fails("recognize", tuned, recording, "--gif", place / "x.gif")


def test_a_path_that_the_system_refuses(tuned: str, fails) -> None:
    assert "cannot use" in fails("recognize", tuned, "x" * 300)
    assert "cannot use" in fails("recognize", "x" * 300, "a.npz")


def test_a_label_of_thousands_of_digits(files: Path, tmp_path: Path, said) -> None:
    """Python makes no number of them, and classes are sorted by the numbers in their names."""
    long = "1" * 5000
    np.savez(files / "long.npz", positions=motion(), layout="ntu25", label=long, subject=f"s{long}")
    np.savez(files / "two.npz", positions=motion(), layout="ntu25", label="2", subject="s2")
    assert main(["import", str(files), str(tmp_path / "store")]) == 0
    store = Store.open(tmp_path / "store")
    assert store.classes == ("2", long, "wave")
    assert "recordings    3" in said("inspect", tmp_path / "store")


def test_a_class_is_no_formula_in_a_table(tuned: str, store: str, tmp_path: Path, said) -> None:
    model = shutil.copytree(Path(tuned) / "model", tmp_path / "model")
    card = (model / "config.json").read_text(encoding="utf-8")
    for name in Store.open(store).classes:
        assert f'"{name}"' in card
        card = card.replace(f'"{name}"', f'"=cmd|{name}"')
    (model / "config.json").write_text(card.replace('"sha256"', '"not_sealed"'), encoding="utf-8")
    write_npz(Store.open(store)[0], tmp_path / "a.npz")
    said("recognize", model, tmp_path / "a.npz", "--out", tmp_path / "found.csv")
    cells = (tmp_path / "found.csv").read_text(encoding="utf-8").replace("\n", ",").split(",")
    assert sum(cell.startswith("'=cmd|") for cell in cells) == 1 + len(Store.open(store).classes)
    assert not any(cell.startswith("=") for cell in cells)


EVIL = "\x1b]0;owned\x07\x1b[2Jwave\x9b31m\u202e"


def test_no_control_characters_of_data_reach_a_terminal(
    files: Path, tmp_path: Path, store: str, tuned: str, said, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(files / "evil.npz", positions=motion(), layout="ntu25", label=EVIL, subject=EVIL)
    evil = tmp_path / f"{EVIL}.npz"
    write_npz(Store.open(store)[0], evil)
    assert main(["import", str(files), str(tmp_path / "store")]) == 0
    shown = [capsys.readouterr().out, said("inspect", tmp_path / "store"), said("recognize", tuned, evil)]
    as_json = [said("inspect", tmp_path / "store", "--json"), said("recognize", tuned, evil, "--json")]
    for text in (*shown, *as_json):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert json.loads(as_json[1])[0]["file"] == str(evil)
    assert EVIL in as_json[0].encode().decode("unicode_escape")


def test_a_store_or_a_model_where_files_belong(store: str, tuned: str, tmp_path: Path, fails) -> None:
    for taken in (
        fails("import", store, tmp_path / "x"),
        fails("recognize", store, store),
    ):
        assert "it is a store, as `hitrs import` makes them; `hitrs inspect`" in taken
    for taken in (
        fails("import", tuned, tmp_path / "x"),
        fails("inspect", tuned),
        fails("recognize", tuned, tuned),
        fails("probe", tuned, store),
        fails("evaluate", Path(tuned) / "model", tuned),
    ):
        assert "it is a model; `hitrs recognize`" in taken
    assert not (tmp_path / "x").exists()


def test_a_store_where_python_expects_a_model_or_a_recording(store: str, tuned: str) -> None:
    opened = Store.open(store)
    with pytest.raises(CheckpointError, match=r"is made of a model, .* not of a Store"):
        Recognizer(opened)
    recognizer = Recognizer(tuned)
    with pytest.raises(DataError, match=r"a store of 24 recordings: give one of them, as store\[0\]"):
        recognizer(opened)
    with pytest.raises(DataError, match=r"it is a store, .*`hitrs.Store.open`"):
        recognizer(store)
    assert len(recognizer.recognize_many(opened)) == 24


def test_joints_that_a_file_does_not_name_are_told(tuned: str, tmp_path: Path, said) -> None:
    """They were taken for the model's, in its order, without a word."""
    np.savez(tmp_path / "a.npz", positions=np.random.default_rng(0).normal(size=(40, JOINTS, 3)))
    told = f"taken for those of {LAYOUT.name}, in their order"
    assert told in said("recognize", tuned, tmp_path / "a.npz", "--as-is")
    assert told in " ".join(Recognizer(tuned)(tmp_path / "a.npz", as_is=True).notes)


def test_axes_in_another_order_are_told(tuned: str) -> None:
    recognizer = Recognizer(tuned)
    walk = np.random.default_rng(0).normal(size=(40, JOINTS, 3))
    with pytest.raises(
        LayoutError, match=r"shape \(6, 40, 3\) .* `np.transpose\(array, \(1, 0, 2\)\)` has 6"
    ):
        recognizer(walk.transpose(1, 0, 2))
    with pytest.raises(LayoutError, match="could be cmu25 or ntu25"):
        recognizer(np.ones((JOINTS, 25, 3)))  # six frames of another layout


def test_a_wrong_name_of_a_test_subject_goes_on_when_it_is_corrected(
    tmp_path: Path, files: Path, fails, said
) -> None:
    save(files / "two.npz", motion())
    message = fails("import", files, tmp_path / "store", "--test-subjects", "twoo")
    assert "there is no subject twoo; the subjects are good, two" in message
    assert "the corrected command goes on" in message
    assert "recordings  2" in said("import", files, tmp_path / "store", "--test-subjects", "two")


def test_classes_that_differ_in_spelling_alone_are_told(tmp_path: Path, files: Path, said) -> None:
    np.savez(files / "two.npz", positions=motion(), layout="ntu25", label="Wave", subject="b")
    assert "Wave and wave are 2 classes" in said("import", files, tmp_path / "store")
