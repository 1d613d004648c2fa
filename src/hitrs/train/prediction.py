"""Training a predictor on windows of recordings, as a job of the training loop."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hitrs.errors import DataError
from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS
from hitrs.tasks.prediction.loss import PredictionObjective
from hitrs.tasks.prediction.model import HeadSettings, PredictionModel
from hitrs.tasks.prediction.placement import as_batch, place
from hitrs.tasks.prediction.predict import predict_bodies
from hitrs.tasks.prediction.score import score
from hitrs.tasks.prediction.windows import spread_windows
from hitrs.train.batches import seed_of
from hitrs.train.config import Config
from hitrs.train.tuning import keep, tune
from hitrs.transforms.draws import Draws
from hitrs.transforms.source import Source

TRIES = 4
"""Windows that are drawn of a recording until one shows a body at all."""


class PredictionJob:
    """Windows of observed and future frames, of one body each.

    A batch takes recordings in turn, so that a long one weighs no more than a short one, and of each a window
    at a random time, at a random speed (``augment.speed``) and now and then backwards.

    Args:
        source: the training recordings; those too short for a window are left out.
        config: the whole configuration; model and preprocessing are the encoder's where one is given.
        encoder: a pre-trained encoder with its ``card``, or None to start from scratch.
        held_out: recordings to validate on while training, or None.
    Raises:
        DataError: if no recording is long enough.
    """

    def __init__(
        self, source: Source, config: Config, encoder: HiTRS | None = None, held_out: Source | None = None
    ):
        settings = config.predict
        self.source, self.config, self.held_out = source, config, held_out
        self._reach = (settings.observed + settings.predicted - 1) * settings.step
        frames = np.asarray(source.store.frames)[source.indices]
        self.usable = source.indices[frames > self._reach]
        if not len(self.usable):
            raise DataError(
                f"no training recording of {source.store.path} has the {self._reach + 1} frames that "
                f"{settings.observed} observed and {settings.predicted} predicted ones (step "
                f"{settings.step}) need; the longest has {int(frames.max(initial=0))}. Lower "
                "predict.observed or predict.predicted"
            )
        torch.manual_seed(seed_of(settings.seed, "weights"))
        layout = source.layout
        if settings.context == 0:
            encoder = None
        elif encoder is None:
            encoder = HiTRS(config.model, layout.n_joints, layout.dims)
        head = {f.name: getattr(settings, f.name) for f in dataclasses.fields(HeadSettings)}
        card = ModelCard(
            config.model if encoder is None else encoder.config,
            layout,
            source.settings,
            task="prediction",
            head=head,
            fps=source.fps,
        )
        self.model = PredictionModel(encoder, card)
        self.module = PredictionObjective(self.model, settings.velocity, settings.frozen)

    def __len__(self) -> int:
        return len(self.usable)

    def inputs(self, which: np.ndarray, draws: Draws) -> tuple[Any, ...]:
        """Windows, preprocessed by what is observed and augmented: positions (B, T + H, J, C), valid."""
        settings, change = self.config.predict, self.config.augment
        # speed, start, body and direction of each try
        chances = draws.uniform("window", TRIES, 4).double().numpy()
        windows = [self._window(int(i), own) for i, own in zip(self.usable[which], chances, strict=True)]
        positions = torch.from_numpy(np.stack([p for p, _ in windows]))
        valid = torch.from_numpy(np.stack([v for _, v in windows]))
        past = slice(None, settings.observed)
        placement = place(positions[:, past], valid[:, past], self.source.settings, self.source.layout)
        batch = as_batch(placement.apply(positions), valid)
        if change.policy != "paper":  # the authors' crops and shears belong to recognition
            # time was changed when the windows were drawn
            batch = self.source.augmented(batch, change, draws, in_time=False)
        return batch.positions[:, 0], batch.valid[:, 0]

    def _window(self, recording: int, chances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A window (T + H, J, C) of one body of a recording, and what of it was seen (T + H, J)."""
        settings, change = self.config.predict, self.config.augment
        frames = int(self.source.store.frames[recording])
        for chance in chances:
            pace, moment, who, direction = chance
            speed = 1.0
            if change.policy == "views" and change.speed:
                speed = math.exp((2 * pace - 1) * math.log1p(change.speed))
            speed = min(speed, (frames - 1) / self._reach) if self._reach else 1.0
            start = moment * (frames - 1 - self._reach * speed)
            if speed == 1.0:
                start = round(start)  # real frames, not between them
            count = settings.observed + settings.predicted
            when = start + np.arange(count) * settings.step * speed
            positions, valid = self._between(recording, when)
            seen = np.flatnonzero(valid[: settings.observed].any((0, 2)))
            if len(seen):
                break
        person = int(seen[int(who * len(seen))]) if len(seen) else 0
        positions, valid = positions[:, person], valid[:, person]
        return (positions[::-1], valid[::-1]) if direction < settings.reverse else (positions, valid)

    def _between(self, recording: int, when: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions (T, P, J, C) at times given in frames; valid where both neighboring frames are."""
        store, last = self.source.store, int(self.source.store.frames[recording]) - 1
        low = np.clip(np.floor(when).astype(int), 0, last)
        high = np.minimum(low + 1, last)
        part = (when - low).astype(np.float32)[:, None, None, None]
        first = low[0]
        rows = slice(first, high[-1] + 1)
        positions, valid = self.source.mapped(store.positions(recording)[rows], store.valid(recording)[rows])
        low, high = low - first, high - first
        between = positions[low] + part * (positions[high] - positions[low])
        return between, valid[low] & (valid[high] | (part[..., 0] == 0))

    def evaluate(self, module: PredictionObjective) -> dict[str, float]:
        """MPJPE at every horizon on windows of the held-out recordings."""
        if self.held_out is None:
            return {}
        return {
            f"validation/{key}": value
            for key, value in validation_errors(module.model, self.held_out).items()
            if key.startswith("mpjpe") and value is not None
        }


def validation_errors(model: PredictionModel, source: Source) -> dict[str, Any]:
    """``score`` on evenly spread windows of the recordings of a source."""
    span = model.settings.span
    windows = spread_windows(source.store, source.indices, span)
    if not windows:
        raise DataError("no validation recording is long enough for a window")
    return score(
        source.store, windows, span, lambda observed: predict_bodies(model, observed, source.store.layout)
    )


def train_predictor(
    source: Source,
    config: Config,
    folder: Path,
    *,
    encoder: HiTRS | None = None,
    held_out: Source | None = None,
    resume: bool = False,
) -> PredictionModel:
    """Train on ``source`` and write the predictor to ``folder/model``.

    Raises:
        DataError, TrainingError: see :class:`PredictionJob` and :func:`hitrs.train.loop.fit`.
    """
    job = PredictionJob(source, config, encoder, held_out)
    pretrained = encoder is not None and config.predict.context > 0
    tune(job, config.predict, folder, pretrained=pretrained, resume=resume)
    keep(job, config.predict, folder, pretrained=pretrained, too_short=len(source) - len(job))
    return job.model
