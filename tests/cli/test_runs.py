"""Run folders: refusing, continuing, leaving nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import hitrs
import hitrs.training.loop
import hitrs.training.run_folder
from factories import small_store
from hitrs.cli.main import main
from hitrs.config import load_config
from hitrs.data import Recording, Store, write_npz, write_store
from hitrs.errors import DataError
from hitrs.files import locked
from hitrs.models.card_files import UnfinishedWarning, read_card, resolve_pretrained
from hitrs.skeleton.layout import get_layout
from hitrs.skeleton.standing import standing_pose
from hitrs.training.loop import Interrupted


def weights(run: Path) -> dict:
    return load_file(run / "model" / "model.safetensors")


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch):
    """``cut(n)`` ends training like a power cut in the middle of step n + 1."""

    def install(steps: int) -> None:
        whole, done = hitrs.training.loop.update, []

        def update(*words):
            if len(done) == steps:
                raise KeyboardInterrupt
            done.append(1)
            return whole(*words)

        monkeypatch.setattr(hitrs.training.loop, "update", update)

    return install


@pytest.mark.parametrize(("verb", "section"), [("pretrain", "pretrain"), ("finetune", "recognize")])
def test_a_continued_run_ends_with_the_same_weights(
    verb: str, section: str, store: str, quick: str, tmp_path: Path, cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [verb, store, "--config", quick, f"--{section}.optim.checkpoint-seconds", "0"]
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    with monkeypatch.context():
        cut(2)
        assert main([*words, "--out", str(tmp_path / "cut")]) == 130
        assert not (tmp_path / "cut" / "model").exists()
        monkeypatch.undo()
    # the run knows its configuration, so it need not be told again
    assert main([verb, store, "--out", str(tmp_path / "cut"), "--resume"]) == 0
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert expected.keys() == found.keys()
    assert all((expected[name] == found[name]).all() for name in expected)
    assert len(json.loads((tmp_path / "cut" / "run.json").read_text(encoding="utf-8"))["resumed"]) == 1


def test_an_interrupted_run_says_how_to_go_on(
    store: str,
    quick: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_, **__):
        raise Interrupted("stopped after step 2 of 4 and saved; go on with --resume")

    monkeypatch.setattr("hitrs.experiments.runs.train_encoder", stop)
    words = ["pretrain", store, "--config", quick, "--out", str(tmp_path / "run")]
    assert main(words) == 130
    said = " ".join(capsys.readouterr().err.split())
    assert said == f"stopped after step 2 of 4 and saved; go on with: hitrs {' '.join(words)} --resume"


def test_in_python_it_says_the_call(
    store: str, quick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(quick, {"recognize.optim.steps": 2})
    run, reached = tmp_path / "run", hitrs.training.loop.update

    def stopped(*words):
        signal.raise_signal(signal.SIGINT)
        return reached(*words)

    with monkeypatch.context() as patched:
        patched.setattr(hitrs.training.loop, "update", stopped)
        with pytest.raises(KeyboardInterrupt) as interrupt:
            hitrs.finetune(store, run, config=config, label_fraction=0.5)
    said, call = str(interrupt.value).split("; go on with: ")
    assert said == "stopped after step 1 of 2 and saved"
    assert call == f"hitrs.finetune({store!r}, {str(run)!r}, label_fraction=0.5, resume=True)"
    eval(call, {"hitrs": hitrs})
    assert (run / "model").is_dir()


def test_a_run_is_not_overwritten(store: str, quick: str, pretrained: str, fails) -> None:
    before = weights(Path(pretrained))
    said = fails("pretrain", store, "--config", quick, "--out", pretrained)
    assert f"{pretrained} exists already" in said
    assert all((before[name] == value).all() for name, value in weights(Path(pretrained)).items())


def test_nor_is_anything_else(store: str, quick: str, tmp_path: Path, fails) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert "exists already" in fails("finetune", store, "--config", quick, "--out", tmp_path)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_a_run_goes_on_with_its_own_settings_only(
    store: str, quick: str, pretrained: str, tmp_path: Path, fails
) -> None:
    again = ["--out", pretrained, "--resume"]
    assert "model.width was 8, not 12" in fails("pretrain", store, *again, "--model.width", "12")
    steps = load_config("tiny").pretrain.optim.steps
    assert f"pretrain.optim.steps was 4, not {steps}" in fails("pretrain", store, *again, "--config", "tiny")
    other = small_store(tmp_path / "other", count=24, seed=1).path
    assert "data was" in fails("pretrain", other, *again)
    # said once more, the same is no conflict
    assert main(["pretrain", store, *again, "--config", quick]) == 0


def test_only_a_run_can_go_on(store: str, quick: str, tmp_path: Path, fails) -> None:
    said = fails("pretrain", store, "--out", tmp_path / "nothing", "--resume")
    assert "leave out --resume to start" in said
    assert "leave out --resume" in fails(
        "pretrain", store, "--config", quick, "--out", tmp_path / "x", "--resume"
    )
    assert not list(tmp_path.iterdir())


def test_a_run_that_cannot_begin_leaves_nothing(store: str, quick: str, tmp_path: Path, fails) -> None:
    words = ["--config", quick, "--out", tmp_path / "run"]
    said = fails("pretrain", store, *words, "--min-frames", "100", "--max-frames", "200")
    assert "100 frames that min_frames asks for" in said
    assert not (tmp_path / "run").exists()
    assert "has no protocol 'x'" in fails("pretrain", store, *words, "--protocol", "x")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_ends_the_run_with_advice(
    store: str, quick: str, tmp_path: Path, fails
) -> None:
    words = [
        "--config",
        quick,
        "--out",
        tmp_path / "run",
        "--pretrain.optim.warmup-steps",
        "0",
        "--pretrain.optim.lr",
        "1e30",
    ]
    assert "try a smaller" in fails("pretrain", store, *words)
    assert not (tmp_path / "run").exists()


def test_python_and_the_command_line_continue_each_other(
    store: str, quick: str, tmp_path: Path, cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = {"pretrain.optim.checkpoint_seconds": 0}
    whole = hitrs.pretrain(store, tmp_path / "whole", config=load_config(quick, every))
    for name, go_on in (
        ("a", lambda run: main(["pretrain", store, "--out", str(run), "--resume"])),
        ("b", lambda run: hitrs.pretrain(store, run, resume=True)),
    ):
        run = tmp_path / name
        with monkeypatch.context():
            cut(2)
            if name == "a":
                with pytest.raises(KeyboardInterrupt):
                    hitrs.pretrain(store, run, config=load_config(quick, every))
            else:
                words = ["--config", quick, "--pretrain.optim.checkpoint-seconds", "0", "--out", str(run)]
                assert main(["pretrain", store, *words]) == 130
            monkeypatch.undo()
        go_on(run)
        expected, continued = weights(whole.folder), weights(run)
        assert all((expected[key] == continued[key]).all() for key in expected)
    assert (whole.folder / "config.yaml").is_file()
    assert {"command", "data", "format_version"} <= json.loads((whole.folder / "run.json").read_text()).keys()


def test_a_run_of_an_older_format_is_refused_with_the_reason(
    store: str, quick: str, pretrained: str, tmp_path: Path, fails
) -> None:
    old = tmp_path / "old"
    shutil.copytree(pretrained, old)
    run = json.loads((old / "run.json").read_text(encoding="utf-8"))
    del run["format_version"]
    (old / "run.json").write_text(json.dumps(run), encoding="utf-8")
    said = fails("pretrain", store, "--out", old, "--resume")
    assert f"{old} is a run of format 1, this release goes on with 2 only" in said


# --- several stores


def test_one_encoder_from_several_stores(
    store: str, quick: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = small_store(tmp_path / "other", count=8)
    words = ["pretrain", store, str(other.path), "--config", quick, "--out", str(tmp_path / "run")]
    assert main([*words, "--weights", "1", "2", "--protocol", "subjects", "subjects"]) == 0
    said = capsys.readouterr().out
    assert f"pre-training on the training part of subjects of {other.path}: 8 of 8 recordings" in said
    facts = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert facts["store"] == [store, str(other.path)]
    assert facts["weights"] == [1.0, 2.0]
    assert hitrs.HiTRS.from_pretrained(tmp_path / "run").card.trained["data"] == facts["data"]
    # each has something to say: with other data or weights it cannot go on
    assert main([*words, "--resume", "--weights", "1", "1"]) == 1
    assert "weights" in capsys.readouterr().err


def layout_of(run: Path) -> str:
    return read_card(resolve_pretrained(run))[0].layout.name


def test_an_encoder_that_knows_what_joints_are_takes_another_layout(
    quick: str, pretrained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], fails
) -> None:
    kinect = small_store(tmp_path / "kinect", layout=get_layout("kinect20")).path
    markers = str(small_store(tmp_path / "markers", layout=get_layout("plugin_gait39")).path)
    words = ["--config", quick, "--model.joint-embedding", "descriptor", "--out", str(tmp_path / "encoder")]
    assert main(["pretrain", str(kinect), *words]) == 0
    tune = ["finetune", markers, "--from", str(tmp_path / "encoder"), "--layout"]
    assert main([*tune, "plugin_gait39", "--out", str(tmp_path / "tuned")]) == 0
    assert layout_of(tmp_path / "tuned") == "plugin_gait39"
    probe = ["probe", markers, str(tmp_path / "encoder"), "--layout", "plugin_gait39"]
    assert main([*probe, "--out", str(tmp_path / "ridge")]) == 0
    assert layout_of(tmp_path / "ridge") == "plugin_gait39"
    tune.remove("--layout")
    assert main([*tune, "--out", str(tmp_path / "mapped")]) == 0  # the layout of the encoder, as ever
    assert layout_of(tmp_path / "mapped") == "kinect20"
    capsys.readouterr()
    words = ["finetune", markers, "--from", pretrained, "--layout", "plugin_gait39"]
    said = fails(*words, "--out", tmp_path / "no")
    assert "joints of layout 'toy'" in said
    assert "leave out the layout 'plugin_gait39'" in said
    assert not (tmp_path / "no").exists()


def test_several_stores_must_go_together(
    store: str, quick: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*words: str) -> str:
        assert main(["pretrain", store, *words, "--config", quick, "--out", str(tmp_path / "run")]) == 1
        assert not (tmp_path / "run").exists()
        return " ".join(capsys.readouterr().err.split())

    assert "2 stores and 1 weights: give one for each" in refused(store, "--weights", "2")
    assert "must be above 0, got 1.0, -1.0" in refused(store, "--weights", "1", "-1")
    upright = write_store(tmp_path / "upright", [standing()])
    lying = write_store(tmp_path / "lying", [standing(up=2)])
    large = write_store(tmp_path / "large", [standing(size=1000)])
    with pytest.raises(
        DataError, match=r"has the up axis y and .*lying z, .*`hitrs clean .*lying NEW --up=z`"
    ):
        hitrs.pretrain([upright, lying], tmp_path / "run", config=quick)
    with pytest.raises(DataError, match=r"is in meters and .*large millimeters, .* NEW --unit mm`"):
        hitrs.pretrain([upright, large], tmp_path / "run", config=quick)
    scaled = load_config(quick, {"preprocessing.scale": "body", "min_frames": 1})
    assert hitrs.pretrain([upright, large], tmp_path / "run", config=scaled).model.is_dir()


def standing(up: int = 1, size: float = 1.0) -> Recording:
    """Somebody who stands, 40 frames."""
    layout = get_layout("kinect20")
    front = standing_pose(layout)
    pose = np.zeros((layout.n_joints, 3))
    pose[:, 0], pose[:, up] = front.T * size
    wave = 0.1 * size * np.sin(np.arange(40) / 3)[:, None, None]
    return Recording(pose + wave, layout=layout, fps=30)


def test_a_run_is_resumed_once_at_a_time(
    store: str, quick: str, pretrained: str, tmp_path: Path, fails
) -> None:
    run = tmp_path / "run"
    shutil.copytree(pretrained, run)
    before = (run / "run.json").read_bytes()
    with locked(run, "the run"):
        for words in (["--resume"], ["--config", quick], ["--config", quick, "--resume"]):
            said = fails("pretrain", store, "--out", run, *words)
            assert f"the run folder {run} is in use by process {os.getpid()}" in said
    assert (run / "run.json").read_bytes() == before
    assert main(["pretrain", store, "--out", str(run), "--resume"]) == 0


def test_a_kill_between_the_first_two_files_of_a_run(
    store: str, quick: str, tmp_path: Path, fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot go on, so it can begin; a configuration that somebody has put there is not taken for it."""
    run = tmp_path / "run"

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(hitrs.training.run_folder, "write_json", killed)
        patched.setattr(hitrs.training.run_folder.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            main(["pretrain", store, "--config", quick, "--out", str(run)])
    assert "config.yaml" in {path.name for path in run.iterdir()}
    assert not (run / "run.json").exists()
    assert "leave out --resume to start" in fails("pretrain", store, "--out", run, "--resume")
    assert main(["pretrain", store, "--config", quick, "--out", str(run)]) == 0
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(quick, own / "config.yaml")
    assert "exists already" in fails("pretrain", store, "--config", quick, "--out", own)
    assert [path.name for path in own.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_the_newest_checkpoint_of_an_interrupted_run_is_a_model(
    verb: str, store: str, quick: str, tmp_path: Path, cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = {"pretrain": "pretrain", "finetune": "recognize"}[verb]
    words = ["--config", quick, f"--{section}.optim.checkpoint-seconds", "0", "--out", str(tmp_path / "run")]
    with monkeypatch.context():
        cut(2)
        assert main([verb, store, *words]) == 130
        monkeypatch.undo()
    saved = load_file(tmp_path / "run" / "checkpoints" / "step-00000002" / "model.safetensors")
    with pytest.warns(
        UnfinishedWarning, match="is not finished; its newest checkpoint is used, step-00000002"
    ):
        encoder = hitrs.HiTRS.from_pretrained(tmp_path / "run")
    inside = "" if verb == "pretrain" else "model."
    assert all(
        (saved[f"{inside}encoder.{name}"] == value).all() for name, value in encoder.state_dict().items()
    )
    if verb == "finetune":
        with pytest.warns(UnfinishedWarning):
            assert hitrs.Recognizer(tmp_path / "run").classes
    else:
        with pytest.warns(UnfinishedWarning):
            hitrs.probe(store, tmp_path / "run", config=load_config(quick))


def test_a_table_that_is_stopped_says_how_to_go_on(
    store: str,
    quick: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has no --resume: it goes on by itself. And a cell is run by one process at a time."""
    plan = tmp_path / "plan.yaml"
    cell = f"{{do: finetune, store: {Path(store).name}, protocol: {Store.open(store).protocols[0]}}}"
    plan.write_text(f"name: ../p\nconfig: {quick}\ncells: [{cell}]\n", encoding="utf-8")
    words = ["table", str(plan), "--stores", str(Path(store).parent)]
    words += ["--runs", str(tmp_path / "sub" / "runs"), "--results", str(tmp_path / "sub" / "results")]
    reached = hitrs.training.loop.update

    def stopped(*given: object):
        signal.raise_signal(signal.SIGINT)
        return reached(*given)

    with monkeypatch.context() as patched:
        patched.setattr(hitrs.training.loop, "update", stopped)
        assert main(words) == 130
    said = " ".join(capsys.readouterr().err.split())
    assert "stopped after step 1 of 4 and saved; the same command goes on there" in said
    assert "--resume" not in said
    (run,) = (path for path in (tmp_path / "sub" / "runs").glob("*/*") if path.is_dir())
    with locked(run, "it"):
        assert main(words) == 1
        assert f"is in use by process {os.getpid()}" in " ".join(capsys.readouterr().err.split())
    assert main(words) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "plan.yaml",
        "sub",
    ]  # whatever the plan is called
    assert sorted(path.name for path in (tmp_path / "sub").iterdir()) == ["results", "runs"]


@pytest.mark.parametrize("verb", ["import", "pretrain"])
def test_two_starts_at_once(verb: str, store: str, quick: str, tmp_path: Path) -> None:
    """One of two processes does the work, the other is told; nothing breaks."""
    if verb == "import":
        (tmp_path / "files").mkdir()
        for number in range(40):
            write_npz(Store.open(store)[number % 24], tmp_path / "files" / f"{number}.npz")
        words = ["import", str(tmp_path / "files"), str(tmp_path / "out")]
    else:
        words = ["pretrain", store, "--config", quick, "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "hitrs", *words]
    pair = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in pair]
    codes = sorted(process.returncode for process in pair)
    refused = next(text for text, process in zip(said, pair, strict=True) if process.returncode == codes[1])
    assert codes == [0, 1], said
    assert "Traceback" not in "".join(said)
    assert "is in use by" in refused or "exists already" in refused
    if verb == "import":
        assert len(Store.open(tmp_path / "out", verify=True)) == 40
    else:
        assert (tmp_path / "out" / "model" / "model.safetensors").is_file()
    assert {path.name for path in tmp_path.iterdir()} <= {"files", "out"}
