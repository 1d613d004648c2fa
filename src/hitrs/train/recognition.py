"""Training a recognizer, from scratch or from a pre-trained encoder, as a job of the training loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from hitrs.errors import DataError
from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS
from hitrs.tasks.features import collect
from hitrs.tasks.recognition import RecognitionModel, RecognitionObjective
from hitrs.train.batches import seed_of
from hitrs.train.config import Config
from hitrs.train.tuning import keep, tune
from hitrs.transforms.augment import crop_to
from hitrs.transforms.draws import Draws
from hitrs.transforms.source import Source


class RecognitionJob:
    """Labeled batches for the loop.

    Args:
        source: the labeled training recordings.
        config: the whole configuration; model and preprocessing are the encoder's where one is given.
        encoder: a pre-trained encoder with its ``card``, or None to start from scratch.
        held_out: recordings to validate on while training, or None.
    Raises:
        DataError: if a recording has no label.
    """

    def __init__(
        self, source: Source, config: Config, encoder: HiTRS | None = None, held_out: Source | None = None
    ):
        if not len(source):
            raise DataError(
                "there is no recording to train on; look at the protocol and the labels with `hitrs inspect`"
            )
        if (source.labels < 0).any():
            missing = int(source.indices[np.argmax(source.labels < 0)])
            raise DataError(f"recording {source.store.name(missing)} of {source.store.path} has no label")
        self.source, self.config, self.held_out = source, config, held_out
        layout = source.layout
        torch.manual_seed(seed_of(config.finetune.seed, "weights"))
        if encoder is None:
            encoder = HiTRS(config.model, layout.n_joints, layout.dims)
        card = ModelCard(encoder.config, layout, source.settings, tuple(source.store.classes))
        self.model = RecognitionModel(encoder, card)
        self.module = RecognitionObjective(self.model, config.finetune.label_smoothing)
        self._labels = torch.from_numpy(source.labels)

    def __len__(self) -> int:
        return len(self.source)

    def inputs(self, which: np.ndarray, draws: Draws) -> tuple[Any, ...]:
        """An augmented batch and its labels (B,)."""
        batch = crop_to(self.source.batch(which), self.config.max_frames, draws)
        batch = self.source.augmented(batch, self.config.augment, draws)
        return batch, self._labels[which]

    def evaluate(self, module: RecognitionObjective) -> dict[str, float]:
        """Accuracy on the held-out recordings."""
        if self.held_out is None:
            return {}
        scores = collect(module.model, module.model, self.held_out)
        return {"validation/accuracy": float((scores.argmax(1) == self.held_out.labels).mean())}


def train_recognizer(
    source: Source,
    config: Config,
    folder: Path,
    *,
    encoder: HiTRS | None = None,
    held_out: Source | None = None,
    resume: bool = False,
) -> RecognitionModel:
    """Train on ``source`` and write the recognizer to ``folder/model``.

    Raises:
        DataError, TrainingError: see :class:`RecognitionJob` and :func:`hitrs.train.loop.fit`.
    """
    job = RecognitionJob(source, config, encoder, held_out)
    pretrained = encoder is not None
    tune(job, config.finetune, folder, pretrained=pretrained, resume=resume)
    keep(job, config.finetune, folder, pretrained=pretrained)
    return job.model
