"""What commands answer by a Ray cluster is what they answer by themselves, bit by bit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from factories import CLASSES
from hitrs.cli.main import main
from hitrs.data import write_npz
from hitrs.data.store import write_store
from hitrs.engine.cluster import RayEngine
from people_models import people_detector, people_recognizer, person


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recognizer and a detector; recordings as a store and as files, one of them damaged."""
    folder = tmp_path_factory.mktemp("commands")
    people_recognizer().save_pretrained(folder / "recognizer")
    people_detector().save_pretrained(folder / "detector")
    given = [person(frames=20 + 7 * n, name=f"p{n}", label=CLASSES[n % 2], fps=30.0) for n in range(6)]
    for each in given:
        write_npz(each, folder / "files" / f"{each.name}.npz")
    (folder / "files" / "p2-broken.npz").write_bytes(b"PK broken")
    write_store(folder / "store", given, layout=given[0].layout, classes=CLASSES, protocols={}, meta={})
    return folder


@pytest.mark.parametrize("verb", ["recognize", "detect"])
def test_answers(cluster: RayEngine, place: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = place / {"recognize": "recognizer", "detect": "detector"}[verb]
    files = sorted((place / "files").iterdir())
    for given in ([place / "store"], files):
        command = [verb, str(model), *map(str, given), "--json"]
        code, said = main(command), capsys.readouterr()
        assert len(json.loads(said.out)) == 6
        assert code == (1 if given is files else 0)
        assert (main([*command, "--engine", "ray"]), capsys.readouterr()) == (code, said)


def test_figures(cluster: RayEngine, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", str(place / "store"), str(place / "recognizer"), "--json"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert main([*command, "--engine", "ray"]) == 0
    assert capsys.readouterr().out == said


def test_features(cluster: RayEngine, place: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: `pip install pyarrow`")
    for of in ("recordings", "frames"):
        command = ["embed", str(place / "recognizer"), str(place / "store")]
        here, there = tmp_path / f"{of}.parquet", tmp_path / f"{of}-by-ray.parquet"
        assert main([*command, str(here), "--of", of]) == 0
        assert main([*command, str(there), "--of", of, "--engine", "ray"]) == 0
        assert here.read_bytes() == there.read_bytes()


def test_what_cannot_be_sent(
    cluster: RayEngine, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: `pip install onnxruntime`")
    assert main(["export", str(place / "recognizer"), str(tmp_path / "model.onnx")]) == 0
    assert main(["recognize", str(tmp_path / "model.onnx"), str(place / "store"), "--engine", "ray"]) == 1
    assert "computes on this machine: leave --engine out" in " ".join(capsys.readouterr().err.split())
