"""``hitrs bench train``: steps of pre-training, as the training loop makes them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from contextlib import closing
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from hitrs.bench.case import Case
from hitrs.bench.measurement import (
    Measurement,
    chain_layout,
    count_flops,
    device,
    peak_memory,
    random_bodies,
    time_steps,
)
from hitrs.bench.plain import PlainHiTRS, PretextBatch
from hitrs.data.store import Store
from hitrs.models.authors import to_authors
from hitrs.models.convolutions import convolution_settings
from hitrs.models.encoder import Clips, Frames, HiTRS, set_activation_checkpointing
from hitrs.pretext.base import EncodedClips, EncodedFrames, PretextInputs, hold_out_last
from hitrs.pretext.clip_order import ClipOrder
from hitrs.pretext.job import PretrainJob
from hitrs.pretext.objective import PretextObjective
from hitrs.pretext.video_order import VideoOrder
from hitrs.training.batches import batches_for, make_batch
from hitrs.training.loop import make_accelerator, update
from hitrs.training.optimizer import make_optimizer
from hitrs.transforms.batch import Batch, stream_bodies
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.transforms.random import KeyedGenerator


def measure(case: Case) -> Measurement:
    """Seconds of a step: forward, backward, clipped gradients and AdamW, with the batch at hand."""
    return _plain(case) if case.side == "plain" else _ours(case)


class RandomJob:
    """The same random bodies in every batch, in place of recordings; a job of the training loop."""

    def __init__(self, case: Case):
        settings = case.config.preprocessing
        positions, valid, _ = random_bodies(case)
        batch, layout = Batch.from_bodies(positions, valid), chain_layout(case.joints)
        bodies = stream_bodies(batch, settings, layout)
        self.clean = stream_bodies(batch, convolution_settings(settings), layout).positions
        self.bodies = bodies.positions, bodies.valid, bodies.lengths
        encoder = HiTRS(case.config.model, case.joints, settings.channels(positions.shape[-1]))
        self.module = PretextObjective(encoder, case.config.pretext)

    def __len__(self) -> int:
        return len(self.bodies[0])

    def mean_sequences(self) -> float:
        return float(len(self))

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[Any, ...]:
        own = torch.arange(len(self))
        views = self.module.views
        generators = [KeyedGenerator.from_seed(view, own.numpy()) for view in range(views)]
        generator = functools.reduce(KeyedGenerator.concatenate, generators)
        bodies = (torch.cat([x] * views) for x in self.bodies)
        clean = torch.cat([self.clean] * views) if self.module.clean else None
        return *bodies, own.repeat(views), generator, clean


class StoreJob(PretrainJob):
    """Pre-training on a store, counting bodies."""

    def __init__(self, case: Case):
        store = Store.open(cast(str, case.data))
        source = SkeletonDataset(store, range(len(store)), store.layout, case.config.preprocessing)
        super().__init__([source], case.config)
        self.sequences: list[int] = []

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[Any, ...]:
        made = super().inputs(which, generator)
        self.sequences.append(len(made[0]) // self.module.views)
        return made

    def mean_sequences(self) -> float:
        """Bodies in a batch, on average, all views of one counted once."""
        return float(np.mean(self.sequences))


def _ours(case: Case) -> Measurement:
    torch.manual_seed(0)
    optim = dataclasses.replace(
        case.config.pretrain.optim,
        batch_size=case.batch_size,
        accumulation_steps=1,
        warmup_steps=0,
        precision=case.precision,
    )
    job = RandomJob(case) if case.data is None else StoreJob(case)
    set_activation_checkpointing(job.module, optim.activation_checkpointing)
    accelerator = make_accelerator(optim)
    module, optimizer = accelerator.prepare(job.module, make_optimizer(job.module, optim))
    module.train()
    steps = itertools.count()  # a measurement may take more steps than the configuration's run
    made = batches_for(accelerator.device, lambda n: make_batch(job, optim, n), itertools.count())
    with closing(made) as batches:

        def step() -> None:
            update(accelerator, module, optimizer, batches, optim, next(steps))

        times = time_steps(step, case.seconds)
        peak = peak_memory()
        flops = count_flops(step)
    return Measurement(tuple(times), job.mean_sequences(), peak, flops)


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
        generator = KeyedGenerator.from_seed(next(numbers), range(len(positions))).to(device())
        drawn = draw_pretext_batch(objective, positions, valid, lengths, generator)
        torch.stack(list(model.losses(positions, lengths, drawn).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    times = time_steps(step, case.seconds)
    return Measurement(tuple(times), float(len(positions)), peak_memory(), count_flops(step))


def draw_pretext_batch(
    objective: PretextObjective, positions: Tensor, valid: Tensor, lengths: Tensor, generator: KeyedGenerator
) -> PretextBatch:
    """What the objective's tasks ask for, in the paper's mode, written for the plain computation.

    Nothing is encoded: requests look at what there is, not at its features.
    """
    config = objective.encoder.config
    inputs = PretextInputs(positions, valid, lengths, torch.arange(len(lengths)), generator)
    masked = objective.masking(positions, valid, lengths, generator)
    pad = config.padding
    padded = torch.arange(positions.shape[1] + 2 * pad, device=lengths.device)
    rows = torch.where(padded < lengths[:, None] + 2 * pad, 0, -1)
    nothing = positions[:0]
    frames = EncodedFrames(inputs, masked, Frames(nothing, valid[:0], rows))
    pairs = cast(ClipOrder, objective.tasks["clip_order"]).request_clips(frames)
    taking_part = len(pairs.sequences) // 2  # the windows in order, then their negatives

    counts = -(-lengths // config.stride)  # of windows
    place = torch.arange(int(counts.max()), device=lengths.device)
    slots = torch.where(place < counts[:, None], place, -1)
    context, following = hold_out_last(slots)
    clips = EncodedClips(
        inputs, masked, frames.frames, Clips(nothing, slots), context, following, pairs, nothing
    )
    videos = cast(VideoOrder, objective.tasks["video_order"]).request_videos(clips)
    return PretextBatch(
        masked=masked.positions,
        chosen=masked.chosen,
        pair_sequences=pairs.sequences[:taking_part],
        pair_windows=pairs.windows[:taking_part],
        pair_swap=cast(Tensor, pairs.order)[taking_part:],
        video_sequences=videos.sequences,
        video_swap=torch.where(videos.slots >= 0, videos.slots, place),
    )
