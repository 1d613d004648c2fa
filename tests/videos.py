"""Fixtures: a pose process that invents what it sees, and a file that looks like a video."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hitrs.data import cache
from hitrs.data.video import environment, streams

FAKE = Path(__file__).with_name("fake_video_process.py")
MP4 = b"\0\0\0\x18ftypisom" + bytes(64)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """``fake(kind)`` makes the pose process one of this kind; the folder in which it counts its starts."""
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "cache"))
    counts = tmp_path / "counts"
    counts.mkdir()

    def use(kind: str) -> Path:
        command = [sys.executable, str(FAKE), str(environment.SCRIPT), str(counts), kind]
        monkeypatch.setattr(streams, "command", lambda: command)
        return counts

    return use


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file that looks like a video to whoever reads its first bytes."""
    (tmp_path / "clips").mkdir()
    path = tmp_path / "clips" / "clip.mp4"
    path.write_bytes(MP4)
    return path
