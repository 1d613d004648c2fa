"""Training the model of a task, from a pre-trained encoder or from scratch: the same way for every task."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hitrs.models.encoder import HiTRS
from hitrs.tasks.base import RunConfig, Task, TaskModel
from hitrs.training.loop import fit, write_once
from hitrs.transforms.dataset import SkeletonDataset


def finetune(
    task: Task,
    dataset: SkeletonDataset,
    config: RunConfig,
    folder: Path,
    *,
    encoder: HiTRS | None = None,
    validation: SkeletonDataset | None = None,
    resume: bool = False,
) -> TaskModel:
    """Train on ``dataset`` and write the model to ``folder/model``.

    Args:
        encoder: a pre-trained encoder with its ``card``; model and preprocessing are then its own. None: from
            scratch.
        validation: recordings to validate on while training, on which a task may also choose settings.
        resume: go on from the newest checkpoint in ``folder``, if there is one.
    Raises:
        DataError: if there is nothing to train on.
        TrainingError: see :func:`hitrs.training.loop.fit`.
    """
    job = task.job(dataset, config, encoder, validation)
    pretrained = encoder is not None and getattr(job.model, "encoder", None) is not None
    optim = config.section(task.name).optim
    if not pretrained:  # only an encoder that has learned something is changed more carefully than its head
        optim = dataclasses.replace(optim, encoder_lr_scale=1.0)
    title = "fine-tune" if pretrained else "train"
    fit(job, optim, folder, resume=resume, title=title, card=job.model.card)
    task.after_training(job, validation)
    trained = {
        "task": task.name,
        "data": dataset.store.fingerprint,
        "repairs": dataset.store.repairs,
        "recordings": len(job),
        **job.facts(),
        "from": "pre-trained encoder" if pretrained else "scratch",
        "steps": optim.steps,
        "seed": optim.seed,
    }
    model = job.model
    model.card = dataclasses.replace(model.card, trained=trained)
    write_once(lambda: model.eval().save_pretrained(folder / "model"))
    return model
