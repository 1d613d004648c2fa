"""metrics.jsonl: one object a line, also after a kill, on a full disk and without TensorBoard."""

import builtins
import errno
import json
from pathlib import Path

import pytest

from hitrs.errors import TrainingError
from hitrs.training.log import Averages, MetricsLog, read_metrics


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_rows_are_lines(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, 0) as log:
        for step in (1, 2):
            log.write({"step": step, "loss": 0.5 / step})
        assert lines(tmp_path) == [
            {"step": 1, "loss": 0.5},
            {"step": 2, "loss": 0.25},
        ]  # at once, not at the end
    assert read_metrics(tmp_path / "metrics.jsonl") == lines(tmp_path)
    assert read_metrics(tmp_path / "none.jsonl") == []


def test_what_is_written_again_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"step": 1}\n{"step": 2}\n{"step": 2, "knn/accuracy": 1.0}\n{"step": 3}\n{"step": 4, "lo'
    )
    with MetricsLog(tmp_path, 2) as log:
        log.write({"step": 3, "loss": 1.0})
    assert [row["step"] for row in lines(tmp_path)] == [1, 2, 2, 3]
    with MetricsLog(tmp_path, 0):
        assert lines(tmp_path) == []  # a new run starts an empty log


@pytest.mark.parametrize("damage", ["not json", "[1, 2]", '{"loss": 1.0}', '{"step": "two"}', ""])
def test_a_damaged_line_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 1}}\n{damage}\n{{"step": 3}}\n')
    with pytest.raises(TrainingError, match=r"metrics\.jsonl, line 2 is not a JSON object with a step"):
        read_metrics(path)


def test_tensorboard_on_a_full_disk_prints_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    gfile = pytest.importorskip("tensorboard.compat.tensorflow_stub.io.gfile")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gfile.LocalFileSystem, "_write", full)
    told = pytest.raises(TrainingError, match=r"No space left on device; free some space and go on")
    with told, MetricsLog(tmp_path, 0) as log:
        for step in range(100_000):  # a thread writes: its error comes back a little later
            log.write({"step": step, "loss": 1.0})
    assert "Traceback" not in capfd.readouterr().err


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = Path.open

    def full(self: Path, mode: str = "r", *rest, **more):
        if self.name == "metrics.jsonl" and "a" in mode:
            raise OSError(28, "No space left on device")
        return really(self, mode, *rest, **more)

    with MetricsLog(tmp_path, 0) as log:
        monkeypatch.setattr(Path, "open", full)
        with pytest.raises(TrainingError, match=r"could not write .*metrics\.jsonl.*No space left.*--resume"):
            log.write({"step": 1})


def test_a_full_disk_at_the_start_keeps_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n')

    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(TrainingError, match="No space left"):
        MetricsLog(tmp_path, 1)
    assert lines(tmp_path) == [{"step": 1}]


def test_tensorboard_gets_the_numbers(tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with MetricsLog(tmp_path, 0) as log:
        log.write({"step": 4, "loss": 0.25, "frame/error": 0.5})
    events = reader.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(4, 0.25)]
    assert [(e.step, e.value) for e in events.Scalars("frame/error")] == [(4, 0.5)]


def test_tensorboard_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def without(name: str, *rest, **more):
        if name.startswith(("tensorboard", "torch.utils.tensorboard")):
            raise ImportError(name)
        return really(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with MetricsLog(tmp_path, 0) as log:
        log.write({"step": 1, "loss": 2.0})
    assert lines(tmp_path) == [{"step": 1, "loss": 2.0}]
    assert not (tmp_path / "tensorboard").exists()


def test_averages_start_anew_when_taken() -> None:
    averages = Averages()
    averages.add({"loss": 1.0, "accuracy": 0.5})
    averages.add({"loss": 3.0})  # a task in which nobody took part says nothing
    assert averages.take() == {"loss": 2.0, "accuracy": 0.5}
    assert averages.take() == {}
