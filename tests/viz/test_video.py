"""Videos with what was found drawn on them."""

from pathlib import Path

import numpy as np
import pytest

from hitrs.data.video import streams
from hitrs.data.video.estimator import current_estimator
from hitrs.data.video.track import PoseTrack, pose_track
from hitrs.errors import ConfigError, DataError
from hitrs.skeleton import get_layout
from hitrs.viz import video as drawing
from hitrs.viz.video import DrawnSpan, draw_video
from videos import clip, fake

__all__ = ["clip", "fake"]
LAYOUT = get_layout("mediapipe33")
SPANS = [DrawnSpan(5, 20, "wave", 0, 0.9), DrawnSpan(25, 30, "bow", 1, 0.5)]


@pytest.fixture
def written(tmp_path: Path, monkeypatch):
    """Frames (T, H, W, 3) that the fake process was given to encode."""
    kept = []
    real = drawing.os.replace

    def replace(part, target):
        kept.append(np.load(f"{part}.npz")["arr_0"])
        real(part, target)

    monkeypatch.setattr(drawing.os, "replace", replace)
    return kept


def drawn(clip: Path, out: Path, spans=SPANS, fps: float | None = 30.0) -> PoseTrack:
    track = pose_track(clip, current_estimator())
    draw_video(clip, track, LAYOUT, spans, fps, out)
    return track


def test_skeleton_label_and_timeline(fake, clip: Path, tmp_path: Path, written) -> None:
    fake("normal")
    track = drawn(clip, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"a video"
    (frames,) = written
    assert frames.shape == (40, 720 + 44, 1280, 3)
    plain = np.zeros((720, 1280, 3), np.uint8)
    plain[..., 0] = 6 * 10
    changed = (frames[10, :720] != plain).any(-1)
    wrist = track.image[10, 15].round().astype(int)
    assert changed[wrist[1], wrist[0]]
    # the label stands in the corner as long as its span lasts
    corner = [(frame[10:60, 15:200] > 200).all(-1).mean() for frame in frames]
    assert [share > 0.3 for share in corner] == [5 <= n < 20 or 25 <= n < 30 for n in range(40)]
    # the bars: colored where a span is, the same in every frame but for the cursor
    bar = frames[39, 720 + 20]
    left, right = 8 + 1264 * 6 // 40, 8 + 1264 * 22 // 40
    assert np.ptp(bar[left].astype(int)) > 50
    assert np.ptp(bar[right].astype(int)) == 0


def test_a_variable_rate_keeps_its_speed(fake, clip: Path, tmp_path: Path, written) -> None:
    fake("variable")
    track = drawn(clip, tmp_path / "out.mp4")
    (frames,) = written
    assert len(frames) == len(track.times.places) == 43
    red = frames[:, 700, 1270, 0]  # of the picture itself
    assert (red[20:24] == 6 * 20).all()
    assert red[-1] == 6 * 39


def test_large_pictures_are_scaled_with_their_skeletons(fake, clip: Path, tmp_path: Path, written) -> None:
    fake("large")
    track = drawn(clip, tmp_path / "out.mp4")
    (frames,) = written
    assert frames.shape[1:3] == (720 + 44, 1280)
    x, y = (track.image[10, 15] / 3).round().astype(int)
    assert frames[10, y, x].tolist() != [60, 0, 0]


def test_where_it_cannot_be_written(fake, clip: Path, tmp_path: Path, monkeypatch) -> None:
    fake("normal")
    with pytest.raises(ConfigError, match=r"out.gif: a video is written as .mp4"):
        drawn(clip, tmp_path / "out.gif")
    with pytest.raises(ConfigError, match="is the video that is read"):
        drawn(clip, clip)
    track = pose_track(clip, current_estimator())
    fake("dies")
    with pytest.raises(DataError, match=r"the pose process ended \(exit code 3\)"):
        draw_video(clip, track, LAYOUT, SPANS, 30.0, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()
    assert not list(tmp_path.glob(".out*"))
    assert streams.POSE_SIDE == 1280  # as the docs say
