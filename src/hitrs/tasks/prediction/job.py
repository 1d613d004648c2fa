"""Training a predictor on windows of recordings, as a job of the training loop."""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property
from typing import Any

import numpy as np
import torch

from hitrs.data.interpolation import interpolate
from hitrs.data.remote import RemoteShards
from hitrs.errors import DataError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.tasks.base import RunConfig
from hitrs.tasks.prediction.config import PredictionConfig
from hitrs.tasks.prediction.metrics import model_metrics
from hitrs.tasks.prediction.model import PredictionModel, PredictionObjective
from hitrs.tasks.prediction.windows import spread_windows
from hitrs.training.batches import seed_of
from hitrs.transforms.batch import Batch
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.transforms.preprocessing import fit_preprocessing
from hitrs.transforms.random import KeyedGenerator

TRIES = 4
"""Windows that are drawn of a recording until one shows a body at all."""


class PredictionJob:
    """Windows of observed and future frames, of one body each.

    A batch takes recordings in turn, so that a long one weighs no more than a short one, and of each a window
    at a random time, at a random speed (``augment.views.speed``) and now and then backwards.

    Args:
        dataset: the training recordings; those too short for a window are left out.
        config: the whole configuration; model and preprocessing are the encoder's where one is given.
        encoder: a pre-trained encoder with its ``card``, or None to start from scratch.
        validation: recordings to validate on while training, or None.
    Raises:
        DataError: if no recording is long enough.
    """

    def __init__(
        self,
        dataset: SkeletonDataset,
        config: RunConfig,
        encoder: HiTRS | None = None,
        validation: SkeletonDataset | None = None,
    ):
        self.dataset, self.config, self.validation = dataset, config, validation
        self.settings: PredictionConfig = config.section("prediction")
        head, span = self.settings.head, self.settings.head.span
        frames = np.asarray(dataset.store.frames)[dataset.indices]
        self.recordings = dataset.indices[frames >= span.recording_frames]
        if not len(self.recordings):
            raise DataError(
                f"no training recording of {dataset.store.path} has the {span.recording_frames} frames that "
                f"{span.observed} observed and {span.predicted} predicted ones (frame step "
                f"{span.frame_step}) need; the longest has {int(frames.max(initial=0))}. Lower "
                "predict.head.observed or predict.head.predicted"
            )
        torch.manual_seed(seed_of(self.settings.optim.seed, "weights"))
        layout = dataset.layout
        if head.context == 0:
            encoder = None
        elif encoder is None:
            encoder = HiTRS.untrained(config.model, layout, dataset.settings)
        card = ModelCard(
            config.model if encoder is None else encoder.config,
            layout,
            dataset.settings,
            task="prediction",
            head=dataclasses.asdict(head),
            fps=dataset.fps,
            space=dataset.space,
        )
        self.model = PredictionModel(encoder, card)
        self.module = PredictionObjective(
            self.model, self.settings.loss.velocity, self.settings.freeze_encoder
        )

    def __len__(self) -> int:
        return len(self.recordings)

    @cached_property
    def shards(self) -> RemoteShards | None:
        return self.dataset.store.remote_shards(self.recordings)

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[Any, ...]:
        """Windows, preprocessed by what is observed and augmented: positions (B, T + H, J, C), valid."""
        change = self.config.augment
        # speed, start, body and direction of each try
        chances = generator.uniform("window", TRIES, 4).double().numpy()
        windows = [self._window(int(i), own) for i, own in zip(self.recordings[which], chances, strict=True)]
        positions = torch.from_numpy(np.stack([p for p, _ in windows]))
        valid = torch.from_numpy(np.stack([v for _, v in windows]))
        past, dataset = slice(None, self.settings.head.observed), self.dataset
        batch = Batch.from_bodies(positions, valid)
        fitted = fit_preprocessing(
            batch.positions[:, :, past], batch.valid[:, :, past], dataset.settings, dataset.layout
        )
        batch = fitted.at_last_frame().apply_to(batch)
        if change.policy != "paper":  # the authors' crops and shears belong to recognition
            # time was changed when the windows were drawn
            batch = self.dataset.augmented(batch, change, generator, in_time=False)
        return batch.positions[:, 0], batch.valid[:, 0]

    def _window(self, recording: int, chances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A window (T + H, J, C) of one body of a recording, and what of it was seen (T + H, J)."""
        head, change = self.settings.head, self.config.augment
        last = int(self.dataset.store.frames[recording]) - 1
        reach = head.span.recording_frames - 1
        for chance in chances:
            pace, moment, body, direction = chance
            speed = 1.0
            if change.policy == "views" and change.views.speed:
                speed = math.exp((2 * pace - 1) * math.log1p(change.views.speed))
            speed = min(speed, last / reach) if reach else 1.0
            start = moment * (last - reach * speed)
            if speed == 1.0:
                start = round(start)  # real frames, not between them
            times = start + np.arange(head.span.total) * head.frame_step * speed
            positions, valid = self._frames_at(recording, times)
            seen = np.flatnonzero(valid[: head.observed].any((0, 2)))
            if len(seen):
                break
        person = int(seen[int(body * len(seen))]) if len(seen) else 0
        positions, valid = positions[:, person], valid[:, person]
        return (positions[::-1], valid[::-1]) if direction < self.settings.reverse else (positions, valid)

    def _frames_at(self, recording: int, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions (T, P, J, C) at ascending times in frames; valid where both neighboring frames are."""
        store, first = self.dataset.store, max(0, int(times[0]))
        rows = slice(first, int(times[-1]) + 2)  # only these are read from disk
        positions, valid = self.dataset.mapped(store.positions(recording)[rows], store.valid(recording)[rows])
        return interpolate(positions, valid, times - first)

    def evaluate(self, module: PredictionObjective) -> dict[str, float]:
        """MPJPE at every horizon on evenly spread windows of the validation recordings."""
        if self.validation is None:
            return {}
        store = self.validation.store
        windows = spread_windows(store, self.validation.indices, self.settings.head.span)
        if not windows:
            raise DataError("no validation recording is long enough for a window")
        return {
            f"validation/{key}": value
            for key, value in model_metrics(module.model, store, windows).items()
            if key.startswith("mpjpe") and value is not None
        }

    def facts(self) -> dict[str, Any]:
        """How many recordings were too short to train on."""
        return {"too_short": len(self.dataset) - len(self)}
