"""Videos on the command line, over a pose process that invents what it sees."""

import json
from pathlib import Path

import numpy as np
import pytest

from hitrs.cli.main import main
from hitrs.data.space import Space
from hitrs.data.video.mediapipe import ESTIMATOR
from people_models import people_detector, people_recognizer
from videos import clip, fake

__all__ = ["clip", "fake"]


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    model = people_recognizer(space=Space())
    return str(model.save_pretrained(tmp_path_factory.mktemp("models") / "recognizer"))


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> str:
    model = people_detector(space=Space())
    return str(model.save_pretrained(tmp_path_factory.mktemp("models") / "detector"))


def test_recognize(fake, clip: Path, tmp_path: Path, recognizer: str, said) -> None:
    counts = fake("comes")
    out = tmp_path / "out.mp4"
    shown = said("recognize", recognizer, clip, "--video", out)
    assert "nobody is seen in 10 of 40 frames" in shown
    assert "y points down" in shown
    assert f"video       {out}" in shown
    assert out.read_bytes() == b"a video"
    assert (counts / "starts").read_text() == "3"  # poses once; for the video one decodes and one encodes


def test_detect(fake, clip: Path, tmp_path: Path, detector: str, said) -> None:
    fake("normal")
    out = tmp_path / "out.mp4"
    found = json.loads(said("detect", detector, clip, "--json", "--video", out))
    assert (found[0]["name"], found[0]["frames"]) == ("clip", 40)
    assert out.read_bytes() == b"a video"
    offline = said("detect", detector, clip, "--online")
    assert "a frame " in offline


def test_a_camera_is_watched_until_it_is_unplugged(fake, detector: str, capsys) -> None:
    fake("normal")
    assert main(["detect", detector, "--camera", "0"]) == 1
    shown = capsys.readouterr()
    assert "watched     40 pictures, 30.0 a second; somebody was seen in 100%" in shown.out
    assert "camera 0: it gives no more pictures; was it unplugged" in shown.err


def test_a_camera_is_watched_until_ctrl_c(fake, detector: str, capsys, monkeypatch) -> None:
    fake("normal")
    real = ESTIMATOR.frames

    def interrupted(source, start=0):
        for frame in real(source, start):
            if frame.number == 25:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(ESTIMATOR, "frames", interrupted)
    assert main(["detect", detector, "--camera", "0"]) == 0
    assert "watched     25 pictures" in capsys.readouterr().out
    assert main(["detect", detector, "--camera", "0", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["event"] for each in lines].count("started") == [each["event"] for each in lines].count(
        "ended"
    )


def test_a_camera_goes_without_files(fake, clip: Path, detector: str, fails) -> None:
    fake("normal")
    assert "--camera does not go with files or out" in fails(
        "detect", detector, clip, "--camera", "0", "--out", "found.csv"
    )
    fake("refuses")
    assert "camera 0: it cannot be opened" in fails("detect", detector, "--camera", "0")


def test_import(fake, clip: Path, tmp_path: Path, said) -> None:
    fake("normal")
    shown = said("import", clip.parent, tmp_path / "store")
    assert "1 " in shown
    inspected = said("inspect", tmp_path / "store")
    assert "mediapipe33" in inspected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--video", "out.avi"], "`--video` writes .mp4"),
        (["other.npz", "--video", "out.mp4"], "name a single file"),
        (["--pose", "openpose"], "there is no pose estimator 'openpose'"),
    ],
)
def test_wrong_options(fake, clip: Path, recognizer: str, detector: str, fails, words, message) -> None:
    fake("normal")
    for command, model in (("recognize", recognizer), ("detect", detector)):
        assert message in fails(command, model, clip, *words)


def test_a_video_is_not_drawn_on_other_files(fake, tmp_path: Path, detector: str, fails) -> None:
    fake("normal")
    np.savez(tmp_path / "a.npz", positions=np.ones((9, 20, 3)), layout="kinect20")
    assert "draws on a video" in fails("detect", detector, tmp_path / "a.npz", "--video", tmp_path / "a.mp4")


def test_setup_says_what_it_lacks(tmp_path: Path, monkeypatch, fails) -> None:
    monkeypatch.setenv("HITRS_CACHE", str(tmp_path))
    assert "is not there; expected Python 3.9 to 3.12" in fails(
        "video-setup", "--python", str(tmp_path / "python3.99")
    )
    empty = tmp_path / "python"
    empty.write_text("#!/bin/sh\nexit 1\n")
    empty.chmod(0o755)
    assert "is no Python; expected" in fails("video-setup", "--python", str(empty))
    assert main(["video-setup", "--help"]) == 0
