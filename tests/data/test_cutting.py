"""Cutting: pieces hold exactly their frames, and stay in the part of their recording."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.cli.main import main
from hitrs.data import Recording, Segment, Store, write_store
from hitrs.data.cutting import cut_segments, cut_store, cut_windows
from hitrs.errors import ConfigError, DataError

LAYOUT = "kinect20"


def session(name: str = "session", frames: int = 60, fps: float | None = 10.0, **facts: object) -> Recording:
    positions = np.arange(frames, dtype=np.float32)[:, None, None, None] + np.zeros((1, 2, 20, 3), np.float32)
    return Recording(positions, layout=LAYOUT, name=name, fps=fps, **facts)  # type: ignore[arg-type]


SEGMENTS = (Segment(5, 20, "wave"), Segment(15, 40, "sit"), Segment(59, 60, "wave"))


def test_segments_become_recordings() -> None:
    whole = session(segments=SEGMENTS, subject="anna")
    pieces = list(cut_segments(whole))
    assert [(p.name, p.label, p.subject, p.fps) for p in pieces] == [
        ("session@5-20", "wave", "anna", 10.0),
        ("session@15-40", "sit", "anna", 10.0),
        ("session@59-60", "wave", "anna", 10.0),
    ]
    for piece, segment in zip(pieces, SEGMENTS, strict=True):
        assert (piece.positions == whole.positions[segment.start : segment.stop]).all()
        assert piece.segments == ()


@given(frames=st.integers(1, 80), seconds=st.floats(0.05, 9))
def test_windows_cover_every_frame_and_are_equally_long(frames: int, seconds: float) -> None:
    whole = session(frames=frames, label="walk")
    pieces = list(cut_windows(whole, seconds))
    length = min(frames, max(1, round(10 * seconds)))
    assert {p.n_frames for p in pieces} == {length}
    assert {p.label for p in pieces} == {"walk"}
    assert len({p.name for p in pieces}) == len(pieces)
    starts = [int(p.positions[0, 0, 0, 0]) for p in pieces]
    assert starts[0] == 0
    assert starts[-1] + length == frames
    assert all(later - start <= max(1, length // 2) for start, later in pairwise(starts))


def test_a_window_keeps_the_segments_inside_it() -> None:
    pieces = list(cut_windows(session(segments=SEGMENTS), 4))  # [0, 40) and [20, 60)
    assert [p.segments for p in pieces] == [SEGMENTS[:2], (Segment(39, 40, "wave"),)]


def test_a_store_is_cut_and_keeps_its_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sessions = [session(f"s{n}", segments=SEGMENTS, subject=f"p{n}") for n in range(3)]
    protocols = {"first": lambda r: {"p0": "train", "p1": "test"}.get(r.subject)}
    source = write_store(tmp_path / "sessions", sessions, protocols=protocols)
    assert main(["cut", str(source.path), str(tmp_path / "actions")]) == 0
    assert capsys.readouterr().out.splitlines() == ["cut         labeled segments", "recordings  9"]
    actions = Store.open(tmp_path / "actions")
    assert actions.classes == ("sit", "wave")
    assert actions.split("first", "train").tolist() == [0, 1, 2]
    assert actions.split("first", "test").tolist() == [3, 4, 5]
    windows = cut_store(source.path, tmp_path / "windows", seconds=3)
    assert len(windows) == 9
    assert windows.classes == source.classes
    assert windows.segment_counts.tolist() == [1, 1, 1] * 3


def test_what_cannot_be_cut_is_said(tmp_path: Path) -> None:
    plain = write_store(tmp_path / "plain", [session(fps=None)])
    with pytest.raises(DataError, match="has labeled segments; to cut it into windows"):
        cut_store(plain.path, tmp_path / "out")
    with pytest.raises(DataError, match="frame rate of 'session' is unknown"):
        cut_store(plain.path, tmp_path / "out", seconds=2)
    with pytest.raises(ConfigError, match="longer than 0 seconds, got -1"):
        cut_store(plain.path, tmp_path / "out", seconds=-1)
    assert not (tmp_path / "out").exists()
