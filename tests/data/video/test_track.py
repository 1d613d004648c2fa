"""Videos as recordings, over a pose process that invents what it sees."""

import queue
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from hitrs.data import read_recording
from hitrs.data.importing import import_dataset
from hitrs.data.video import process, video_process
from hitrs.data.video.estimator import (
    EstimatedPose,
    PictureEstimator,
    PoseEstimator,
    PoseFrame,
    VideoInfo,
    pose_estimator,
    register_pose_estimator,
)
from hitrs.data.video.track import watch_frames
from hitrs.errors import ConfigError, DataError


def test_a_video_is_a_recording(fake, clip: Path) -> None:
    fake("normal")
    recording = read_recording(clip)
    assert (recording.name, recording.n_frames, recording.n_persons) == ("clip", 40, 1)
    assert recording.layout.name == "mediapipe33"
    assert recording.fps == pytest.approx(30, abs=0.01)
    assert recording.valid[:, 0, :30].all()
    assert not recording.valid[:, 0, 30:].any()  # of visibility 0.2
    assert any("y points down" in note for note in recording.notes)


def test_it_is_looked_at_once(fake, clip: Path) -> None:
    counts = fake("normal")
    first = read_recording(clip)
    again = read_recording(clip)
    assert (counts / "starts").read_text() == "1"
    assert (again.positions == first.positions).all()
    assert (again.notes, again.fps) == (first.notes, first.fps)
    clip.write_bytes(clip.read_bytes() + b"changed")
    read_recording(clip)
    assert (counts / "starts").read_text() == "2"


def test_damaged_poses_that_were_kept_are_made_again(fake, clip: Path, tmp_path: Path) -> None:
    counts = fake("normal")
    first = read_recording(clip)
    (kept,) = (tmp_path / "cache" / "poses").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:300])
    assert (read_recording(clip).positions == first.positions).all()
    assert (counts / "starts").read_text() == "2"


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a process that says that it hangs has waited long enough, on any machine."""
    sign = tmp_path / "counts" / "hangs"

    class Impatient(queue.Queue):
        def get(self, block=True, timeout=None):
            while True:
                try:
                    return super().get(timeout=0.2)
                except queue.Empty:
                    if sign.exists():
                        sign.unlink()
                        raise

    monkeypatch.setattr(process.queue, "Queue", Impatient)


@pytest.mark.parametrize("kind", ["dies", "hangs once"])
def test_a_process_that_ends_or_hangs_is_started_once_more(fake, clip: Path, kind, impatient) -> None:
    counts = fake("normal")
    whole = read_recording(clip)
    clip.write_bytes(clip.read_bytes() + b"another")
    fake(kind)
    recording = read_recording(clip)
    assert (counts / "starts").read_text() == "3"
    assert (recording.positions == whole.positions).all()
    assert "the pose process ended at frame 12 and was started again" in recording.notes


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("always dies", r"clip.mp4: .*ended \(exit code 3\).*out of memory.*started twice.*frame 12"),
        ("hangs", "clip.mp4: the pose process said nothing for .* s.*started twice"),
        ("garbage", "clip.mp4: the pose process does not speak the protocol"),
        ("old", "clip.mp4: the pose process speaks protocol 7, expected 1"),
        ("refuses", "clip.mp4: it cannot be opened as a video"),
        ("nobody", "clip.mp4: nobody is seen in any of its 40 frames"),
        ("other joints", r"clip.mp4: the pose process sent arrays of .*25.*expected 33"),
    ],
)
def test_what_goes_wrong_is_a_sentence(fake, clip: Path, kind, message, impatient) -> None:
    fake(kind)
    with pytest.raises(DataError, match=message):
        read_recording(clip)


@pytest.mark.parametrize(
    ("kind", "frames", "fps", "note"),
    [
        ("variable", 43, 30, "variable frame rate"),
        ("still", 40, 30, "time stamps do not rise"),
        ("cut", 40, 30, "ends after 40 of the 400 frames"),
        ("large", 40, 30, "pictures of 3840 x 2160 were looked at with 1280 at most"),
        ("comes", 40, 30, "nobody is seen in 10 of 40 frames"),
    ],
)
def test_what_is_odd_is_told(fake, clip: Path, kind, frames, fps, note) -> None:
    fake(kind)
    recording = read_recording(clip)
    assert recording.n_frames == frames
    assert recording.fps == pytest.approx(fps, abs=0.01)
    assert any(note in each for each in recording.notes), recording.notes


def test_progress_is_told(fake, clip: Path) -> None:
    fake("normal")
    told = []
    with watch_frames(lambda *facts: told.append(facts)):
        read_recording(clip)
    assert told[0] == ("clip.mp4", 1, 40)
    assert told[-1] == ("clip.mp4", 40, 40)


def test_the_process_ends_when_the_reader_stops(fake, clip: Path) -> None:
    counts = fake("hangs")
    frames = register_and_get().frames(clip)
    next(frames)
    pid = int((counts / "pid").read_text())
    assert psutil.pid_exists(pid)
    frames.close()
    assert not psutil.pid_exists(pid)


def register_and_get() -> PoseEstimator:
    from hitrs.data.video.mediapipe import ESTIMATOR

    return ESTIMATOR


def test_the_process_ends_with_its_parent(tmp_path: Path) -> None:
    """Also with one that is killed and can say nothing."""
    script = f"import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-I', {str(SCRIPT)!r}], "
    script += "stdin=subprocess.PIPE, stdout=subprocess.PIPE); p.stdout.read(4); print(p.pid, flush=True); "
    script += "time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(timeout=60)


SCRIPT = Path(video_process.__file__)


def test_both_sides_speak_one_protocol() -> None:
    assert video_process.PROTOCOL == process.PROTOCOL


def test_import(fake, clip: Path, tmp_path: Path) -> None:
    counts = fake("normal")
    (clip.parent / "wave").mkdir()
    (clip.parent / "wave" / "other.mov").write_bytes(clip.read_bytes())
    (clip.parent / "damaged.mp4").write_bytes(b"nothing that a video begins with")
    store = import_dataset(clip.parent, tmp_path / "store")
    assert sorted(each.name for each in store) == ["clip", "wave/other"]
    assert store.meta["quarantined"][0]["source"] == "damaged.mp4"
    assert (counts / "starts").read_text() == "2"
    import_dataset(clip.parent, tmp_path / "again")  # and one that was interrupted
    assert (counts / "starts").read_text() == "2"


def test_videos_beside_recordings_are_left_out(fake, clip: Path, tmp_path: Path) -> None:
    counts = fake("normal")
    np.savez(
        clip.with_suffix(".npz"),
        positions=np.random.default_rng(0).normal(size=(9, 33, 3)),
        layout="mediapipe33",
    )
    store = import_dataset(clip.parent, tmp_path / "store")
    assert [each.n_frames for each in store] == [9]
    assert any("1 video left out" in note for note in store.meta["notes"])
    assert not (counts / "starts").exists()
    store = import_dataset(clip.parent, tmp_path / "videos", format="video")
    assert [each.n_frames for each in store] == [40]


def test_without_the_environment(tmp_path: Path, clip: Path, monkeypatch) -> None:
    monkeypatch.setenv("HITRS_CACHE", str(tmp_path / "empty"))
    monkeypatch.delenv("HITRS_VIDEO_PYTHON", raising=False)
    with pytest.raises(DataError, match="hitrs video-setup"):
        read_recording(clip)
    monkeypatch.setenv("HITRS_VIDEO_PYTHON", str(tmp_path / "nowhere" / "python"))
    with pytest.raises(DataError, match=r"HITRS_VIDEO_PYTHON names .*which is no file"):
        read_recording(clip)


class TwoPeople(PoseEstimator):
    """Without a process: two people, who are given in turn in the other order."""

    name, layout = "two", "coco17"
    wrong = ""

    def frames(self, source, start=0):
        rng = np.random.default_rng(0)
        rest = rng.normal(size=(17, 2)) * 20
        for number in range(start, 30):
            poses = [
                EstimatedPose(rest + np.array([100, 200]), np.ones(17)),
                EstimatedPose(rest + np.array([500, 200]), np.ones(17)),
            ]
            if self.wrong == "joints":
                poses = [EstimatedPose(np.ones((16, 2)), np.ones(16))]
            if self.wrong == "number" and number == 5:
                continue
            yield PoseFrame(
                VideoInfo(640, 480, 25.0), number, number / 25, tuple(poses[:: 1 - 2 * (number % 2)])
            )


@pytest.fixture
def two(fake, monkeypatch) -> TwoPeople:
    fake("normal")
    estimator = TwoPeople()
    register_pose_estimator(estimator)
    return estimator


def test_another_estimator_gives_several_people(two: TwoPeople, clip: Path, tmp_path: Path) -> None:
    with pose_estimator("two"):
        recording = read_recording(clip)
    assert recording.positions.shape == (30, 2, 17, 2)
    moved = np.abs(np.diff(recording.positions, axis=0)).max()
    assert moved == 0  # each stays who it was
    assert (recording.fps, recording.layout.name) == (25, "coco17")
    store = import_dataset(clip.parent, tmp_path / "store", pose="two")
    assert store.layout.name == "coco17"
    with (
        pytest.raises(ConfigError, match="no pose estimator 'tow'; did you mean 'two'"),
        pose_estimator("tow"),
    ):
        pass


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("joints", r"'two' gave .* \(16, 2\).*layout 'coco17'.*\(17, 2\)"),
        ("number", "gave frame 6 in place of 5"),
    ],
)
def test_an_estimator_that_is_wrong_is_told(two: TwoPeople, clip: Path, wrong, message) -> None:
    two.wrong = wrong
    with pose_estimator("two"), pytest.raises(DataError, match=message):
        read_recording(clip)


class Center(PictureEstimator):
    name, layout = "center", "coco17"

    def estimate(self, picture):
        if picture[0, 0, 0] == 6 * 30 and self.fails:
            raise ZeroDivisionError("no torso")
        height, width, _ = picture.shape
        return [
            EstimatedPose(np.full((17, 2), (width / 2, height / 2)) + np.arange(17)[:, None], np.ones(17))
        ]

    fails = False


def test_an_estimator_of_pictures(fake, clip: Path) -> None:
    fake("large")
    estimator = Center()
    register_pose_estimator(estimator)
    with pose_estimator("center"):
        recording = read_recording(clip)
        assert recording.positions[0, 0, 0].tolist() == [1920, 1080]  # of the video, not of the small picture
        estimator.fails = True
        estimator.version = "2"
        with pytest.raises(DataError, match=r"'center' failed on frame 30 .*no torso"):
            read_recording(clip)


def test_only_estimators_are_registered() -> None:
    with pytest.raises(ConfigError, match="expected a PoseEstimator"):
        register_pose_estimator("mine")  # type: ignore[arg-type]
