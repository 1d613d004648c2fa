"""Cases, their figures, pairs and curves; what the processes measure is random or tiny here."""

import dataclasses
from typing import Any

import pytest
import torch

from factories import small_store, tiny
from hitrs.bench import compare, measurement, recognition, streaming, training
from hitrs.bench.case import CURVES, Case, changed_case
from hitrs.bench.compare import measure_curve, measure_rounds
from hitrs.bench.data import measure_import, measure_loader
from hitrs.bench.measurement import (
    Measurement,
    StepTime,
    chain_layout,
    count_flops,
    peak_memory,
    random_bodies,
    time_steps,
)
from hitrs.config import Config, load_config
from hitrs.errors import ConfigError
from hitrs.models.encoder import CheckpointedLevels, HiTRS
from hitrs.tasks.detection.online import OnlineDetector

CASE = Case("train", Config(model=tiny()), frames=16, joints=4, batch_size=2, recordings=6, seconds=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("side", ["ours", "plain"])
@pytest.mark.parametrize("module", [training, recognition])
def test_models_are_measured(module, side: str, precision: str) -> None:
    if (side, precision) == ("plain", "bf16"):
        pytest.skip("the plain computation is float32")
    found = module.measure(dataclasses.replace(CASE, side=side, persons=2, precision=precision))
    assert len(found.steps) == 2
    assert min(step.wall for step in found.steps) > 0
    assert found.flops is not None
    assert found.flops > 1e5
    assert found.sequences == (4 if module is training else 2)  # bodies, recordings
    assert found.peak_memory_bytes > 50e6  # an interpreter with torch


def pretraining(**changes: Any) -> Case:
    """The case with single settings of its pre-training changed."""
    config = CASE.config.changed({f"pretrain.optim.{name}": value for name, value in changes.items()})
    return dataclasses.replace(CASE, config=config)


def test_a_light_model_is_measured_with_its_own_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config("light", {"model.width": 8, "model.layers": 1})
    seen: list[tuple[int, ...]] = []
    encode = HiTRS.encode_frames

    def spy(self: HiTRS, positions: torch.Tensor, *others: torch.Tensor):
        seen.append(tuple(positions.shape))
        return encode(self, positions, *others)

    monkeypatch.setattr(HiTRS, "encode_frames", spy)
    training.measure(Case("train", config, frames=20, joints=4, batch_size=2, seconds=0.01))
    recognition.measure(Case("recognize", config, frames=20, joints=4, batch_size=2, seconds=0.01))
    assert set(seen) == {(2, 12, 4, 36)}


def test_training_recomputes_what_the_configuration_says() -> None:
    def flops(levels: CheckpointedLevels) -> float:
        counted = training.measure(pretraining(activation_checkpointing=levels)).flops
        assert counted is not None
        return counted

    none, frames, all_levels = flops("none"), flops("frames"), flops("all")
    assert none < 0.97 * frames < 0.9 * all_levels
    assert all_levels > 1.2 * none


def test_training_is_measured_for_longer_than_the_configurations_run() -> None:
    assert len(training.measure(pretraining(steps=1)).steps) == 2  # and one to warm up


@pytest.mark.parametrize("mode", ["default", "paper"])
def test_streaming_is_measured_with_a_full_history(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, before = [], []

    def keep(case: Case) -> OnlineDetector:
        made.append(detector(case))
        return made[0]

    def look(step, seconds: float, minimum: int):
        before.append(made[0]._answer._step.n_clips)
        return time_steps(step, seconds, minimum)

    detector = streaming.random_detector
    monkeypatch.setattr(streaming, "random_detector", keep)
    monkeypatch.setattr(streaming, "time_steps", look)
    found = streaming.measure(dataclasses.replace(CASE, config=Config(model=tiny(mode=mode))))
    assert before == [tiny().max_clips]  # fewer than the detector's 50
    assert found.sequences == 1
    assert len(found.steps) == 20 * 7  # of which every seventh completes a clip
    assert found.flops is not None
    assert found.flops > 1000


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_on_a_store_counts_its_bodies(tmp_path, precision: str) -> None:
    store = small_store(tmp_path / "store", count=4, persons=1)
    case = dataclasses.replace(CASE, data=str(store.path), precision=precision, batch_size=3)
    assert training.measure(case).sequences == 3
    assert measure_loader(case).sequences == 3


def test_random_recordings_are_imported_and_loaded(tmp_path) -> None:
    assert measure_import(CASE).sequences == 6
    assert measure_loader(CASE).sequences == 2


def test_random_bodies_have_the_size_asked_for() -> None:
    positions, valid, lengths = random_bodies(dataclasses.replace(CASE, persons=3))
    assert positions.shape == (6, 16, 4, 3)
    assert valid.all()
    assert lengths.tolist() == [16] * 6
    assert chain_layout(7).n_joints == 7


def test_steps_are_timed_after_one_to_warm_up() -> None:
    calls: list[int] = []
    assert len(time_steps(lambda: calls.append(1), 1e-9, minimum=3)) == len(calls) - 1 >= 3


def test_figures_of_a_measurement() -> None:
    found = Measurement((StepTime(0.1, 1), StepTime(0.2, 3), StepTime(0.4, 2)), 8, 10, flops=4e9).to_dict()
    assert found["seconds_per_step"] == 0.2
    assert found["sequences_per_second"] == pytest.approx(40)
    assert found["milliseconds_p50"] == pytest.approx(200)
    assert found["milliseconds_p99"] == pytest.approx(396)
    assert found["cpu_seconds_per_step"] == 2
    assert found["gflop_per_sequence"] == pytest.approx(0.5)


def test_matrix_products_are_counted() -> None:
    a, b = torch.randn(3, 5, requires_grad=True), torch.randn(5, 7)
    assert count_flops(lambda: (a @ b).sum().backward()) == 2 * (2 * 3 * 5 * 7)  # and its gradient


def test_peak_memory_remembers_what_is_gone() -> None:
    before = peak_memory()
    torch.ones(60_000_000).sum()  # 240 MB
    assert peak_memory() > before + 200e6 or before > 1e9


def test_matrix_products_are_rated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "GEMM_SHAPE", (64, 32, 64))
    rates = measurement.gemm_rates(seconds=1e-9)
    assert rates.keys() == {"gemm_float32_gflops", "gemm_bfloat16_gflops"}
    assert min(rates.values()) > 0


def fake(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """Measurements that take no time: ours takes a second a frame, plain three the first time, then five."""
    seen: list[Case] = []

    def measure(case: Case) -> Measurement:
        seen.append(case)
        plain = sum(c.side == "plain" for c in seen)
        seconds = case.frames * (1.0 if case.side == "ours" else 2.0 * plain + 1)
        return Measurement((StepTime(seconds, 2 * seconds),), 2, 100 if case.side == "ours" else 250)

    monkeypatch.setattr(compare, "measure", measure)
    return seen


def test_pairs_are_measured_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = fake(monkeypatch)
    lines: list[str] = []
    found = measure_rounds(
        dataclasses.replace(CASE, precision="bf16"), rounds=3, reference=True, report=lines.append
    )
    assert [case.side for case in seen] == ["ours", "plain"] * 3
    assert {case.precision for case in seen if case.side == "plain"} == {"fp32"}
    assert found["speedups"] == [3, 5, 7]
    assert found["speedup"] == 5
    assert found["memory_ratio"] == 2.5
    assert found["seconds_per_step"] == 16
    assert found["reference"]["seconds_per_step"] == 5 * 16
    assert len(lines) == 6


def test_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = fake(monkeypatch)
    most = CASE.config.model.max_clips * CASE.config.model.stride
    points = measure_curve(CASE, "frames", (10, most, most + 1), rounds=1, reference=True)
    assert [point["frames"] for point in points] == [10, most, most + 1]
    assert ["reference" in point for point in points] == [
        True,
        True,
        False,
    ]  # no position embeddings for more clips
    assert len(seen) == 5


@pytest.mark.parametrize("quantity", list(CURVES))
def test_a_curve_changes_one_quantity(quantity) -> None:
    changed = changed_case(CASE, quantity, 12)
    before, after = CASE.to_dict(), changed.to_dict()
    before |= before.pop("config")["model"]
    after |= after.pop("config")["model"]
    name = "batch_size" if quantity == "batch" else quantity
    assert {key for key in before if before[key] != after[key]} == {name}
    assert after[name] == 12


@pytest.mark.parametrize("change", [{"frames": 0}, {"seconds": 0.0}, {"threads": 0}, {"batch_size": -1}])
def test_sizes_are_checked(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        dataclasses.replace(CASE, **change)
