"""``hitrs bench stream``: a causal detector, frame by frame."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import torch

from hitrs.bench.case import Case
from hitrs.bench.measurement import Measurement, chain_layout, count_flops, device, peak_memory, time_steps
from hitrs.models.card import ModelCard
from hitrs.tasks.base import get_task
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.online import OnlineDetector
from hitrs.tasks.detection.segments import SegmentSettings

CLASSES = 51
"""As many actions as PKU-MMD has."""


def measure(case: Case) -> Measurement:
    """Seconds of the next frame, of a recording that has filled the history; a sequence is a frame.

    At least twenty clips are completed, so that the 99th percentile is that of frames that complete one.
    """
    online = random_detector(case)
    shape = (64, case.persons, case.joints, 3)
    frames = itertools.cycle(np.random.default_rng(0).normal(size=shape).astype(np.float32))

    def step() -> object:
        with torch.autocast(device().type, torch.bfloat16, enabled=case.precision == "bf16"):
            return online.update(next(frames))

    stride = online.model.clip_times.step
    for _ in range(stride * (online.model.settings.history + 1)):
        step()
    times = time_steps(step, case.seconds, minimum=20 * stride)
    peak = peak_memory()
    flops = count_flops(lambda: [step() for _ in range(stride)]) / stride
    return Measurement(tuple(times), 1.0, peak, flops)


def random_detector(case: Case) -> OnlineDetector:
    """A detector with random weights that looks at past frames only.

    Alignment and scaling go by the past, and nothing is resampled.
    """
    torch.manual_seed(0)
    config = case.config.changed({"detect.head.causal": True})
    card = ModelCard(
        case.config.model,
        chain_layout(case.joints),
        get_task("detection").preprocessing(config.preprocessing, config),
        tuple(f"action {n}" for n in range(CLASSES)),
        persons=case.persons,
        task="detection",
        head=dataclasses.asdict(config.section("detection").head),
        postprocessing={"segments": dataclasses.asdict(SegmentSettings())},
    )
    return OnlineDetector(DetectionModel.untrained(card).to(device()).eval())
