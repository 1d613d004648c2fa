"""Pre-training without labels, as a job of the training loop."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from hitrs.errors import DataError
from hitrs.models.card import PRETRAINING, ModelCard
from hitrs.models.config import ModelConfig
from hitrs.models.encoder import HiTRS
from hitrs.models.features import collect, knn_scores, recording_features
from hitrs.models.pretrained import save_pretrained
from hitrs.pretext.objective import PretextObjective
from hitrs.training.batches import seed_of
from hitrs.training.config import PretrainConfig
from hitrs.training.loop import fit, write_once
from hitrs.transforms.augmentation import crop_to
from hitrs.transforms.batch import Batch, stream_bodies
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.transforms.random import KeyedGenerator

PROBE_RECORDINGS = 600
"""At most this many training recordings take part in the online probe, so that it costs seconds."""


class PretrainRunConfig(Protocol):
    """What pre-training reads of a configuration (``hitrs.config.Config``)."""

    @property
    def model(self) -> ModelConfig: ...
    @property
    def preprocessing(self) -> PreprocessingConfig: ...
    @property
    def augment(self) -> AugmentConfig: ...
    @property
    def pretext(self) -> Mapping[str, float]: ...
    @property
    def pretrain(self) -> PretrainConfig: ...
    @property
    def min_frames(self) -> int: ...
    @property
    def max_frames(self) -> int: ...


class PretrainJob:
    """Two things in one place: how a batch is made, and the online k-NN probe.

    Args:
        dataset: the training part, nothing else.
        config: the whole configuration.
    Raises:
        DataError: if no recording is long enough.
    """

    def __init__(self, dataset: SkeletonDataset, config: PretrainRunConfig):
        long_enough = np.asarray(dataset.store.frames)[dataset.indices] >= config.min_frames
        if not long_enough.any():
            raise DataError(
                f"none of the {len(dataset)} recordings to pre-train on has the {config.min_frames} frames "
                "that min_frames asks for"
            )
        self.dataset, self.config = dataset, config
        self.usable = np.flatnonzero(long_enough)
        self.card = ModelCard(config.model, dataset.layout, config.preprocessing, space=dataset.space)
        torch.manual_seed(seed_of(config.pretrain.optim.seed, "weights"))
        encoder = HiTRS(
            config.model, dataset.layout.n_joints, config.preprocessing.channels(dataset.layout.dims)
        )
        self.module = PretextObjective(encoder, config.pretext)

    def __len__(self) -> int:
        return len(self.usable)

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[Any, ...]:
        """Augmented bodies: positions (S, T, J, C), valid (S, T, J), lengths (S,), identity (S,), generator.

        Views of one body have the same identity.
        """
        batch = crop_to(self.dataset.batch(self.usable[which]), self.config.max_frames, generator)
        batch, generator = repeat_views(batch, generator, self.module.views)
        batch = self.dataset.augmented(batch, self.config.augment, generator)
        bodies = stream_bodies(batch, self.config.preprocessing, self.dataset.layout)
        identity = (bodies.recording % len(which)) * batch.positions.shape[1] + bodies.person
        generator = generator[bodies.recording].fold_in(bodies.person)
        return bodies.positions, bodies.valid, bodies.lengths, identity, generator

    def evaluate(self, module: PretextObjective) -> dict[str, float]:
        """1-NN on the features of training recordings, see :func:`across_subjects`."""
        labels, subjects = self.dataset.labels, self.dataset.subjects
        labeled = np.flatnonzero(labels >= 0)[:: max(1, len(labels) // PROBE_RECORDINGS)]
        if len(np.unique(labels[labeled])) < 2:
            return {}
        part = SkeletonDataset(
            self.dataset.store, self.dataset.indices[labeled], self.dataset.layout, self.dataset.settings
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


def repeat_views(batch: Batch, generator: KeyedGenerator, views: int) -> tuple[Batch, KeyedGenerator]:
    """The batch ``views`` times over, and a generator that draws other numbers for each of its copies."""
    if views == 1:
        return batch, generator
    copies = [generator.fold_in(view) for view in range(views)]
    repeated = Batch(
        torch.cat([batch.positions] * views),
        torch.cat([batch.valid] * views),
        torch.cat([batch.lengths] * views),
    )
    return repeated, functools.reduce(KeyedGenerator.concatenate, copies)


def train_encoder(
    dataset: SkeletonDataset, config: PretrainRunConfig, folder: Path, *, resume: bool = False
) -> ModelCard:
    """Pre-train on ``dataset`` and write the model, heads included, to ``folder/model``.

    Args:
        resume: go on from the newest checkpoint in ``folder``, if there is one.
    Raises:
        DataError: if no recording is long enough.
        ConfigError: if a pretext task cannot be used.
        TrainingError: see :func:`hitrs.training.loop.fit`.
    """
    job = PretrainJob(dataset, config)
    optim = config.pretrain.optim
    trained = fit(job, optim, folder, resume=resume, title="pre-train")
    facts = {
        "task": PRETRAINING,
        "data": dataset.store.fingerprint,
        "repairs": dataset.store.repairs,
        "recordings": len(job),
        "steps": optim.steps,
        "seed": optim.seed,
    }
    card = dataclasses.replace(job.card, trained=facts)
    write_once(lambda: save_pretrained(folder / "model", card, trained.state_dict()))
    return card
