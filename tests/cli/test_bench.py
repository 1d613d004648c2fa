"""``hitrs bench``: what it prints and draws; the measurements themselves are tested in ``tests/bench``."""

import json
from pathlib import Path

import pytest
from PIL import Image

from hitrs.bench import compare
from hitrs.bench.case import Case
from hitrs.bench.measurement import Measurement, StepTime
from hitrs.cli.main import main

KEYS = {
    "sequences_per_second", "seconds_per_step", "milliseconds_p50", "milliseconds_p99", "peak_memory_bytes",
}  # fmt: skip
RATES = {"gemm_float32_gflops": 100.0, "gemm_bfloat16_gflops": 400.0}


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """The cases that were measured; each takes a second a frame, plainly two."""
    seen: list[Case] = []

    def measure(case: Case) -> Measurement:
        seen.append(case)
        seconds = case.frames * (1.0 if case.side == "ours" else 2.0)
        return Measurement((StepTime(seconds, seconds),), case.batch_size, 10**9)

    monkeypatch.setattr(compare, "measure", measure)
    monkeypatch.setattr("hitrs.bench.compare.machine_rates", lambda threads: RATES)
    return seen


def test_measured_in_a_process_of_its_own(
    quick: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitrs.bench.compare.machine_rates", lambda threads: RATES)
    words = ["bench", "train", "--config", quick, "--frames", "16", "--joints", "4", "--batch-size", "2"]
    assert main([*words, "--rounds", "1", "--seconds", "0.001", "--threads", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found.keys() >= KEYS | RATES.keys()
    assert all(found[key] > 0 for key in KEYS)


def test_one_json_object_with_the_plain_way_beside(
    cases: list[Case], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "train", "--reference", "plain", "--json", "--rounds", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= KEYS | RATES.keys() | {"memory_ratio"}
    assert found["reference"].keys() >= KEYS
    assert found["speedups"] == [2, 2]


def test_a_table_for_people(cases: list[Case], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "recognize", "--config", "small", "--reference", "plain", "--frames", "5"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "matrix products 100 GFLOP/s in float32, 400 in bfloat16" in lines
    assert lines[-2].split() == ["ours", "0.2", "5000.0", "5000.0", "5000.0", "1.00", "2.00", "2.00", "1.00"]
    assert lines[-1].split() == ["plain", "0.1", "10000.0", "10000.0", "10000.0", "1.00"]
    assert {case.batch_size for case in cases} == {1}
    assert {case.config.pretext["views"] for case in cases} == {0.0}


def test_the_plain_way_is_the_papers(fails) -> None:
    assert "clips; those of light stand side by side" in fails(
        "bench", "train", "--config", "light", "--reference", "plain"
    )


def test_a_curve_is_drawn(cases: list[Case], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "frames.png"
    words = ["bench", "train", "--curve", "frames", "--values", "10", "20", "--plot", str(plot)]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [point["frames"] for point in found["points"]] == [10, 20]
    assert [point["seconds_per_step"] for point in found["points"]] == [10, 20]
    with Image.open(plot) as picture:
        assert picture.width > 800
    assert main(words) == 0
    assert "frames 20, ours" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "--reference", "plain"], "--reference is for train and recognize"),
        (["train", "--plot", "x.png"], "belong to a curve"),
        (["train", "--rounds", "0"], "--rounds must be at least 1"),
        (["train", "--frames", "0"], "frames must be at least 1"),
        (["train", "--config", "smal"], "did you mean 'small'"),
    ],
)
def test_what_cannot_be_measured(words: list[str], message: str, fails, cases: list[Case]) -> None:
    assert message in fails("bench", *words)
    assert cases == []
