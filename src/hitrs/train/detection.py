"""Training a detector on labeled stretches of untrimmed recordings, as a job of the training loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hitrs.errors import DataError
from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS
from hitrs.tasks.detection.boundaries import frame_labels, numbered
from hitrs.tasks.detection.choose import choose_settings
from hitrs.tasks.detection.long import long_scores
from hitrs.tasks.detection.model import DetectionModel, HeadSettings
from hitrs.tasks.detection.objective import IGNORED, DetectionObjective, class_weights
from hitrs.tasks.detection.segments import Proposal, SegmentSettings
from hitrs.train.batches import seed_of
from hitrs.train.config import Config
from hitrs.train.tuning import keep, tune
from hitrs.transforms.augment import change_speed, crop_start, retimed, take_frames
from hitrs.transforms.draws import Draws
from hitrs.transforms.online import check_online
from hitrs.transforms.source import Source

SEGMENTS = SegmentSettings(smoothing=5, min_length=5)
"""How frames become segments unless validation tells better: jitter of a few frames is no action."""


class DetectionJob:
    """Stretches of recordings with a label for every frame.

    Args:
        source: the labeled training recordings; a frame outside all segments is background.
        config: the whole configuration; model and preprocessing are the encoder's where one is given.
        encoder: a pre-trained encoder with its ``card``, or None to start from scratch.
        held_out: recordings to validate on while training, or None.
    Raises:
        DataError: if there is no recording, or none has a labeled segment.
        ConfigError: for a causal detector with preprocessing that needs the whole recording.
    """

    def __init__(
        self, source: Source, config: Config, encoder: HiTRS | None = None, held_out: Source | None = None
    ):
        if not len(source):
            raise DataError(
                "there is no recording to train on; look at protocol and segments with `hitrs inspect`"
            )
        self.source, self.config, self.held_out = source, config, held_out
        store, settings = source.store, config.detect
        count = len(store.classes)
        self._labels = [torch.from_numpy(labels) for labels in truth(source, store.classes)]
        every = torch.cat(self._labels)
        if not bool((every < count).any()):
            raise DataError(
                f"none of the {len(source)} recordings to train on has a labeled segment; add segments.csv "
                "and import again"
            )
        if settings.causal:
            check_online(source.settings)
        torch.manual_seed(seed_of(settings.seed, "weights"))
        layout = source.layout
        if encoder is None:
            encoder = HiTRS(config.model, layout.n_joints, layout.dims)
        shape = HeadSettings(
            settings.context, settings.stride, settings.causal, settings.hidden, settings.layers
        )
        card = ModelCard(
            encoder.config,
            layout,
            source.settings,
            tuple(store.classes),
            task="detection",
            head={**dataclasses.asdict(shape), "segments": dataclasses.asdict(SEGMENTS)},
            fps=source.fps,
        )
        self.model = DetectionModel(encoder, card)
        weights = class_weights(every, count + 1, settings.balance)
        self.module = DetectionObjective(self.model, weights, settings.smoothness, settings.frozen)

    def __len__(self) -> int:
        return len(self.source)

    def inputs(self, which: np.ndarray, draws: Draws) -> tuple[Any, ...]:
        """An augmented batch of stretches and the labels of their frames (B, T)."""
        batch = self.source.batch(which)
        labels = pad_labels([self._labels[i] for i in which])
        size, change = self.config.detect.frames, self.config.augment
        if change.policy == "views" and change.speed:
            draw = 2 * draws.uniform("speed") - 1
            factor = torch.exp(draw * np.log1p(change.speed))
            _, when = retimed(batch.lengths, factor)
            labels = labels.gather(1, when.round().long().clamp(max=labels.shape[1] - 1))
            batch = change_speed(batch, factor)
        start = crop_start(batch.lengths, size, draws)
        length = batch.lengths.clamp(max=size)
        batch, labels = take_frames(batch, start, length), cut_labels(labels, start, length)
        # cropping and speed concern the labels and are done above
        return self.source.augmented(batch, change, draws, in_time=False), labels

    def evaluate(self, module: DetectionObjective) -> dict[str, float]:
        """Frame accuracy on the held-out recordings."""
        if self.held_out is None:
            return {}
        found = detector_probabilities(module.model, self.held_out)
        right = [
            each.argmax(1) == labels
            for each, labels in zip(found, truth(self.held_out, self.held_out.store.classes), strict=True)
        ]
        return {"validation/accuracy": float(np.concatenate(right).mean())}


def detector_probabilities(model: DetectionModel, source: Source) -> list[np.ndarray]:
    """Probabilities (T, K + 1) of the frames of every recording, background last."""
    device, was_training = next(model.parameters()).device, model.training
    model.eval()
    found = []
    with torch.no_grad():
        for i in range(len(source)):
            scores = long_scores(model, source.batch([i]).to(device))[0].float()
            found.append(scores.softmax(-1).cpu().numpy())
    model.train(was_training)
    return found


def actions(source: Source, classes: Sequence[str]) -> list[list[Proposal]]:
    """The labeled segments of every recording, as indices of ``classes``."""
    store = source.store
    return [numbered(store.segments(int(i)), int(store.frames[i]), classes) for i in source.indices]


def truth(source: Source, classes: Sequence[str]) -> list[np.ndarray]:
    """The label (T,) of every frame of every recording, as an index of ``classes``, background last."""
    store = source.store
    return [frame_labels(store.segments(int(i)), int(store.frames[i]), classes) for i in source.indices]


def pad_labels(labels: list[Tensor]) -> Tensor:
    """(B, T) from labels of several lengths; -1 behind the end of a recording."""
    return torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=IGNORED)


def cut_labels(labels: Tensor, start: Tensor, lengths: Tensor) -> Tensor:
    """Frames [start, start + length) of each row of labels (B, T); -1 behind."""
    place = torch.arange(int(lengths.max()), device=labels.device)
    index = (start[:, None] + place).clamp(max=labels.shape[1] - 1)
    return labels.gather(1, index).masked_fill(place >= lengths[:, None], IGNORED)


def train_detector(
    source: Source,
    config: Config,
    folder: Path,
    *,
    encoder: HiTRS | None = None,
    held_out: Source | None = None,
    resume: bool = False,
) -> DetectionModel:
    """Train on ``source`` and write the detector to ``folder/model``.

    With ``held_out`` recordings the settings that make segments of frames are chosen on them.

    Raises:
        DataError, TrainingError: see :class:`DetectionJob` and :func:`hitrs.train.loop.fit`.
    """
    job = DetectionJob(source, config, encoder, held_out)
    pretrained = encoder is not None
    tune(job, config.detect, folder, pretrained=pretrained, resume=resume)
    if held_out is not None:
        chosen = choose_settings(
            detector_probabilities(job.model, held_out), actions(held_out, held_out.store.classes)
        )
        card = job.model.card
        job.model.card = dataclasses.replace(card, head={**card.head, "segments": dataclasses.asdict(chosen)})
    keep(job, config.detect, folder, pretrained=pretrained)
    return job.model
