"""`hitrs predict` and `finetune --task prediction`: what they write, and what people hand in by mistake."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from factories import LAYOUT, small_store
from hitrs.data import read_recording, write_npz, write_store
from hitrs.data.formats.csv_table import write_csv
from hitrs.data.recording import Recording
from hitrs.skeleton import Layout, get_layout
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.tasks.prediction.poses import bone_lengths
from hitrs.tasks.prediction.predictor import Predictor
from predictors import predictor


def moving(frames: int = 20, fps: float | None = 30.0, persons: int = 1, **more) -> Recording:
    time = np.arange(frames)[:, None, None, None] / 10
    rest = np.random.default_rng(0).normal(size=(persons, LAYOUT.n_joints, 3))
    positions = rest + 0.1 * np.sin(time + np.arange(LAYOUT.n_joints)[:, None])
    valid = np.ones(positions.shape[:3], bool)
    return Recording(positions, valid, LAYOUT, **{"name": "moving", "fps": fps, **more})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(predictor(fps=30.0).save_pretrained(tmp_path_factory.mktemp("predictor") / "model"))


def test_a_file_is_continued_in_its_own_format(model: str, tmp_path: Path, said) -> None:
    given = moving()
    write_npz(given, tmp_path / "a.npz")
    assert "5 frames, 0.17 s" in said("predict", model, tmp_path / "a.npz", "--out", tmp_path / "b.npz")
    again = read_recording(tmp_path / "b.npz")
    assert (again.n_frames, again.fps) == (25, 30.0)
    np.testing.assert_array_equal(again.positions[:20], given.positions)
    said("predict", model, tmp_path / "a.npz", "--out", tmp_path / "b.csv")
    table = read_recording(tmp_path / "b.csv", LAYOUT)
    np.testing.assert_allclose(table.positions, again.positions, atol=1e-4)
    assert table.fps == pytest.approx(30, rel=1e-3)
    said("predict", model, tmp_path / "a.npz", "--out", tmp_path / "b.bvh")
    assert read_recording(tmp_path / "b.bvh").n_frames == 25


def test_a_joint_is_no_formula_in_a_table(tmp_path: Path) -> None:
    evil = Layout("evil", ("=cmd|a", "b"), (0, 0), (), 0)
    write_csv(Recording(np.ones((2, 1, 2, 3)), layout=evil), tmp_path / "a.csv")
    head = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[0]
    assert head == "frame,'=cmd|a_x,'=cmd|a_y,'=cmd|a_z,b_x,b_y,b_z"


def test_what_is_not_kept_is_told(model: str, tmp_path: Path, said) -> None:
    write_npz(moving(), tmp_path / "a.npz")
    assert "the predicted frames are not kept" in said("predict", model, tmp_path / "a.npz")
    kept = said("predict", model, tmp_path / "a.npz", "--out", tmp_path / "b.npz")
    assert "not kept" not in kept


def test_a_predictor_needs_no_labels(store: str, quick: str, tmp_path: Path, said) -> None:
    words = ["--task", "prediction", "--config", quick, "--predict.optim.steps", "1"]
    shown = said("finetune", store, *words, "--out", tmp_path / "run")
    assert "labeled" not in shown
    assert "classes" not in shown


def test_truth_and_animation(model: str, tmp_path: Path, said) -> None:
    write_npz(moving(24), tmp_path / "a.npz")
    shown = said("predict", model, tmp_path / "a.npz", "--at", 20, "--gif", tmp_path / "a.gif")
    assert "off by" in shown
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames == 13  # every other one of 25: a GIF has no more than 25 a second


def test_bones_keep_their_lengths(model: str) -> None:
    given = moving()
    kept, free = Predictor(model)(given), Predictor(model)(given, keep_bones=False)
    lengths = bone_lengths(given.positions[-1], LAYOUT)
    np.testing.assert_allclose(bone_lengths(kept.positions, LAYOUT), np.stack([lengths] * 5), atol=1e-5)
    assert kept.bone_drift < 1e-5 < free.bone_drift


def test_frames_between_predicted_ones_lie_on_straight_lines(tmp_path: Path) -> None:
    folder = predictor(frame_step=2, fps=30.0).save_pretrained(tmp_path / "model")
    continuation = Predictor(folder)(moving(), keep_bones=False)
    assert len(continuation.positions) == 10
    middle = (continuation.positions[1::2][:-1] + continuation.positions[1::2][1:]) / 2
    np.testing.assert_allclose(continuation.positions[2::2], middle, atol=1e-5)


def test_bad_input(model: str, tmp_path: Path, fails, said) -> None:
    file = tmp_path / "a.npz"
    write_npz(moving(9), file)
    assert "has 9 frames before the future, the model looks at 10" in fails("predict", model, file)
    write_npz(moving(fps=60.0), file)
    assert "60 frames a second, the model was trained at 30" in fails("predict", model, file)
    write_npz(moving(40, fps=60.0), file)
    assert "5 frames" in said("predict", model, file, "--resample")
    assert "would be lost" in fails("predict", model, file, "--resample", "--out", file)
    assert "cannot write" in fails("predict", model, file, "--out", tmp_path / "a.c3d")
    assert "none can be predicted from frame 99" in fails("predict", model, file, "--resample", "--at", 99)
    flat = np.ones((20, 1, 17, 2), np.float32)
    np.savez(tmp_path / "flat.npz", positions=flat)
    assert "2-D" in fails("predict", model, tmp_path / "flat.npz", "--layout", "coco17")
    np.savez(tmp_path / "other.npz", positions=np.ones((20, 1, 21, 3), np.float32))
    assert "no joint name in common" in fails("predict", model, tmp_path / "other.npz", "--layout", "hand21")
    unseen = moving()
    write_npz(Recording(unseen.positions, unseen.valid & False, LAYOUT, "unseen", fps=30.0), file)
    assert "no joint was seen" in fails("predict", model, file)


def test_files_that_say_little(model: str, tmp_path: Path, said, fails) -> None:
    """Numbers without a header, and no frame rate."""
    given = moving(fps=None)
    np.savetxt(tmp_path / "a.txt", given.positions[:, 0].reshape(given.n_frames, -1), fmt="%.6f")
    assert "5 frames, 0.17 s" in said("predict", model, tmp_path / "a.txt", "--columns", "x,y,z", "--fps", 30)
    unknown = said("predict", model, tmp_path / "a.txt", "--columns", "x,y,z")
    assert "frame rate is unknown and taken for the 30" in unknown
    write_npz(given, tmp_path / "a.npz")
    assert "60 frames a second" in fails("predict", model, tmp_path / "a.npz", "--fps", 60)
    assert "5 frames" in said("predict", model, tmp_path / "a.npz", "--fps", 30)
    assert "--fps must be above 0" in fails("predict", model, tmp_path / "a.npz", "--fps", 0)


def test_finetune_and_evaluate(tmp_path: Path, said, fails) -> None:
    store = small_store(tmp_path / "store", count=24).path
    config = tmp_path / "quick.yaml"
    config.write_text(
        "model: {width: 8, heads: 2, head_width: 4, layers: 1, dropout: 0.0}\n"
        "predict:\n"
        "  optim: {steps: 3, batch_size: 4, log_every: 1}\n"
        "  head: {observed: 8, predicted: 4, context: 6, width: 8, layers: 1, coefficients: 6}\n"
    )
    run = tmp_path / "run"
    shown = said("finetune", store, "--task", "prediction", "--config", config, "--out", run)
    assert "zero velocity" in shown
    assert "frame 4 (133 ms)" in shown
    results = json.loads((run / "results.json").read_text())
    assert results["metrics"]["all"]["horizons"] == [2, 4]
    assert "constant velocity" in said("evaluate", store, run)
    assert PredictionModel.from_pretrained(run).head_config.observed == 8
    assert "hitrs predict" in fails("recognize", run, tmp_path / "x.npz")
    long = ("--predict.head.observed", 60, "--predict.head.context", 6)
    out = ("--out", tmp_path / "other")
    assert "64 frames" in fails("finetune", store, "--task", "prediction", "--config", config, *out, *long)


def test_a_test_part_that_is_too_short_is_told_before_training(tmp_path: Path, fails) -> None:
    items = [moving(30, name="long"), moving(11, name="short")]
    protocols = {"p": lambda recording: "train" if recording.name == "long" else "test"}
    write_store(tmp_path / "store", items, protocols=protocols)
    config = tmp_path / "quick.yaml"
    config.write_text("predict: {head: {observed: 8, predicted: 4, context: 0}, optim: {steps: 3}}\n")
    words = ("--task", "prediction", "--config", config, "--out", tmp_path / "run")
    said = fails("finetune", tmp_path / "store", *words)
    assert said.startswith(f"no test recording of {tmp_path / 'store'} has the 12 frames")
    assert not (tmp_path / "run").exists()


def test_an_encoder_that_a_predictor_would_drop_is_refused(
    store: str, pretrained: str, quick: str, tmp_path: Path, fails
) -> None:
    words = ["finetune", store, "--task", "prediction", "--from", pretrained, "--config", quick]
    refused = fails(*words, "--predict.head.context", "0", "--out", tmp_path / "run")
    assert "predict.head.context is 0" in refused
    assert "leave --from out" in refused
    assert not (tmp_path / "run").exists()


def test_an_encoder_of_groups_of_frames_is_refused_by_what_to_do(tmp_path: Path, fails) -> None:
    store = small_store(tmp_path / "store", count=8, layout=get_layout("kinect20")).path
    for config in ([], ["--config", "light"]):
        words = ["finetune", store, "--task", "prediction", "--from", "general", *config]
        refused = fails(*words, "--out", tmp_path / "run")
        assert "groups of 4 frames" in refused
        assert "leave --from out, and the decoder works without an encoder" in refused
        assert "hitrs pretrain STORE --config small" in refused
    assert not (tmp_path / "run").exists()
