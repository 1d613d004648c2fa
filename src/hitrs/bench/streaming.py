"""``hitrs bench stream``: online detection, from a frame to what happens in it."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from hitrs.bench.case import Case, Measurement, device, peak_memory, time_steps
from hitrs.bench.made_up import chain
from hitrs.deploy.streaming import OnlineDetector
from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS
from hitrs.tasks.detection.model import DetectionModel, HeadSettings
from hitrs.tasks.detection.segments import SegmentSettings
from hitrs.transforms.preprocess import Preprocessing

CLASSES = 51


def measure(case: Case) -> Measurement:
    """Seconds of each frame once the history is full; every ``stride``-th frame completes a clip."""
    torch.manual_seed(0)
    model = case.config.model
    settings = case.config.detect
    shape = HeadSettings(settings.context, settings.stride, True, settings.hidden, settings.layers)
    card = ModelCard(
        model,
        chain(case.joints),
        Preprocessing(),
        tuple(f"action {n}" for n in range(CLASSES)),
        persons=case.persons,
        task="detection",
        head={**dataclasses.asdict(shape), "segments": dataclasses.asdict(SegmentSettings())},
    )
    online = OnlineDetector(DetectionModel(HiTRS(model, case.joints), card).to(device()).eval())
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(64, case.persons, case.joints, 3)).astype(np.float32)

    def step() -> None:
        online.update(frames[online.frames % len(frames)])

    for _ in range((shape.history + 1) * shape.stride):
        step()
    taken = time_steps(step, case.seconds, least=2 * settings.stride)
    return Measurement(tuple(taken), 1.0, peak_memory())
