"""Pre-training without labels, as a job of the training loop."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from hitrs.data.cache import SIZE_VARIABLE
from hitrs.data.remote import RemoteShards
from hitrs.errors import ConfigError, DataError
from hitrs.models.card import PRETRAINING, ModelCard
from hitrs.models.config import ModelConfig
from hitrs.models.convolutions import convolution_settings
from hitrs.models.encoder import HiTRS
from hitrs.models.features import collect, knn_scores, recording_features
from hitrs.models.pretrained import save_pretrained
from hitrs.pretext.objective import PretextObjective
from hitrs.training.batches import seed_of
from hitrs.training.config import PretrainConfig
from hitrs.training.loop import fit, write_once
from hitrs.transforms.augmentation import crop_to
from hitrs.transforms.batch import Batch, Bodies, stream_bodies
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig
from hitrs.transforms.dataset import JoinedDataset, SkeletonDataset
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

    One data set is gone through in rounds. Of several, each place of a batch draws its data set by weight and
    one of its recordings, so that a small set is not drowned by a large one.

    Args:
        datasets: the training parts, nothing else; of one layout and preprocessing.
        config: the whole configuration.
        weights: of each data set; by default the root of its number of recordings.
    Raises:
        DataError: if no recording of a data set is long enough.
        ConfigError: if the cache cannot hold several stores of other machines.
    """

    def __init__(
        self,
        datasets: Sequence[SkeletonDataset],
        config: PretrainRunConfig,
        weights: Sequence[float] | None = None,
    ):
        self.datasets, self.config = tuple(datasets), config
        self.data = JoinedDataset(datasets)
        starts = self.data.starts[:-1].tolist()
        self.usable = [self._long_enough(*part) for part in zip(datasets, starts, strict=True)]
        if weights is None:
            weights = [len(part) ** 0.5 for part in self.usable]
        self.ends = np.cumsum(weights) / np.sum(weights)
        self.shards = self._shards()
        layout = self.data.layout
        space = datasets[0].space
        self.card = ModelCard(config.model, layout, config.preprocessing, space=space)
        torch.manual_seed(seed_of(config.pretrain.optim.seed, "weights"))
        encoder = HiTRS.untrained(config.model, layout, config.preprocessing)
        self.module = PretextObjective(encoder, config.pretext)

    def _shards(self) -> RemoteShards | None:
        """Where the recordings lie, if that is another machine."""
        if len(self.datasets) == 1:
            (dataset,), (usable,) = self.datasets, self.usable
            return dataset.store.remote_shards(dataset.indices[usable])
        remote = [part.shards for part in self.datasets if part.shards is not None]
        if remote and (size := sum(int(shards.sizes.sum()) for shards in remote)) > remote[0].limit:
            raise ConfigError(
                "of several stores recordings are drawn at random, so that the cache must hold all of those "
                f"on other machines, {size / 1e6:,.1f} MB: allow it that ({SIZE_VARIABLE}), or copy them here"
            )
        return None

    def _long_enough(self, part: SkeletonDataset, first: int) -> np.ndarray:
        """Numbers of its recordings, which stand from ``first`` on, that pre-training can use."""
        enough = part.frames >= self.config.min_frames
        if not enough.any():
            raise DataError(
                f"none of the {len(part)} recordings of {part.origin} to pre-train on has the "
                f"{self.config.min_frames} frames that min_frames asks for"
            )
        return first + np.flatnonzero(enough)

    def __len__(self) -> int:
        return sum(len(part) for part in self.usable)

    def inputs(self, which: np.ndarray, generator: KeyedGenerator) -> tuple[Any, ...]:
        """Augmented bodies: positions (S, T, J, C), valid (S, T, J), lengths (S,), identity (S,), generator,
        and what they were before, where a task asks for it.

        Views of one body have the same identity.
        """
        batch = crop_to(self.data.batch(self._chosen(which, generator)), self.config.max_frames, generator)
        before, generator = repeat_views(batch, generator, self.module.views)
        batch = self.data.augmented(before, self.config.augment, generator)
        bodies = stream_bodies(batch, self.config.preprocessing, self.data.layout)
        identity = (bodies.recording % len(which)) * batch.positions.shape[1] + bodies.person
        generator = generator[bodies.recording].fold_in(bodies.person)
        clean = self._clean(before, bodies) if self.module.clean else None
        return bodies.positions, bodies.valid, bodies.lengths, identity, generator, clean

    def _clean(self, before: Batch, bodies: Bodies) -> Tensor:
        """The same bodies in the batch before augmentation, see ``PretextInputs.clean``."""
        settings = convolution_settings(self.config.preprocessing)
        plain = stream_bodies(before, settings, self.data.layout)
        persons = before.positions.shape[1]
        place = plain.recording * persons + plain.person  # ascending
        rows = torch.searchsorted(place, bodies.recording * persons + bodies.person)
        return plain.positions[rows]

    def _chosen(self, which: np.ndarray, generator: KeyedGenerator) -> np.ndarray:
        """Numbers of the recordings at places ``which`` of the shuffled stream."""
        if len(self.usable) == 1:
            return self.usable[0][which]
        source = generator.uniform("source").double().numpy()
        place = generator.uniform("recording").double().numpy()
        own = [self.usable[part] for part in np.searchsorted(self.ends[:-1], source, side="right")]
        return np.array([part[int(share * len(part))] for part, share in zip(own, place, strict=True)])

    def evaluate(self, module: PretextObjective) -> dict[str, float]:
        """1-NN on the features of training recordings, a mean over the data sets."""
        accuracies = [
            self._knn_accuracy(part, module.encoder)
            for part in self.datasets
            if len(np.unique(part.labels[part.labels >= 0])) > 1
        ]
        return {"knn/accuracy": float(np.mean(accuracies))} if accuracies else {}

    def _knn_accuracy(self, dataset: SkeletonDataset, encoder: HiTRS) -> float:
        labels, subjects = dataset.labels, dataset.subjects
        labeled = np.flatnonzero(labels >= 0)[:: max(1, len(labels) // PROBE_RECORDINGS)]
        part = SkeletonDataset(dataset.store, dataset.indices[labeled], dataset.layout, dataset.settings)
        features = collect(lambda b: recording_features(encoder, b, self.card), encoder, part)
        return across_subjects(features, labels[labeled], subjects[labeled])


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
    datasets: Sequence[SkeletonDataset],
    config: PretrainRunConfig,
    folder: Path,
    *,
    weights: Sequence[float] | None = None,
    resume: bool = False,
) -> ModelCard:
    """Pre-train on data sets of one layout and write the model, heads included, to ``folder/model``.

    Args:
        weights: of each data set, see :class:`PretrainJob`.
        resume: go on from the newest checkpoint in ``folder``, if there is one.
    Raises:
        DataError: if no recording of a data set is long enough.
        ConfigError: if a pretext task cannot be used.
        TrainingError: see :func:`hitrs.training.loop.fit`.
    """
    job = PretrainJob(datasets, config, weights)
    optim = config.pretrain.optim
    trained = fit(job, optim, folder, resume=resume, title="pre-train", card=job.card)
    facts = {
        "task": PRETRAINING,
        "data": one_or_list([part.store.fingerprint for part in datasets]),
        "repairs": one_or_list([part.store.repairs for part in datasets]),
        "recordings": len(job),
        "steps": optim.steps,
        "seed": optim.seed,
    }
    card = dataclasses.replace(job.card, trained=facts)
    write_once(lambda: save_pretrained(folder / "model", card, trained.state_dict()))
    return card


def one_or_list(values: Sequence[Any]) -> Any:
    """The value itself where there is one, as before there could be several."""
    return values[0] if len(values) == 1 else list(values)
