import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.animation import FFMpegWriter
from PIL import Image, ImageSequence

from hitrs.errors import ConfigError, DataError
from hitrs.viz.animation import animate
from hitrs.viz.canvas import BLUE, GREEN, RED
from hitrs.viz.skeleton import LEFT, RIGHT

SCORES = [("sit", 0.1), ("walk", 0.7), ("throw", 0.15), ("carry", 0.05)]


def frames(path):
    with Image.open(path) as picture:
        return [(frame.convert("RGB"), frame.info["duration"]) for frame in ImageSequence.Iterator(picture)]


def test_a_gif_has_every_frame_at_the_speed_of_the_recording(tmp_path, person):
    animate(person(frames=60, fps=12.5), tmp_path / "move.gif")
    shown = frames(tmp_path / "move.gif")
    assert len(shown) == 60
    assert {picture.size for picture, _ in shown} == {(400, 400)}
    assert {duration for _, duration in shown[:-1]} == {80}
    assert (tmp_path / "move.gif").stat().st_size < 500_000
    assert not np.array_equal(shown[0][0], shown[4][0])


def test_a_fast_gif_skips_frames_and_keeps_its_speed(tmp_path, person):
    animate(person(frames=120, fps=120.0), tmp_path / "move.gif")
    shown = frames(tmp_path / "move.gif")
    assert len(shown) == 24
    assert sum(duration for _, duration in shown) - 600 == 1000


def test_rounded_times_do_not_drift(tmp_path, person):
    animate(person(frames=45, fps=15.0), tmp_path / "move.gif")
    assert sum(duration for _, duration in frames(tmp_path / "move.gif")) - 600 == 3000


def test_an_unknown_frame_rate_is_shown_at_20_and_another_on_request(tmp_path, person):
    animate(person(frames=5), tmp_path / "own.gif")
    animate(person(frames=5), tmp_path / "slow.gif", fps=5)
    assert [duration for _, duration in frames(tmp_path / "own.gif")] == [50, 50, 50, 50, 650]
    assert [duration for _, duration in frames(tmp_path / "slow.gif")] == [200, 200, 200, 200, 800]


def test_the_same_call_gives_the_same_file(tmp_path, person):
    for name in ("one.gif", "two.gif"):
        animate(person(), tmp_path / name, caption="twice", scores=SCORES)
    assert (tmp_path / "one.gif").read_bytes() == (tmp_path / "two.gif").read_bytes()


def test_one_frame_makes_a_gif_too(tmp_path, person):
    animate(person(frames=1), tmp_path / "still.gif", size=100)
    with Image.open(tmp_path / "still.gif") as picture:
        assert (picture.n_frames, picture.size) == (1, (100, 100))


def test_unseen_joints_are_not_drawn(tmp_path, person, where):
    recording = person()
    right = [name.startswith("right_") for name in recording.layout.joints]
    animate(replace(recording, valid=recording.valid & ~np.array(right)), tmp_path / "left.gif")
    for picture, _ in frames(tmp_path / "left.gif"):
        body = picture.crop((0, 40, 400, 400))  # below the words "left" and "right"
        assert len(where(body, RIGHT)) == 0
        assert len(where(body, LEFT)) > 100


def test_scores_are_bars_in_proportion(tmp_path, person, where):
    animate(person(frames=1), tmp_path / "scores.gif", scores=SCORES)
    animate(person(frames=1), tmp_path / "sure.gif", scores=[("walk", 1.4)])
    (picture, _), (sure, _) = frames(tmp_path / "scores.gif")[0], frames(tmp_path / "sure.gif")[0]
    assert picture.size[0] == 400 < picture.size[1]
    assert sure.size[1] == picture.size[1] - 2 * 21  # one row instead of three

    def length(image):
        return np.ptp(where(image.crop((0, 400, *image.size)), BLUE)[:, 0])

    assert 0 < length(picture) < length(sure) < 400


def test_the_true_class_is_compared_with_the_prediction(tmp_path, person, where):
    animate(person(frames=1), tmp_path / "right.gif", scores=SCORES, truth="walk")
    animate(person(frames=1), tmp_path / "wrong.gif", scores=SCORES, truth="sit")
    panels = [frames(tmp_path / name)[0][0].crop((0, 400, 400, 530)) for name in ("right.gif", "wrong.gif")]
    assert [len(where(panel, GREEN)) > 0 for panel in panels] == [True, False]
    assert [len(where(panel, RED)) > 0 for panel in panels] == [False, True]


def test_long_and_broken_texts_fit(tmp_path, person):
    long = "a caption\nof two lines that is far too long to stand on one line of such a small picture " * 2
    animate(
        person(frames=1), tmp_path / "long.gif", caption=long, truth=long, scores=[(long, 0.5), ("b", 0.5)]
    )
    panel = np.asarray(frames(tmp_path / "long.gif")[0][0])[400:]
    assert (panel[:, :16] == 255).all()
    assert (panel[:, -14:] == 255).all()


@pytest.mark.parametrize("name", ["move.webm", "move", "move.png"])
def test_another_suffix_is_refused(tmp_path, person, name):
    with pytest.raises(ConfigError, match=r"an animation is a \.gif or an \.mp4"):
        animate(person(), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [0.0, -5.0, float("nan"), float("inf")])
def test_impossible_frame_rates_are_refused(tmp_path, person, fps):
    with pytest.raises(ConfigError, match="frame rate above 0"):
        animate(person(), tmp_path / "move.gif", fps=fps)


def test_nobody_to_draw_leaves_no_file(tmp_path, person):
    recording = person()
    with pytest.raises(DataError, match="no valid joint"):
        animate(replace(recording, valid=np.zeros_like(recording.valid)), tmp_path / "move.gif")
    assert not list(tmp_path.iterdir())


def test_without_ffmpeg_mp4_is_refused(tmp_path, person, monkeypatch):
    monkeypatch.setattr(FFMpegWriter, "isAvailable", classmethod(lambda cls: False))
    with pytest.raises(ConfigError, match=r"needs ffmpeg.*write a \.gif"):
        animate(person(), tmp_path / "move.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffmpeg, which writes .mp4, is not installed")
def test_mp4_has_every_frame(tmp_path, person):
    animate(person(frames=40, fps=120.0), tmp_path / "move.mp4", truth="walk", size=201)
    probe = ["ffprobe", "-v", "error", "-count_frames", "-of", "csv=p=0"]
    entries = ["-show_entries", "stream=width,height,r_frame_rate,nb_read_frames", str(tmp_path / "move.mp4")]
    told = (
        subprocess.run([*probe, *entries], capture_output=True, text=True, check=True)
        .stdout.strip()
        .split(",")
    )
    assert told == ["202", "240", "120/1", "40"]
    assert len(list(tmp_path.iterdir())) == 1
