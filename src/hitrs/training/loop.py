"""The one training loop.

Which recordings a step sees, and everything that is drawn for them, follows from the seed and their place
in the shuffled stream (``hitrs.training.batches``); dropout follows from seed, step and the number of the
forward pass in it. So a resumed run needs no more than weights, optimizer state and the step's number to go
on as if it had never stopped, on as many processes or on another number of them.
"""

from __future__ import annotations

import dataclasses
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, PartialState
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import nn

from hitrs.errors import ConfigError, TrainingError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import set_activation_checkpointing
from hitrs.training.batches import Batches, batches_for, make_batch, seed_of
from hitrs.training.checkpoint import load_checkpoint, save_checkpoint
from hitrs.training.config import OptimConfig
from hitrs.training.log import Averages, MetricsLog
from hitrs.training.optimizer import learning_rate, make_optimizer

TELL_SECONDS = 20.0
"""Where the output is a file instead of a terminal with a moving bar, a line about every so often."""


class Job(Batches, Protocol):
    """What the loop trains: a module, its batches, and how to look at it from time to time."""

    @property
    def module(self) -> nn.Module:
        """Called as ``module(*inputs)``, returns (loss, metrics): means over the batch.

        Their means over processes are to be means over the batches of all: see ``share_of_means``.
        """

    def evaluate(self, module: Any) -> dict[str, float]:
        """Probe or validation of the module, in eval mode; called on the main process."""


class Interrupted(TrainingError):
    """The run was asked to stop; it has saved a checkpoint."""


def fit(
    job: Job,
    config: OptimConfig,
    folder: Path,
    *,
    resume: bool = False,
    title: str = "train",
    card: ModelCard | None = None,
) -> nn.Module:
    """Train ``job.module`` for ``config.steps`` steps and return it on the CPU, in eval mode.

    Args:
        folder: for ``metrics.jsonl``, ``tensorboard/`` and ``checkpoints/``.
        resume: go on from the newest checkpoint in ``folder``, if there is one.
        card: of the model that is trained, for its checkpoints.
    Raises:
        ConfigError: if the machine cannot train with this precision, or so many processes cannot go on with
            the run.
        TrainingError: if the loss or a gradient is not finite, with what to try.
        CheckpointError: if a checkpoint cannot be written or read.
        Interrupted: after Ctrl-C or SIGTERM, once a checkpoint is saved.
    """
    torch.manual_seed(config.seed)
    accelerator = make_accelerator(config)
    set_activation_checkpointing(job.module, config.activation_checkpointing)
    optimizer = make_optimizer(job.module, config, getattr(config, "encoder_lr_scale", 1.0))
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = folder / "checkpoints"
    state = load_checkpoint(checkpoints, job.module, optimizer) if resume else None
    first = state["step"] if state else 0
    module, optimizer = accelerator.prepare(job.module, optimizer)
    passes = config.accumulation_steps * accelerator.num_processes
    if state and state.get("passes", passes) != passes:
        config = _shared_out(config, passes := state["passes"], accelerator)
    per_step = config.batch_size * passes
    averages, saved = Averages(state.get("averages") if state else None), time.monotonic()
    told = time.monotonic()
    began = time.monotonic() - (state["seconds"] if state else 0.0)

    def make(number: int) -> tuple[Any, ...]:
        return make_batch(job, config, number, accelerator.process_index, accelerator.num_processes)

    numbers = range(first * config.accumulation_steps, config.steps * config.accumulation_steps)

    def save(step: int) -> None:
        if accelerator.is_main_process:
            seconds = time.monotonic() - began
            at = {"step": step, "passes": passes, "seconds": seconds, "averages": averages.pending}
            save_checkpoint(checkpoints, accelerator.unwrap_model(module), optimizer, at, card)

    with (
        _stop_request() as stop,
        _progress(accelerator.is_main_process) as progress,
        MetricsLog(folder, first) if accelerator.is_main_process else nullcontext() as log,
        closing(batches_for(accelerator.device, make, numbers)) as batches,
    ):
        bar = progress.add_task(title, total=config.steps, completed=first, note="")
        for step in range(first, config.steps):
            module.train()
            averages.add(update(accelerator, module, optimizer, batches, config, step))
            done = step + 1
            if done % config.log_every == 0 or done == config.steps:
                row = averages.take()
                if log is not None:
                    seconds = time.monotonic() - began
                    epoch = round(done * per_step / len(job), 3)
                    rate = done * per_step / seconds
                    about = {"step": done, "epoch": epoch, "seconds": round(seconds, 2)}
                    log.write({**about, **row, "recordings_per_second": rate})
                progress.update(bar, note=f"loss {row['loss']:.3f}")
                silent = time.monotonic() - told
                if log is not None and not progress.console.is_terminal and silent > TELL_SECONDS:
                    left = (time.monotonic() - began) / done * (config.steps - done)
                    progress.console.print(
                        f"{title} {done}/{config.steps}, loss {row['loss']:.3f}, {left:.0f} s left"
                    )
                    told = time.monotonic()
            progress.update(bar, completed=done)
            if (config.eval_every and done % config.eval_every == 0) or done == config.steps:
                metrics = _evaluate(accelerator, module, job)
                if log is not None and metrics:
                    log.write({"step": done, **metrics})
            if _anyone(accelerator, stop.is_set()):
                save(done)
                raise Interrupted(
                    f"stopped after step {done} of {config.steps} and saved; go on with --resume"
                )
            if time.monotonic() - saved > config.checkpoint_seconds or done == config.steps:
                save(done)
                saved = time.monotonic()
    accelerator.wait_for_everyone()
    trained = accelerator.unwrap_model(module).cpu().eval()
    accelerator.free_memory()
    return trained


def make_accelerator(config: OptimConfig) -> Accelerator:
    """What places modules on devices and processes, in the configuration's precision.

    Raises:
        ConfigError: if the machine cannot train with it.
    """
    if config.precision == "fp16" and not torch.cuda.is_available():
        raise ConfigError("precision fp16 needs a CUDA device, and there is none here; use bf16 or fp32")
    AcceleratorState._reset_state()  # else a process keeps the precision of its first run
    return Accelerator(
        mixed_precision={"fp32": "no"}.get(config.precision, config.precision),
        cpu=not torch.cuda.is_available(),
        # a task that is switched off leaves the levels above it without a gradient
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def write_once(write: Callable[[], object]) -> None:
    """Call ``write`` in one of the processes of a run, while the others wait: they share its folder."""
    processes = PartialState()
    if processes.is_main_process:
        write()
    processes.wait_for_everyone()


def _shared_out(config: OptimConfig, passes: int, accelerator: Accelerator) -> OptimConfig:
    """The configuration with which this number of processes makes the same forward passes a step as before.

    Every step then goes on to see the recordings that it would have seen.
    """
    processes = accelerator.num_processes
    if passes % processes:
        fitting = ", ".join(str(n) for n in range(1, passes + 1) if passes % n == 0)
        raise ConfigError(
            f"the run makes {passes} forward passes a step, which {processes} processes cannot share evenly; "
            f"go on with one of these numbers of processes: {fitting}"
        )
    accelerator.print(
        f"the run makes {passes} forward passes a step: {passes // processes} of each process from now on"
    )
    return dataclasses.replace(config, accumulation_steps=passes // processes)


def update(
    accelerator: Accelerator,
    module: nn.Module,
    optimizer: Any,
    batches: Iterator[tuple[Any, ...]],
    config: OptimConfig,
    step: int,
) -> dict[str, float]:
    """One step of a run: forward passes over the next batches, backward, and the optimizer.

    Returns:
        loss and metrics: means over the forward passes of all processes.
    """
    rate = learning_rate(config, step)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]
    means = Averages()
    for part in range(config.accumulation_steps):
        inputs = tuple(x.to(accelerator.device) if hasattr(x, "to") else x for x in next(batches))
        number = part * accelerator.num_processes + accelerator.process_index  # of the step's passes
        torch.manual_seed(seed_of(config.seed, "dropout", step, number, 0))
        with accelerator.autocast():
            loss, metrics = module(*inputs)
        if not bool(torch.isfinite(loss)):
            raise _diverged(f"the loss is {loss.item()}", step, rate)
        accelerator.backward(loss / config.accumulation_steps)
        means.add({"loss": loss.detach(), **metrics})
    norm = float(accelerator.clip_grad_norm_(module.parameters(), config.max_grad_norm))
    if not math.isfinite(norm) and config.precision != "fp16":  # fp16 leaves such a step out by itself
        raise _diverged(f"the gradient's norm is {norm}", step, rate)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return {**_over_processes(accelerator, means.take()), "lr": rate, "gradient_norm": norm}


def _over_processes(accelerator: Accelerator, values: dict[str, float]) -> dict[str, float]:
    """Means over the processes, all of which have the same values by name."""
    if accelerator.num_processes == 1:
        return values
    mine = torch.tensor(list(values.values()), dtype=torch.float64, device=accelerator.device)
    return dict(zip(values, accelerator.reduce(mine, "mean").tolist(), strict=True))


def _diverged(what: str, step: int, rate: float) -> TrainingError:
    return TrainingError(
        f"{what} at step {step} (learning rate {rate:.2g}); try a smaller lr, precision fp32, or look for "
        "extreme values with `hitrs inspect`; the last checkpoint is from before"
    )


def _evaluate(accelerator: Accelerator, module: nn.Module, job: Job) -> dict[str, float]:
    metrics: dict[str, float] = {}
    if accelerator.is_main_process:
        plain = accelerator.unwrap_model(module).eval()
        with torch.no_grad(), accelerator.autocast():
            metrics = job.evaluate(plain)
    accelerator.wait_for_everyone()
    return metrics


def _anyone(accelerator: Accelerator, stop: bool) -> bool:
    """Whether any process was asked to stop: all have to leave after the same step."""
    if accelerator.num_processes > 1:
        return bool(accelerator.reduce(torch.tensor(float(stop), device=accelerator.device)))
    return stop


@contextmanager
def _stop_request() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set instead of ending the process in the middle of a step."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    previous = {s: signal.signal(s, lambda *_: event.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for which, handler in previous.items():
            signal.signal(which, handler)


def _progress(shown: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        disable=not shown,
        refresh_per_second=2,
    )
