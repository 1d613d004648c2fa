"""Run folders: refusing, continuing, leaving nothing behind."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

import hitrs.train.loop
from factories import small_store
from hitrs.cli.configfile import load_config
from hitrs.cli.main import main
from hitrs.train.loop import Interrupted


def weights(run: Path) -> dict:
    return load_file(run / "model" / "model.safetensors")


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch):
    """``cut(n)`` ends training like a power cut in the middle of update n + 1."""

    def install(updates: int) -> None:
        whole, done = hitrs.train.loop.update, []

        def update(*words):
            if len(done) == updates:
                raise KeyboardInterrupt
            done.append(1)
            return whole(*words)

        monkeypatch.setattr(hitrs.train.loop, "update", update)

    return install


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_a_continued_run_ends_with_the_same_weights(
    verb: str, store: str, quick: str, tmp_path: Path, cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [verb, store, "--config", quick, f"--{verb}.checkpoint-seconds", "0"]
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
        raise Interrupted("stopped after update 2 of 4 and saved; go on with --resume")

    monkeypatch.setattr("hitrs.cli.pretrain.pretrain", stop)
    words = ["pretrain", store, "--config", quick, "--out", str(tmp_path / "run")]
    assert main(words) == 130
    said = " ".join(capsys.readouterr().err.split())
    assert said == f"stopped after update 2 of 4 and saved; go on with: hitrs {' '.join(words)} --resume"


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
    steps = load_config("tiny").pretrain.steps
    assert f"pretrain.steps was 4, not {steps}" in fails("pretrain", store, *again, "--config", "tiny")
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
    words = ["--config", quick, "--out", tmp_path / "run", "--pretrain.warmup", "0", "--pretrain.lr", "1e30"]
    assert "try a smaller" in fails("pretrain", store, *words)
    assert not (tmp_path / "run").exists()
