"""`hitrs embed`: features of recordings, clips and frames as Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from detectors import detector, scene
from factories import CLASSES, LAYOUT
from hitrs.cli import embed
from hitrs.cli.inputs import portions
from hitrs.cli.main import main
from hitrs.data import write_npz
from hitrs.data.recording import Recording
from hitrs.data.store import write_store
from hitrs.models.encoder import HiTRS
from hitrs.models.features import recording_features
from hitrs.tasks.graph import model_inputs

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: `pip install pyarrow`")


def recording(name: str, frames: int) -> Recording:
    batch = scene(frames, persons=2)
    positions, valid = batch.positions[0].transpose(0, 1).numpy(), batch.valid[0].transpose(0, 1).numpy()
    return Recording(positions, valid, LAYOUT, name=name, fps=30.0, label="wave")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(detector(fps=30.0).save_pretrained(tmp_path_factory.mktemp("encoder") / "model"))


@pytest.fixture
def given(tmp_path: Path) -> list[Recording]:
    """As files in a folder, and as a store."""
    found = [recording("a", 60), recording("b", 40), recording("c", 23)]
    for each in found:
        write_npz(each, tmp_path / "files" / f"{each.name}.npz")
    write_store(tmp_path / "store", found, layout=LAYOUT, classes=CLASSES, protocols={}, meta={})
    return found


def features(path: Path) -> np.ndarray:
    return np.stack(pq.read_table(path)["feature"].to_pylist())


def test_recordings_are_what_the_encoder_makes_of_them(
    model: str, given: list[Recording], tmp_path: Path, said: Callable[..., str]
) -> None:
    files = sorted((tmp_path / "files").iterdir())
    assert "out.parquet (3 recordings)" in said("embed", model, *files, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["file"].to_pylist() == [str(file) for file in files]
    assert table["name"].to_pylist() == ["a", "b", "c"]
    assert table["frames"].to_pylist() == table["stop"].to_pylist() == [60, 40, 23]
    assert set(table["person"].to_pylist()) == {None}
    assert set(table["label"].to_pylist()) == {"wave"}
    encoder = HiTRS.from_pretrained(model)
    with torch.no_grad():
        for row, each in zip(features(tmp_path / "out.parquet"), given, strict=True):
            batch = model_inputs([each], encoder.card).batch([0])
            np.testing.assert_allclose(row, recording_features(encoder, batch, encoder.card)[0], atol=1e-5)
    about = json.loads(table.schema.metadata[b"hitrs"])
    assert about["format"] == "hitrs-embedding"
    assert about["shape"] == [encoder.video_width]
    for source in ("files", "store"):
        again = tmp_path / f"{source}.parquet"
        said("embed", model, tmp_path / source, again)
        assert np.array_equal(features(again), features(tmp_path / "out.parquet"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "files", "files.parquet", "out.parquet", "store", "store.parquet",
    ]  # fmt: skip


def test_clips_and_frames_tell_where_they_are(
    model: str, given: list[Recording], tmp_path: Path, said: Callable[..., str]
) -> None:
    encoder = HiTRS.from_pretrained(model)
    for of, width in (("clips", encoder.clip_width), ("frames", encoder.joints * encoder.config.width)):
        shown = said("embed", model, tmp_path / "store", tmp_path / f"{of}.parquet", "--of", of)
        table = pq.read_table(tmp_path / f"{of}.parquet")
        assert f"({len(table)} {of} of 3 recordings)" in shown
        assert features(tmp_path / f"{of}.parquet").shape == (len(table), width)
        starts, stops, frames = (np.array(table[name]) for name in ("start", "stop", "frames"))
        assert (starts >= 0).all()
        assert (starts < stops).all()
        assert (stops <= frames).all()
        assert set(table["person"].to_pylist()) == {0, 1}
    bodies = sum(int(each.valid.any(-1).sum()) for each in given)
    frames = pq.read_table(tmp_path / "frames.parquet").to_pylist()
    assert len(frames) == bodies  # a row for each frame in which a body was seen
    assert {row["stop"] - row["start"] for row in frames} == {1}
    first = frames[0]
    unseen = ~given[0].valid[first["start"], first["person"]]
    assert not np.reshape(first["feature"], (encoder.joints, -1))[unseen].any()


def test_it_goes_on_where_it_was_interrupted(
    model: str,
    given: list[Recording],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    said("embed", model, tmp_path / "store", tmp_path / "whole.parquet")
    monkeypatch.setattr(embed, "portions", lambda given: portions(given, most=1))
    seen: list[str] = []

    def counted(*arguments) -> None:
        _, (_, portion), _ = arguments
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(portion.given[0].name)
        write(*arguments)

    write = embed.write_portion
    monkeypatch.setattr(embed, "write_portion", counted)
    command = ["embed", model, str(tmp_path / "store"), str(tmp_path / "out.parquet")]
    assert main(command) == 130
    kept = f"stopped; what was encoded is kept in {tmp_path / 'out.parquet.embedding'}"
    assert f"{kept}, the same command goes on" in capsys.readouterr().err
    assert not (tmp_path / "out.parquet").exists()
    seen.clear()
    assert main(command) == 0
    assert [Path(name).name for name in seen] == ["c"]
    assert np.allclose(features(tmp_path / "out.parquet"), features(tmp_path / "whole.parquet"), atol=1e-5)
    assert not (tmp_path / "out.parquet.embedding").exists()


def test_a_file_that_is_there_stays(model: str, given: list[Recording], tmp_path: Path, fails) -> None:
    (tmp_path / "out.parquet").write_bytes(b"mine")
    said = fails("embed", model, tmp_path / "files" / "a.npz", tmp_path / "out.parquet")
    assert said == f"{tmp_path / 'out.parquet'} exists already; choose another place"
    assert (tmp_path / "out.parquet").read_bytes() == b"mine"


def test_what_cannot_be_used_is_told(model: str, given: list[Recording], tmp_path: Path, fails) -> None:
    (tmp_path / "files" / "broken.npz").write_bytes(b"PK broken")
    files = sorted((tmp_path / "files").iterdir())
    assert "1 of 4 recordings were left out" in fails("embed", model, *files, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["name"].to_pylist() == ["a", "b", "c"]


def test_nothing_to_write_to(model: str, given: list[Recording], tmp_path: Path, fails) -> None:
    assert "name the file to write" in fails("embed", model, tmp_path / "files" / "a.npz")
    assert "name at least one file" in fails("embed", model, tmp_path / "out.parquet")
