"""``hitrs bench stream``: a causal detector, frame by frame."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import torch

from hitrs.bench.case import Case, Measurement, count_flops, device, peak_memory, time_steps
from hitrs.bench.made_up import chain
from hitrs.deploy.streaming import OnlineDetector
from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS
from hitrs.tasks.detection.model import DetectionModel, HeadSettings
from hitrs.tasks.detection.segments import SegmentSettings

CLASSES = 51
"""As many actions as PKU-MMD has."""


def measure(case: Case) -> Measurement:
    """Seconds of the next frame, of a recording that has filled the history; a sequence is a frame.

    At least twenty clips are completed, so that the 99th percentile is that of frames that complete one.
    """
    online = made_up_detector(case)
    shape = (64, case.persons, case.joints, 3)
    frames = itertools.cycle(np.random.default_rng(0).normal(size=shape).astype(np.float32))

    def step() -> object:
        with torch.autocast(device().type, torch.bfloat16, enabled=case.precision == "bf16"):
            return online.update(next(frames))

    stride = online.model.settings.stride
    for _ in range(stride * (online.model.settings.history + 1)):
        step()
    taken = time_steps(step, case.seconds, least=20 * stride)
    peak = peak_memory()
    flops = count_flops(lambda: [step() for _ in range(stride)]) / stride
    return Measurement(tuple(taken), 1.0, peak, flops)


def made_up_detector(case: Case) -> OnlineDetector:
    """A detector with random weights that looks at past frames only.

    Alignment and scaling need the whole recording, so they are left out.
    """
    torch.manual_seed(0)
    settings = case.config.detect
    head = HeadSettings(settings.context, settings.stride, True, settings.hidden, settings.layers)
    card = ModelCard(
        case.config.model,
        chain(case.joints),
        dataclasses.replace(case.config.preprocessing, align="none", scale="none"),
        tuple(f"action {n}" for n in range(CLASSES)),
        persons=case.persons,
        task="detection",
        head={**dataclasses.asdict(head), "segments": dataclasses.asdict(SegmentSettings())},
    )
    model = DetectionModel(HiTRS(case.config.model, case.joints), card)
    return OnlineDetector(model.to(device()).eval())
