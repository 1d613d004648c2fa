"""``hitrs bench train``: updates of pre-training, as the training loop makes them."""

from __future__ import annotations

import dataclasses
import itertools
from contextlib import closing
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from hitrs.bench.case import Case, Measurement, count_flops, device, peak_memory, time_steps
from hitrs.bench.made_up import random_bodies
from hitrs.bench.plain import Choices, PlainHiTRS
from hitrs.data.store import Store
from hitrs.models.authors import to_authors
from hitrs.models.hitrs import HiTRS, set_recompute
from hitrs.pretext.clip_order import ClipOrder, displacement
from hitrs.pretext.objective import PretextObjective
from hitrs.pretext.video_order import VideoOrder
from hitrs.train.batches import batches_for, make_batch
from hitrs.train.loop import make_accelerator, update
from hitrs.train.optimizer import make_optimizer
from hitrs.train.pretraining import PretrainJob
from hitrs.transforms.draws import Draws
from hitrs.transforms.masking import mask_joints
from hitrs.transforms.source import Source


def measure(case: Case) -> Measurement:
    """Seconds of an update: forward, backward, clipped gradients and AdamW, with the batch at hand."""
    return _plain(case) if case.side == "plain" else _ours(case)


class MadeUpJob:
    """The same random bodies in every batch, in place of recordings; a job of the training loop."""

    def __init__(self, case: Case):
        self.bodies = random_bodies(case)
        self.module = PretextObjective(HiTRS(case.config.model, case.joints), case.config.pretext)

    def __len__(self) -> int:
        return len(self.bodies[0])

    def mean_sequences(self) -> float:
        return float(len(self))

    def inputs(self, which: np.ndarray, draws: Draws) -> tuple[Any, ...]:
        own = torch.arange(len(self))
        if not self.module.needs_views:
            return *self.bodies, own, Draws.of(0, own.numpy())
        both = Draws.of(0, own.numpy()).join(Draws.of(1, own.numpy()))
        return *(torch.cat([x, x]) for x in self.bodies), own.repeat(2), both


class StoreJob(PretrainJob):
    """Pre-training on a store, counting bodies."""

    def __init__(self, case: Case):
        store = Store.open(cast(str, case.data))
        source = Source(store, range(len(store)), store.layout, case.config.preprocessing)
        super().__init__(source, case.config)
        self.sequences: list[int] = []

    def inputs(self, which: np.ndarray, draws: Draws) -> tuple[Any, ...]:
        made = super().inputs(which, draws)
        self.sequences.append(len(made[0]) // (2 if self.module.needs_views else 1))
        return made

    def mean_sequences(self) -> float:
        """Bodies in a batch, on average, two views of one counted once."""
        return float(np.mean(self.sequences))


def _ours(case: Case) -> Measurement:
    torch.manual_seed(0)
    optim = dataclasses.replace(
        case.config.pretrain, batch_size=case.batch_size, accumulate=1, warmup=0, precision=case.precision
    )
    job = MadeUpJob(case) if case.data is None else StoreJob(case)
    set_recompute(job.module, optim.recompute)
    accelerator = make_accelerator(optim)
    module, optimizer = accelerator.prepare(job.module, make_optimizer(job.module, optim))
    module.train()
    steps = itertools.count()  # a measurement may take more updates than the configuration's run
    made = batches_for(accelerator.device, lambda n: make_batch(job, optim, n), itertools.count())
    with closing(made) as batches:

        def step() -> None:
            update(accelerator, module, optimizer, batches, optim, next(steps))

        taken = time_steps(step, case.seconds)
        peak = peak_memory()
        flops = count_flops(step)
    return Measurement(tuple(taken), job.mean_sequences(), peak, flops)


def _plain(case: Case) -> Measurement:
    torch.manual_seed(0)
    objective = PretextObjective(HiTRS(case.config.model, case.joints), case.config.pretext)
    model = PlainHiTRS(case.config.model, case.joints)
    model.load_state_dict(to_authors(objective.state_dict()))
    positions, valid, lengths = (x.to(device()) for x in random_bodies(case))
    model.to(device()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01)
    numbers = itertools.count()

    def step() -> None:
        draws = Draws.of(next(numbers), range(len(positions))).to(device())
        choices = choose(objective, positions, valid, lengths, draws)
        torch.stack(list(model.losses(positions, lengths, choices).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    taken = time_steps(step, case.seconds)
    return Measurement(tuple(taken), float(len(positions)), peak_memory(), count_flops(step))


def choose(
    objective: PretextObjective, positions: Tensor, valid: Tensor, lengths: Tensor, draws: Draws
) -> Choices:
    """What the objective draws for such a batch, in the paper's mode, written for the plain computation."""
    config = objective.encoder.config
    masked = mask_joints(positions, valid, lengths, draws)
    pad = (config.window // 2) * config.dilation
    places = torch.arange(positions.shape[1] + 2 * pad, device=lengths.device)
    pairs = cast(ClipOrder, objective.tasks["clip_order"]).draw(
        displacement(positions, valid), places < lengths[:, None] + 2 * pad, lengths, draws
    )
    counts = -(-lengths // config.stride)  # of windows; the last one is held out
    place = torch.arange(int(counts.max()), device=lengths.device)
    context = torch.where(place < (counts - 1).clamp(min=1)[:, None], place, -1)
    which, swapped = cast(VideoOrder, objective.tasks["video_order"]).draw(context, draws)
    return Choices(
        masked=masked.positions,
        chosen=masked.chosen,
        pair_sequences=pairs.sequences,
        pair_windows=pairs.windows,
        pair_swap=pairs.swap,
        video_sequences=which,
        video_swap=torch.where(swapped >= 0, swapped, place),
    )
