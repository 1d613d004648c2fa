"""Training a detector on labeled chunks of untrimmed recordings: its loss, and the job of the training loop.

The loss is balanced cross-entropy of every frame, and smoothness over time.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.data.remote import RemoteShards
from hitrs.errors import DataError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.tasks.base import FreezableObjective, RunConfig
from hitrs.tasks.detection.config import DetectionConfig
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.predict import predict
from hitrs.tasks.detection.segments import SegmentSettings
from hitrs.tasks.detection.truth import true_labels
from hitrs.training.batches import seed_of
from hitrs.training.distributed import share_of_means
from hitrs.transforms.augmentation import change_speed, crop_start, retimed, take_frames
from hitrs.transforms.batch import Batch
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.transforms.preprocessing import check_online
from hitrs.transforms.random import KeyedGenerator

SEGMENTS = SegmentSettings(smoothing=5, min_length=5)
"""Without validation recordings to choose them on: jitter of a few frames is no action."""
JUMP = 4.0
"""Larger jumps of a log-probability count as this one: a boundary may be sharp (as in MS-TCN)."""
IGNORED = -1
"""Label of padding."""


class DetectionObjective(FreezableObjective):
    """Cross-entropy of a detection model.

    Args:
        model: the detector.
        weights: (K + 1,) weight of each class, background last.
        smoothness: weight of the squared jumps of log-probabilities between neighboring frames.
        freeze_encoder: keep the encoder as it is, in eval mode.
    """

    model: DetectionModel
    weights: Tensor

    def __init__(
        self, model: DetectionModel, weights: Tensor, smoothness: float, freeze_encoder: bool = False
    ):
        super().__init__(model, freeze_encoder)
        self.smoothness = smoothness
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, batch: Batch, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and frame accuracy; labels (B, T) int64, -1 for padding."""
        logits = self.model(batch).float()  # (B, T, K+1)
        known = labels != IGNORED
        inside = known[:, 1:] & known[:, :-1]
        weight = self.weights[labels[known]].sum()
        (of_loss, of_jumps, of_frames), _ = share_of_means(torch.stack([weight, inside.sum(), known.sum()]))
        loss = of_loss * F.cross_entropy(logits[known], labels[known], weight=self.weights)
        log_probabilities = logits.log_softmax(-1)
        jumps = (log_probabilities[:, 1:] - log_probabilities[:, :-1].detach()).clamp(-JUMP, JUMP)
        if self.smoothness and bool(inside.any()):
            loss = loss + of_jumps * self.smoothness * jumps[inside].square().mean()
        accuracy = (logits.detach().argmax(-1) == labels)[known].float().mean()
        return loss, {"accuracy": of_frames * accuracy}


def class_weights(labels: Tensor, classes: int, balance: float) -> Tensor:
    """(classes,) share of the frames to the power of -balance, mean 1 over the frames; labels (Q,) int64.

    A class without a frame gets the weight of one that has a single frame.
    """
    count = torch.bincount(labels, minlength=classes).float()
    weight = count.clamp(min=1).pow(-balance)
    return weight * count.sum() / (weight * count).sum()


class DetectionJob:
    """Chunks of recordings with a label for every frame.

    Args:
        dataset: the labeled training recordings; a frame outside all segments is background.
        config: the whole configuration; model and preprocessing are the encoder's where one is given.
        encoder: a pre-trained encoder with its ``card``, or None to start from scratch. One that learned from
            resampled recordings sees them at their own rate here.
        validation: recordings to validate on while training, or None.
    Raises:
        DataError: if there is no recording, or none has a labeled segment.
        ConfigError: for recordings that are resampled, or a causal detector with preprocessing that needs the
            whole recording.
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
                "there is no recording to train on; look at protocol and segments with `hitrs inspect`"
            )
        self.dataset, self.config, self.validation = dataset, config, validation
        self.settings: DetectionConfig = config.section("detection")
        settings, classes = self.settings, tuple(dataset.store.classes)
        self._labels = [torch.from_numpy(labels) for labels in true_labels(dataset, classes)]
        frames = torch.cat(self._labels)
        if not bool((frames < len(classes)).any()):
            raise DataError(
                f"none of the {len(dataset)} recordings to train on has a labeled segment; add segments.csv "
                "and import again"
            )
        if settings.head.causal:
            check_online(dataset.settings)
        self._encoder_frames = 0 if encoder is None else encoder.card.preprocessing.frames
        torch.manual_seed(seed_of(settings.optim.seed, "weights"))
        layout = dataset.layout
        if encoder is None:
            encoder = HiTRS.untrained(config.model, layout, dataset.settings)
        card = ModelCard(
            encoder.config,
            layout,
            dataset.settings,
            classes,
            task="detection",
            head=dataclasses.asdict(settings.head),
            postprocessing={"segments": dataclasses.asdict(SEGMENTS)},
            fps=dataset.fps,
            space=dataset.space,
        )
        self.model = DetectionModel(encoder, card)
        weights = class_weights(frames, len(classes) + 1, settings.loss.balance)
        self.module = DetectionObjective(
            self.model, weights, settings.loss.smoothness, settings.freeze_encoder
        )

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def shards(self) -> RemoteShards | None:
        return self.dataset.shards

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[Any, ...]:
        """An augmented batch of chunks and the labels of their frames (B, T)."""
        batch = self.dataset.batch(which)
        labels = pad_labels([self._labels[i] for i in which])
        augment, size = self.config.augment, self.settings.chunk_frames
        if augment.policy == "views" and augment.views.speed:
            draw = 2 * generator.uniform("speed") - 1
            factor = torch.exp(draw * np.log1p(augment.views.speed))
            _, when = retimed(batch.lengths, factor)
            labels = labels.gather(1, when.round().long().clamp(max=labels.shape[1] - 1))
            batch = change_speed(batch, factor)
        start = crop_start(batch.lengths, size, generator)
        length = batch.lengths.clamp(max=size)
        batch, labels = take_frames(batch, start, length), cut_labels(labels, start, length)
        # cropping and speed concern the labels and are done above
        return self.dataset.augmented(batch, augment, generator, in_time=False), labels

    def evaluate(self, module: DetectionObjective) -> dict[str, float]:
        """Frame accuracy on the validation recordings."""
        if self.validation is None:
            return {}
        probabilities = predict(module.model, self.validation)
        labels = true_labels(self.validation, self.validation.store.classes)
        right = [rows.argmax(1) == own for rows, own in zip(probabilities, labels, strict=True)]
        return {"validation/accuracy": float(np.concatenate(right).mean())}

    def facts(self) -> dict[str, Any]:
        """How many frames recordings had for the encoder, where it learned from resampled ones."""
        return {"encoder_frames": self._encoder_frames} if self._encoder_frames else {}


def pad_labels(labels: list[Tensor]) -> Tensor:
    """(B, T) from labels of several lengths; -1 behind the end of a recording."""
    return nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=IGNORED)


def cut_labels(labels: Tensor, start: Tensor, lengths: Tensor) -> Tensor:
    """Frames [start, start + length) of each row of labels (B, T); -1 behind."""
    place = torch.arange(int(lengths.max()), device=labels.device)
    index = (start[:, None] + place).clamp(max=labels.shape[1] - 1)
    return labels.gather(1, index).masked_fill(place >= lengths[:, None], IGNORED)
