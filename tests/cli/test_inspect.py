"""``hitrs inspect`` takes a store, a folder or a file, and prints lines, JSON or a page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hitrs.cli.main import main
from hitrs.data import Recording, write_npz
from hitrs.skeleton import get_layout


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two recordings and a file that cannot be read."""
    folder = tmp_path / "files"
    folder.mkdir()
    kinect = get_layout("kinect20")
    for name in ("one", "two"):
        positions = np.random.default_rng(len(name)).normal(size=(12, 1, 20, 3))
        write_npz(Recording(positions, np.ones((12, 1, 20), bool), kinect, name), folder / f"{name}.npz")
    (folder / "bad.npz").write_bytes(b"PK\x03\x04 and nothing more")
    return folder


def test_a_folder(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(files)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("recordings    2 with 24 frames" in line for line in lines)
    assert "! quarantined   1 file could not be read" in lines
    assert any("bad.npz" in line for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["files"]


def test_a_file(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(files / "one.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["dataset"], found["recordings"], found["frames"]) == ("one.npz", 1, 12)
    assert found["copies"] == []


def test_a_csv_file_with_a_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = tmp_path / "two.yaml"
    layout.write_text("name: two\ncenter: pelvis\njoints:\n  - [pelvis, pelvis]\n  - [head, pelvis]\n")
    rows = ["pelvis_x,pelvis_y,pelvis_z,head_x,head_y,head_z", *["0,0,0,0,0.7,0"] * 3]
    (tmp_path / "still.csv").write_text("\n".join(rows))
    assert main(["inspect", str(tmp_path / "still.csv"), "--layout", str(layout)]) == 0
    assert "! recordings    1 in which nothing moves: still" in capsys.readouterr().out


def test_a_page(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "pages" / "page.html"
    assert main(["inspect", store, "--html", str(page)]) == 0
    assert f"  page          {page}" in capsys.readouterr().out
    assert "What needs attention" in page.read_text(encoding="utf-8")


def test_what_cannot_be_inspected(store: str, files: Path, tmp_path: Path, fails) -> None:
    assert "no file" in fails("inspect", tmp_path / "nothing")
    assert ".html" in fails("inspect", store, "--html", tmp_path / "page.txt")
    assert "is a store" in fails("inspect", store, "--layout", "kinect20")
    assert "bad.npz" in fails("inspect", files / "bad.npz")
    (tmp_path / "empty").mkdir()
    assert "holds no files" in fails("inspect", tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "files"]
