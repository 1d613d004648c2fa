"""The loop: what a step is, logging, stopping, resuming, and losses that are no numbers."""

import json
import math
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from hitrs.errors import ConfigError, TrainingError
from hitrs.training.batches import seed_of
from hitrs.training.checkpoint import list_checkpoints
from hitrs.training.config import OptimConfig
from hitrs.training.log import read_metrics
from hitrs.training.loop import Interrupted, fit
from hitrs.training.optimizer import learning_rate
from hitrs.training.order import shuffled
from hitrs.transforms.random import KeyedGenerator


class Guess(nn.Module):
    """Regression with dropout and a draw of its own: all kinds of randomness that a run has.

    ``before`` is called with the number of the forward pass, counted from 0.
    """

    def __init__(self, before: Callable[[int], None] = lambda _: None) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.before, self.passes, self.scale = before, 0, 1.0

    def forward(self, x: Tensor, y: Tensor, generator: KeyedGenerator) -> tuple[Tensor, dict[str, Tensor]]:
        self.before(self.passes)
        self.passes += 1
        loss = (self.net(x)[:, 0] - y - 0.1 * generator.normal("noise")).square().mean() * self.scale
        return loss, {"error": loss.detach().sqrt()}


class Toy:
    """Twelve numbers to learn."""

    def __init__(self, before: Callable[[int], None] = lambda _: None) -> None:
        torch.manual_seed(0)
        self.module = Guess(before)
        self.x = torch.randn(12, 2)
        self.y = self.x.sum(1)
        self.evaluations = 0

    def __len__(self) -> int:
        return len(self.x)

    @property
    def passes(self) -> int:
        return self.module.passes

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[Tensor, Tensor, KeyedGenerator]:
        return self.x[which] + 0.1 * generator.normal("shift", 2), self.y[which], generator

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        assert not module.training
        assert not torch.is_grad_enabled()
        self.evaluations += 1
        return {"validation/accuracy": 0.5}


def config(**changes) -> OptimConfig:
    values = {
        "steps": 12,
        "batch_size": 4,
        "accumulation_steps": 2,
        "lr": 0.05,
        "warmup_steps": 3,
        "log_every": 2,
    }
    return OptimConfig(**{**values, "final_lr": 0.0, **changes})


def weights(module: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def equal(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def test_steps_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    settings = config(max_grad_norm=0.5, weight_decay=0.1)
    trained = fit(Toy(), settings, tmp_path)
    job = Toy()
    module = job.module.train()
    decayed = [p for p in module.parameters() if p.ndim == 2]
    rest = [p for p in module.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0}]
    )
    for step in range(12):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step)
        for part in range(2):
            torch.manual_seed(seed_of(0, "dropout", step, part, 0))
            first = (2 * step + part) * 4
            drawn = KeyedGenerator.from_seed(seed_of(0, "data"), range(first, first + 4))
            loss, _ = module(*job.inputs(shuffled(12, first, 4, 0), drawn))
            (loss / 2).backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
    for ours, plain in zip(trained.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-6, rtol=0)
    assert not trained.training


def test_the_log_tells_what_happened(tmp_path: Path) -> None:
    job = Toy()
    fit(job, config(eval_every=4, steps=9), tmp_path)
    text = (tmp_path / "metrics.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [2, 4, 6, 8, 9]
    assert [row["step"] for row in rows if "validation/accuracy" in row] == [4, 8, 9]
    assert job.evaluations == 3
    for row in rows:
        assert all(math.isfinite(value) for value in row.values())
    losses = [row for row in rows if "loss" in row]
    assert losses[0].keys() >= {"step", "epoch", "seconds", "loss", "error", "lr", "gradient_norm"}
    assert [row["epoch"] for row in losses] == pytest.approx([s * 8 / 12 for s in (2, 4, 6, 8, 9)], abs=1e-3)
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [row["step"] for row in rows]


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    first, again, other = (
        fit(Toy(), config(seed=seed), tmp_path / name) for seed, name in ((1, "a"), (1, "b"), (2, "c"))
    )
    assert equal(first, again)
    assert not equal(first, other)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_saves_and_a_resumed_run_ends_the_same(tmp_path: Path, signum: signal.Signals) -> None:
    whole = fit(Toy(), config(), tmp_path / "whole")
    handler = signal.getsignal(signum)
    job = Toy(lambda number: signal.raise_signal(signum) if number == 9 else None)  # in step 5 of 12
    with pytest.raises(Interrupted, match=r"stopped after step 5 of 12 and saved; go on with --resume"):
        fit(job, config(), tmp_path / "run")
    assert signal.getsignal(signum) == handler
    assert job.passes == 10  # the step was finished
    assert [p.name for p in list_checkpoints(tmp_path / "run" / "checkpoints")] == ["step-00000005"]
    rest = Toy()
    resumed = fit(rest, config(), tmp_path / "run", resume=True)
    assert rest.passes == 14
    assert equal(resumed, whole)
    steps = [row["step"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "loss" in row]
    assert steps == [2, 4, 6, 8, 10, 12]


class Killed(BaseException):
    """Ends a run on the spot, as a kill would."""


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    whole = fit(Toy(), config(checkpoint_seconds=0), tmp_path / "whole")

    def kill(number: int) -> None:
        if number == 15:
            raise Killed

    with pytest.raises(Killed):
        fit(Toy(kill), config(checkpoint_seconds=0), tmp_path / "run")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as log:
        log.write('{"step": 8, "loss": 9')  # cut short in the middle of a line
    resumed = fit(Toy(), config(checkpoint_seconds=0), tmp_path / "run", resume=True)
    assert equal(resumed, whole)
    logs = [
        [
            (row["step"], row.get("loss"), row.get("lr"))
            for row in read_metrics(tmp_path / name / "metrics.jsonl")
        ]
        for name in ("run", "whole")
    ]
    assert logs[0] == logs[1]  # also the means of steps 7 and 8, between which the kill came
    finished = Toy()
    assert equal(fit(finished, config(), tmp_path / "run", resume=True), whole)
    assert finished.passes == 0


def test_a_run_of_two_processes_goes_on_in_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two forward passes a step, one each; the process that is left makes both."""
    whole = fit(Toy(), config(accumulation_steps=2), tmp_path / "whole")
    job = Toy(lambda number: signal.raise_signal(signal.SIGINT) if number == 9 else None)
    with pytest.raises(Interrupted):
        fit(job, config(accumulation_steps=2), tmp_path / "run")
    rest = Toy()
    assert equal(fit(rest, config(accumulation_steps=1), tmp_path / "run", resume=True), whole)
    assert rest.passes == 14
    assert "the run makes 2 forward passes a step: 2 of each process from now on" in capsys.readouterr().out


def test_processes_that_cannot_share_a_step_are_told_how_many_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(Toy(), config(accumulation_steps=4, steps=2), tmp_path)
    monkeypatch.setattr(Accelerator, "num_processes", 3)
    with pytest.raises(ConfigError, match=r"4 forward passes a step, which 3 processes .*: 1, 2, 4$"):
        fit(Toy(), config(accumulation_steps=4), tmp_path, resume=True)


def test_resume_without_a_checkpoint_starts(tmp_path: Path) -> None:
    assert equal(fit(Toy(), config(), tmp_path / "a", resume=True), fit(Toy(), config(), tmp_path / "b"))


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    def spoil(number: int) -> None:
        if number == 10:
            job.module.scale = float("nan")

    job = Toy(spoil)
    with pytest.raises(TrainingError, match=r"the loss is nan at step 5 \(learning rate .*try a smaller lr"):
        fit(job, config(checkpoint_seconds=0), tmp_path)
    assert all(p.isfinite().all() for p in job.module.parameters())
    assert list_checkpoints(tmp_path / "checkpoints")[-1].name == "step-00000005"
    assert all("nan" not in line.lower() for line in (tmp_path / "metrics.jsonl").read_text().splitlines())


def test_a_gradient_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    class Cliff(Guess):
        def forward(self, x, y, generator):
            loss, metrics = super().forward(x, y, generator)
            return loss + (
                loss - loss.detach()
            ).abs().sqrt(), metrics  # the value is finite, the slope is not

    job = Toy()
    job.module = Cliff()
    with pytest.raises(TrainingError, match=r"the gradient's norm is (nan|inf) at step 0"):
        fit(job, config(checkpoint_seconds=0), tmp_path)
    assert all(p.isfinite().all() for p in job.module.parameters())
    assert list_checkpoints(tmp_path / "checkpoints") == []


def test_one_process_can_train_with_another_precision_each_time(tmp_path: Path) -> None:
    rough = fit(Toy(), config(precision="bf16"), tmp_path / "bf16")
    exact = fit(Toy(), config(precision="fp32"), tmp_path / "fp32")
    assert not equal(rough, exact)
    for a, b in zip(rough.parameters(), exact.parameters(), strict=True):
        assert a.dtype == torch.float32
        torch.testing.assert_close(a, b, atol=0.1, rtol=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device, which has fp16")
def test_fp16_needs_an_accelerator(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fp16 needs a CUDA device"):
        fit(Toy(), config(precision="fp16"), tmp_path)
