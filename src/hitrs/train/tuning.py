"""Around the training loop, alike for every task: how carefully an encoder is changed, what is kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol

from hitrs.tasks.model import TaskModel
from hitrs.train.config import TuningConfig
from hitrs.train.loop import Job, fit, write_once
from hitrs.transforms.source import Source


class TuningJob(Job, Protocol):
    """A job that trains the model of a task."""

    source: Source

    @property
    def model(self) -> TaskModel:
        """What is trained, within ``module``."""


def tune(job: TuningJob, settings: TuningConfig, folder: Path, *, pretrained: bool, resume: bool) -> None:
    """Train ``job.model``; see :func:`hitrs.train.loop.fit`.

    Args:
        settings: the task's section of the configuration.
        pretrained: whether the encoder has learned something; only then is it changed more carefully.
    """
    if not pretrained:
        settings = dataclasses.replace(settings, encoder_lr=1.0)
    fit(job, settings, folder, resume=resume, title="fine-tune" if pretrained else "train")


def keep(job: TuningJob, settings: TuningConfig, folder: Path, *, pretrained: bool, **more: Any) -> None:
    """Note in the model's card how it was made, and write it to ``folder/model``.

    Args:
        more: further facts for people.
    """
    card = job.model.card
    trained = {
        "task": card.task,
        "data": job.source.store.fingerprint,
        "recordings": len(job),
        **more,
        "from": "pre-trained encoder" if pretrained else "scratch",
        "updates": settings.steps,
        "seed": settings.seed,
    }
    job.model.card = dataclasses.replace(card, trained=trained)
    write_once(lambda: job.model.eval().save_pretrained(folder / "model"))
