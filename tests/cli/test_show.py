"""`hitrs show`: files, folders, stores and runs as a page, and what people hand in by mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from factories import CLASSES, small_store
from hitrs.cli.main import main
from hitrs.data import Store, write_npz


def held(out: Path) -> dict:
    """What a page holds."""
    found = re.search(r'id="data">(.*?)</script>', out.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def names(out: Path) -> list[str]:
    return [row["name"] for row in held(out)["rows"]]


def test_files_stand_side_by_side(store: str, tmp_path: Path, said) -> None:
    files = [tmp_path / f"{recording.name}.npz" for recording in list(Store.open(store))[:2]]
    for recording, file in zip(Store.open(store), files, strict=False):
        write_npz(recording, file)
    shown = said("show", *files, "--out", tmp_path / "page.html").splitlines()
    assert shown[0] == "recordings  2"
    assert shown[-1].startswith(f"page        {tmp_path / 'page.html'}, ")
    data = held(tmp_path / "page.html")
    assert [drawing["name"] for drawing in data["drawings"]] == ["recording-0", "recording-1"]
    assert data["beside"] == 2
    assert said("show", tmp_path, "--out", tmp_path / "folder.html").startswith("recordings  2")
    assert held(tmp_path / "folder.html")["beside"] == 1


def test_recordings_of_a_store_by_name(store: str, tmp_path: Path, said, fails) -> None:
    out = tmp_path / "page.html"
    said("show", store, "--recordings", "recording-7", "recording-3", "--out", out)
    assert names(out) == ["recording-7", "recording-3"]
    message = fails("show", store, "--recordings", "recording-77", "--out", out)
    assert message.startswith("there is no recording 'recording-77' among the 24 there are; did you mean")


def test_a_page_says_how_many_there_are(store: str, tmp_path: Path, said) -> None:
    out = tmp_path / "page.html"
    assert said("show", store, "--most", 5, "--out", out).startswith("recordings  5 of 24")
    assert names(out) == [f"recording-{n}" for n in range(5)]
    assert "holds the first 5 of 24 recordings" in held(out)["about"][-1]


def test_what_a_model_says_of_files(store: str, tuned: str, tmp_path: Path, said) -> None:
    out = tmp_path / "page.html"
    said("show", store, "--recordings", "recording-1", "--model", tuned, "--out", out)
    (drawing,) = held(out)["drawings"]
    assert {label for label, _ in drawing["scores"]} == set(CLASSES)
    assert drawing["right"] is (drawing["scores"][0][0] == "nod")


def test_a_run_shows_its_test_part_with_errors_first(store: str, tuned: str, tmp_path: Path, said) -> None:
    out = tmp_path / "page.html"
    shown = said("show", tuned, "--out", out)
    opened = Store.open(store)
    tested = {opened.name(int(index)) for index in opened.split("subjects", "test")}
    assert f"the test part of subjects of {store}, {len(tested)} recordings" in shown
    data = held(out)
    assert {row["name"] for row in data["rows"]} == tested
    right = [row["right"] for row in data["rows"]]
    assert right == sorted(right)  # False first
    sure = [drawing["scores"][0][1] for drawing in data["drawings"]]
    wrong = right.count(False)
    assert sure[:wrong] == sorted(sure[:wrong], reverse=True)
    assert sure[wrong:] == sorted(sure[wrong:])
    assert f"{wrong} of {len(tested)} answers are wrong" in shown
    other = small_store(tmp_path / "other", seed=1).path
    shown = said("show", tuned, "--store", other, "--out", tmp_path / "other.html")
    assert "is another store" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name at least one file, folder, store or run"),
        (["STORE", "--out", "page.pdf"], "cannot write the page to page.pdf: it is an .html file"),
        (["STORE", "--most", "0"], "--most must be at least 1, got 0"),
        (["STORE", "--protocol", "subjects"], "no run is to be shown"),
        (["RUN", "STORE"], "is a run or model: show it alone, or name it with --model"),
        (["RUN", "--model", "RUN"], "is a run or model: show it alone, or name it with --model"),
        (["ENCODER"], "is a pre-trained encoder, which says nothing of a recording"),
        (["STORE", "--model", "ENCODER", "--out", "page.html"], "is a pre-trained encoder"),
        (["nowhere.npz", "--out", "page.html"], "there is no file nowhere.npz"),
        (["RUN/model", "--store", "nowhere"], "nowhere"),
    ],
)
def test_mistakes(
    words: list[str],
    message: str,
    store: str,
    tuned: str,
    pretrained: str,
    tmp_path: Path,
    fails,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"STORE": store, "RUN": tuned, "ENCODER": pretrained, "RUN/model": f"{tuned}/model"}
    assert message in fails("show", *(places.get(word, word) for word in words))
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_its_run_needs_a_store(tuned: str, tmp_path: Path, fails) -> None:
    (tmp_path / "model").symlink_to(Path(tuned) / "model")
    assert "name one with --store" in fails("show", tmp_path / "model", "--out", tmp_path / "page.html")


def test_what_cannot_be_read_does_not_cost_the_others(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_npz(Store.open(store)[0], tmp_path / "good.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no more")
    out = tmp_path / "page.html"
    assert main(["show", str(tmp_path / "good.npz"), str(tmp_path / "bad.npz"), "--out", str(out)]) == 1
    assert "1 of 2 recordings were left out" in capsys.readouterr().err
    assert names(out) == ["good"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_served_page_ends_by_a_signal(store: str, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hitrs", "show", store],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[0] == "recordings  24\n"
    url = lines[1].removeprefix("page ").strip()
    with urllib.request.urlopen(f"{url}rows", timeout=60) as answer:
        assert json.load(answer)["total"] == 24
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "ended\n", "")
