"""Training a recognizer, from scratch or from a pre-trained encoder, as a job of the training loop."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from hitrs.data.remote import RemoteShards
from hitrs.errors import ConfigError, DataError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.models.features import collect
from hitrs.tasks.base import RunConfig
from hitrs.tasks.recognition.config import RecognitionConfig
from hitrs.tasks.recognition.model import RecognitionModel, RecognitionObjective
from hitrs.training.batches import seed_of
from hitrs.transforms.augmentation import crop_to
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.transforms.random import KeyedGenerator


class RecognitionJob:
    """Labeled batches for the loop.

    Args:
        dataset: the labeled training recordings.
        config: the whole configuration; model and preprocessing are the encoder's where one is given.
        encoder: a pre-trained encoder with its ``card``, or None to start from scratch.
        validation: recordings to validate on while training, or None.
    Raises:
        DataError: if a recording has no label, or all have the same.
    """

    def __init__(
        self,
        dataset: SkeletonDataset,
        config: RunConfig,
        encoder: HiTRS | None = None,
        validation: SkeletonDataset | None = None,
    ):
        if not len(dataset):
            raise DataError(
                "there is no recording to train on; look at the protocol and the labels with `hitrs inspect`"
            )
        if (dataset.labels < 0).any():
            missing = int(dataset.indices[np.argmax(dataset.labels < 0)])
            raise DataError(f"recording {dataset.store.name(missing)} of {dataset.store.path} has no label")
        dataset.check_classes()
        self.dataset, self.config, self.validation = dataset, config, validation
        self.settings: RecognitionConfig = config.section("recognition")
        settings = self.settings
        if settings.head.features == "convolutions":
            raise ConfigError(
                "recognize.head.features = convolutions is not trained step by step; `hitrs probe` measures "
                "random convolutions, and a cell of a plan (`do: convolutions`) makes a model of them"
            )
        layout = dataset.layout
        torch.manual_seed(seed_of(settings.optim.seed, "weights"))
        if encoder is None:
            encoder = HiTRS.untrained(config.model, layout, dataset.settings)
        # the convolutions are made at the end (``after_training``); a checkpoint has none yet
        head = {**dataclasses.asdict(settings.head), "convolutions": False}
        card = ModelCard(
            encoder.config,
            layout,
            dataset.settings,
            tuple(dataset.store.classes),
            head=head,
            space=dataset.space,
        )
        self.model = RecognitionModel(encoder, card)
        self.module = RecognitionObjective(self.model, settings.loss.label_smoothing)
        self._labels = torch.from_numpy(dataset.labels)

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def shards(self) -> RemoteShards | None:
        return self.dataset.shards

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[Any, ...]:
        """An augmented batch and its labels (B,)."""
        batch = crop_to(self.dataset.batch(which), self.config.max_frames, generator)
        batch = self.dataset.augmented(batch, self.config.augment, generator)
        return batch, self._labels[which]

    def evaluate(self, module: RecognitionObjective) -> dict[str, float]:
        """Accuracy on the held-out recordings."""
        if self.validation is None:
            return {}
        scores = collect(module.model, module.model, self.validation)
        return {"validation/accuracy": float((scores.argmax(1) == self.validation.labels).mean())}

    def facts(self) -> dict[str, Any]:
        return {}
