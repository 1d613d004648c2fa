"""Pre-training without labels, as a job of the training loop."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hitrs.errors import DataError
from hitrs.models.bundle import ModelCard, save_bundle
from hitrs.models.hitrs import HiTRS
from hitrs.pretext.objective import PretextObjective
from hitrs.tasks.features import collect
from hitrs.tasks.probe import knn_scores
from hitrs.tasks.recognition import recording_features
from hitrs.train.batches import seed_of
from hitrs.train.config import Config
from hitrs.train.loop import fit, write_once
from hitrs.transforms.augment import crop_to
from hitrs.transforms.batch import Batch, bodies
from hitrs.transforms.draws import Draws
from hitrs.transforms.source import Source
from hitrs.transforms.streams import take_stream

PROBE_RECORDINGS = 600
"""At most this many training recordings take part in the online probe, so that it costs seconds."""


class PretrainJob:
    """Two things in one place: how a batch is made, and the online k-NN probe.

    Args:
        source: the training part, nothing else.
        config: the whole configuration.
    """

    def __init__(self, source: Source, config: Config):
        long_enough = np.asarray(source.store.frames)[source.indices] >= config.min_frames
        if not long_enough.any():
            raise DataError(
                f"none of the {len(source)} recordings to pre-train on has the {config.min_frames} frames "
                "that min_frames asks for"
            )
        self.source, self.config = source, config
        self.usable = np.flatnonzero(long_enough)
        self.card = ModelCard(config.model, source.layout, config.preprocessing)
        torch.manual_seed(seed_of(config.pretrain.seed, "weights"))
        encoder = HiTRS(config.model, source.layout.n_joints, source.layout.dims)
        self.module = PretextObjective(encoder, config.pretext)

    def __len__(self) -> int:
        return len(self.usable)

    def inputs(self, which: np.ndarray, draws: Draws) -> tuple[Any, ...]:
        """Augmented bodies: positions (S, T, J, C), valid (S, T, J), lengths (S,), identity (S,), draws."""
        batch = crop_to(self.source.batch(self.usable[which]), self.config.max_frames, draws)
        if self.module.needs_views:
            batch, draws = twice(batch), draws.child(0).join(draws.child(1))
        layout, settings = self.source.layout, self.config.preprocessing
        batch = self.source.augmented(batch, self.config.augment, draws)
        found = bodies(batch)
        positions, valid = take_stream(found.positions, found.valid, settings.stream, layout)
        identity = (found.recording % len(which)) * batch.positions.shape[1] + found.person
        seen = valid.flatten(1).any(1)  # one frame has no motion, a lone joint no bone
        draws = draws[found.recording].child(found.person)[seen]
        return positions[seen], valid[seen], found.lengths[seen], identity[seen], draws

    def evaluate(self, module: PretextObjective) -> dict[str, float]:
        """1-NN on the features of training recordings, see :func:`across_subjects`."""
        labels, subjects = self.source.labels, self.source.subjects
        labeled = np.flatnonzero(labels >= 0)[:: max(1, len(labels) // PROBE_RECORDINGS)]
        if len(np.unique(labels[labeled])) < 2:
            return {}
        part = Source(
            self.source.store, self.source.indices[labeled], self.source.layout, self.source.settings
        )
        encoder = module.encoder
        features = collect(lambda b: recording_features(encoder, b, self.card), encoder, part)
        return {"knn/accuracy": across_subjects(features, labels[labeled], subjects[labeled])}


def across_subjects(features: np.ndarray, labels: np.ndarray, subjects: np.ndarray) -> float:
    """Accuracy of 1-NN, two groups of subjects finding each other (random halves if unknown)."""
    known = np.unique(subjects[subjects >= 0])
    if len(known) > 1:
        half = np.isin(subjects, known[::2])
    else:
        half = np.random.default_rng(0).permutation(len(labels)) % 2 == 0
    right = 0
    for reference, query in ((half, ~half), (~half, half)):
        scores = knn_scores(features[reference], labels[reference], features[query], int(labels.max()) + 1)
        right += int((scores.argmax(1) == labels[query]).sum())
    return right / len(labels)


def twice(batch: Batch) -> Batch:
    """The batch followed by itself."""
    return Batch(
        torch.cat([batch.positions] * 2), torch.cat([batch.valid] * 2), torch.cat([batch.lengths] * 2)
    )


def pretrain(source: Source, config: Config, folder: Path, *, resume: bool = False) -> ModelCard:
    """Pre-train on ``source`` and write the model, heads included, to ``folder/model``.

    Raises:
        DataError: if no recording is long enough; TrainingError: see :func:`hitrs.train.loop.fit`.
    """
    job = PretrainJob(source, config)
    trained = fit(job, config.pretrain, folder, resume=resume, title="pre-train")
    card = dataclasses.replace(
        job.card,
        trained={
            "task": "pre-training",
            "data": source.store.fingerprint,
            "recordings": len(job),
            "updates": config.pretrain.steps,
            "seed": config.pretrain.seed,
        },
    )
    write_once(lambda: save_bundle(folder / "model", card, trained.state_dict()))
    return card
