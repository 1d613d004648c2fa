"""`hitrs detect`: what it prints and writes, and what people hand in by mistake."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from detectors import detector, scene
from factories import CLASSES, LAYOUT
from hitrs.cli.main import main
from hitrs.data import write_npz
from hitrs.data.recording import Recording, Segment
from hitrs.data.store import write_store


def untrimmed(name: str, frames: int = 60, fps: float = 30.0, **more) -> Recording:
    batch = scene(frames, persons=1)
    positions, valid = batch.positions[0].transpose(0, 1).numpy(), batch.valid[0].transpose(0, 1).numpy()
    segments = (Segment(5, 25, "wave"), Segment(30, 50, "bow"))
    return Recording(positions, valid, LAYOUT, name=name, fps=fps, **{"segments": segments, **more})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(detector(fps=30.0).save_pretrained(tmp_path_factory.mktemp("detector") / "model"))


def test_files_folders_and_stores(model: str, tmp_path: Path, said) -> None:
    (tmp_path / "files").mkdir()
    given = [untrimmed("a"), untrimmed("b", 40, segments=())]
    for each in given:
        write_npz(each, tmp_path / "files" / f"{each.name}.npz")
    write_store(tmp_path / "store", given, layout=LAYOUT, classes=CLASSES, protocols={}, meta={})
    by_file = json.loads(said("detect", model, *sorted((tmp_path / "files").glob("*")), "--json"))
    for source in ("files", "store"):
        assert json.loads(said("detect", model, tmp_path / source, "--json")) == by_file
    assert [(each["name"], each["frames"]) for each in by_file] == [("a", 60), ("b", 40)]
    shown = said("detect", model, tmp_path / "files").splitlines()
    assert shown[0].split()[:3] == ["name", "label", "start"]
    assert shown[-1] == "joints      6 of 6 matched, 4.72 to 4.8 seen on average"
    assert len(shown) == 2 + sum(len(each["segments"]) for each in by_file)


def test_what_else_lies_in_a_folder_is_told(model: str, tmp_path: Path, said) -> None:
    write_npz(untrimmed("a", fps=None), tmp_path / "a.npz")
    (tmp_path / "film.psd").write_text("not data")
    (tmp_path / "again").symlink_to(tmp_path)
    shown = said("detect", model, tmp_path)
    assert f"note        {tmp_path}: left out because nothing here reads .psd: film.psd" in shown
    assert "was left out: it is a link to one that is read already" in shown
    assert "split" not in shown  # which only matters where one trains
    assert "frame rate is unknown" in shown
    shown = said("detect", model, tmp_path, "--fps", 30)
    assert "frame rate is unknown" not in shown
    assert json.loads(said("detect", model, tmp_path, "--json"))[0]["name"] == "a"


def test_what_it_writes(model: str, tmp_path: Path, said) -> None:
    write_npz(untrimmed("a"), tmp_path / "a.npz")
    picture, out = tmp_path / "a.png", tmp_path / "a.json"
    shown = said("detect", model, tmp_path / "a.npz", "--out", out, "--timeline", picture)
    assert str(out) in shown
    assert picture.stat().st_size > 5000
    segments = json.loads(out.read_text())[0]["segments"]
    said("detect", model, tmp_path / "a.npz", "--out", tmp_path / "a.csv")
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + len(segments)
    said("detect", model, tmp_path / "a.npz", "--out", tmp_path / "pku", "--format", "pku")
    lines = (tmp_path / "pku" / "a.txt").read_text().splitlines()
    assert [int(line.split(",")[1]) - 1 for line in lines] == [each["start"] for each in segments]


def test_names_of_data_do_not_lead_out_of_the_folder(model: str, tmp_path: Path, said) -> None:
    """A name such as a pickle's ``frame_dir`` may be any path."""
    names = ("../escaped", str(tmp_path / "absolute"), "..", "plain")
    write_store(tmp_path / "store", [untrimmed(name) for name in names], layout=LAYOUT, classes=CLASSES)
    inside = tmp_path / "sub" / "out"
    before = set(tmp_path.rglob("*"))
    said("detect", model, tmp_path / "store", "--out", inside, "--format", "pku")
    made = {path for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    assert len(made) == len(names)
    assert {path.parent for path in made} == {inside}
    assert inside / "plain.txt" in made


def test_a_class_is_no_formula_in_a_table(tmp_path: Path, said) -> None:
    folder = detector(fps=30.0).save_pretrained(tmp_path / "model")
    card = (folder / "config.json").read_text(encoding="utf-8")
    assert '"wave"' in card
    for name in CLASSES:
        card = card.replace(f'"{name}"', f'"=cmd|{name}"')
    (folder / "config.json").write_text(card.replace('"sha256"', '"not_sealed"'), encoding="utf-8")
    write_npz(untrimmed("a", segments=()), tmp_path / "@a.npz")
    said("detect", folder, tmp_path / "@a.npz", "--out", tmp_path / "found.csv")
    with (tmp_path / "found.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert all(row["label"].startswith("'=cmd|") and row["name"] == "'@a" for row in rows)


def test_online_tells_how_late_actions_are_named(model: str, tmp_path: Path, said) -> None:
    write_npz(untrimmed("a", segments=()), tmp_path / "a.npz")
    (tmp_path / "labels.txt").write_text("1,6,25\n3,31,50\n", encoding="utf-8")
    shown = said("detect", model, tmp_path / "a.npz", "--online", "--truth", tmp_path / "labels.txt")
    assert "99th percentile" in shown
    assert "of 2 actions" in shown
    assert "of 2 actions" not in said("detect", model, tmp_path / "a.npz", "--online")


def test_bad_input(model: str, tuned: str, tmp_path: Path, fails) -> None:
    file = tmp_path / "a.npz"
    write_npz(untrimmed("a", fps=60.0), file)
    assert "--resample" in fails("detect", model, file)
    assert main(["detect", model, str(file), "--resample"]) == 0
    write_npz(untrimmed("a"), file)
    assert "at least one file" in fails("detect", model)
    assert "--format" in fails("detect", model, file, "--out", tmp_path / "found")
    assert "--out" in fails("detect", model, file, "--format", "csv")
    assert "hitrs recognize" in fails("detect", tuned, file)
    labels = tmp_path / "segments.csv"
    for row, words in [
        ("a,wave,10,99", "line 2: 'wave' ends at frame 99, but 'a' has 60 frames"),
        ("a,wave,30,20", "line 2: 'wave' runs from 30 to 20"),
        ("a,wav,10,20", "did you mean 'wave'"),
        ("b,wave,10,20", "has no labels for the recording 'a'"),
    ]:
        labels.write_text(f"file,label,start,stop\n{row}\n", encoding="utf-8")
        message = fails("detect", model, file, "--timeline", tmp_path / "a.png", "--truth", labels)
        assert words in message
        assert str(labels) in message
    ahead = detector(causal=False).save_pretrained(tmp_path / "ahead")
    assert "--detect.head.causal" in fails("detect", ahead, file, "--online")
    write_npz(untrimmed("b", segments=(Segment(0, 5, "jump"),)), tmp_path / "b.npz")
    assert "no such class" in fails("detect", model, tmp_path / "b.npz", "--timeline", tmp_path / "b.png")
    assert not list(tmp_path.glob("*.png"))


def test_what_cannot_be_used_costs_the_others_nothing(model: str, tmp_path: Path, capsys) -> None:
    write_npz(untrimmed("a"), tmp_path / "a.npz")
    write_npz(untrimmed("b", fps=60.0), tmp_path / "b.npz")
    empty = tmp_path / "c.npz"
    empty.touch()
    out = tmp_path / "found.json"
    assert main(["detect", model, str(empty), "--out", str(out)]) == 1
    assert not out.exists()
    for given in ([tmp_path], [tmp_path / "b.npz", empty, tmp_path / "a.npz"]):
        assert main(["detect", model, *map(str, given), "--out", str(out)]) == 1
        told = capsys.readouterr().err
        assert "2 of 3 recordings were left out" in told
        assert "--resample" in told
        assert f"{empty}" in told
        assert [each["name"] for each in json.loads(out.read_text())] == ["a"]


def test_a_recording_shorter_than_a_window(model: str, tmp_path: Path, said) -> None:
    positions = np.arange(3.0 * LAYOUT.n_joints).reshape(1, LAYOUT.n_joints, 3)
    np.savez(tmp_path / "short.npz", positions=positions)
    for words in ([], ["--online"]):
        assert "short" in said("detect", model, tmp_path / "short.npz", *words)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,wave,3,99", "segments.csv, line 2: 'wave' ends at frame 99, but 'a' has 60 frames"),
        ("a,wave,9,3", "from 9 to 3"),
        ("a,wave,3,9\na,bow,5,12", None),
    ],
    ids=["outside", "reversed", "overlapping"],
)
def test_segments_at_import(rows: str, words: str | None, tmp_path: Path, fails) -> None:
    """Outside and reversed segments are errors; actions may overlap."""
    folder = tmp_path / "files"
    folder.mkdir()
    positions = np.random.default_rng(0).normal(size=(60, 25, 3))
    np.savez(folder / "a.npz", positions=positions, layout="ntu25")
    (folder / "segments.csv").write_text(f"file,label,start,stop\n{rows}\n", encoding="utf-8")
    call = ["import", folder, tmp_path / "store", "--strict"]
    if words is None:
        assert main([str(word) for word in call]) == 0
    else:
        assert words in fails(*call)
