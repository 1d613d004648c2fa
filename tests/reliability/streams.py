"""Frames without end through an online model: memory and the time of a frame stay what they were."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from campaign import Report

from detectors import detector, light
from factories import CLASSES, JOINTS, LAYOUT, tiny
from hitrs import OnlineDetector, OnlineRecognizer
from hitrs.models.card import ModelCard
from hitrs.tasks.recognition.model import RecognitionModel

COUNT = 100_000
MEGABYTES = 8
"""By which memory may be above that after the first tenth: what the allocator keeps."""
MODELS: dict[str, Callable[[], OnlineDetector | OnlineRecognizer]] = {
    "a detector": lambda: OnlineDetector(detector(), as_is=True),
    "a light detector": lambda: OnlineDetector(light(), as_is=True),
    "a recognizer": lambda: OnlineRecognizer(recognizer(), as_is=True),
}


def recognizer() -> RecognitionModel:
    return RecognitionModel.untrained(ModelCard(tiny(), LAYOUT, classes=CLASSES)).eval()


def reports(count: int, seed: int, folder: Path) -> list[Report]:
    return [_report(name, make(), count, seed) for name, make in MODELS.items()]


def _report(name: str, online: OnlineDetector | OnlineRecognizer, count: int, seed: int) -> Report:
    report = Report(f"frames through {name} (`{type(online).__name__}`), one after another")
    rng = np.random.default_rng(seed)
    process, tenths, memory = psutil.Process(), [], []
    for _ in range(10):
        began = time.process_time()
        for _ in range(count // 10):
            frame = rng.normal(size=(2, JOINTS, 3))
            frame[rng.random((2, JOINTS)) < 0.1] = np.nan
            if rng.random() < 0.05:  # nobody is there
                frame[:] = np.nan
            online.update(frame)
            report.count += 1
        tenths.append(1e3 * (time.process_time() - began) / (count // 10))
        memory.append(process.memory_info().rss / (1 << 20))
    if memory[-1] - memory[0] > MEGABYTES:
        report.fault(f"{name}: memory rose from {memory[0]:.0f} to {memory[-1]:.0f} MB")
    report.measured = (
        f"{tenths[0]:.2f} ms a frame in the first tenth, {tenths[-1]:.2f} in the last one; "
        f"memory {memory[0]:.0f} MB after the first tenth, {memory[-1]:.0f} at the end"
    )
    return report
