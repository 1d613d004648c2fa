"""Recordings of a store, or in memory, as a model sees them: mapped to its layout, preprocessed, batched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch

from hitrs.data.recording import Recording
from hitrs.data.remote import RemoteShards
from hitrs.data.space import Space, measure_space, sample, typical_space
from hitrs.data.store import Store
from hitrs.errors import DataError, counted
from hitrs.skeleton.layout import Layout, get_layout
from hitrs.skeleton.mapping import check_layouts, joint_map, map_positions
from hitrs.transforms.augmentation import augment
from hitrs.transforms.batch import Batch, collate
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig
from hitrs.transforms.preprocessing import preprocess
from hitrs.transforms.random import KeyedGenerator

SAMPLED_SHARDS = 4
"""A store on another machine is measured by recordings of so many shards."""


class ModelInputs(ABC):
    """Recordings as a model sees them, by number from 0: mapped to its layout, preprocessed, batched."""

    layout: Layout
    """The model's."""
    settings: PreprocessingConfig
    """The model's preprocessing."""
    origin: str
    """What messages call the place where the recordings are."""
    frames: np.ndarray
    """(N,) number of frames."""
    persons: np.ndarray
    """(N,) number of body slots."""

    def __len__(self) -> int:
        return len(self.frames)

    @abstractmethod
    def arrays(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions (T, P, J, C) and valid (T, P, J) of a recording in the model's layout, as it is."""

    @abstractmethod
    def name(self, i: int) -> str:
        """What messages call a recording."""

    @property
    def shards(self) -> RemoteShards | None:
        """Where the recordings lie on another machine, from which they come shard by shard; None: here."""
        return None

    def batch(self, which: Sequence[int] | np.ndarray) -> Batch:
        """Recordings ``which`` (counting from 0 to len - 1), preprocessed, before augmentation and stream."""
        arrays = [self.arrays(int(i)) for i in which]
        return preprocess(collate(arrays), self.settings, self.layout)

    def augmented(
        self, batch: Batch, config: AugmentConfig, generator: KeyedGenerator, in_time: bool = True
    ) -> Batch:
        """A changed copy of one of its batches, see :func:`hitrs.transforms.augmentation.augment`."""
        mirror = torch.as_tensor(self.layout.mirror)
        return augment(batch, config, generator, self.settings.up_axis, mirror, in_time)


class InMemoryDataset(ModelInputs):
    """Recordings in memory, each of its own layout.

    Raises:
        LayoutError: if one has another dimension than the model, or no joint that the model knows.
    """

    origin = "memory"

    def __init__(self, recordings: Sequence[Recording], layout: Layout, settings: PreprocessingConfig):
        self.recordings, self.layout, self.settings = recordings, layout, settings
        for recording in recordings:
            check_layouts(recording.layout, layout, f"recording '{recording.name}'")
        self.frames = np.array([recording.n_frames for recording in recordings], np.int64)
        self.persons = np.array([recording.n_persons for recording in recordings], np.int64)

    def name(self, i: int) -> str:
        return f"recording '{self.recordings[i].name}'"

    def arrays(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        recording = self.recordings[i]
        positions, valid = recording.positions, recording.valid
        if recording.layout != self.layout:
            positions, valid = map_positions(positions, valid, recording.layout, self.layout)
        return positions, valid


class SkeletonDataset(ModelInputs):
    """Preprocessed batches of some recordings of a store.

    Args:
        store: where the recordings are.
        indices: which of them, in this order.
        layout: the model's layout; recordings of another one are mapped by joint name.
        settings: the model's preprocessing.
        seen_as: looks at the recordings as this layout would have recorded them: they are mapped to it first,
            and what it lacks is masked. None = as they are.
    Raises:
        LayoutError: if the dimensions differ (2-D data for a 3-D model), or no joint has a counterpart.
    """

    def __init__(
        self,
        store: Store,
        indices: Sequence[int] | np.ndarray,
        layout: Layout,
        settings: PreprocessingConfig,
        seen_as: Layout | None = None,
    ):
        self.store, self.layout, self.settings = store, layout, settings
        self.indices = np.asarray(indices, np.int64)
        self.origin = str(store.path)
        self.frames = np.asarray(store.frames)[self.indices].astype(np.int64)
        self.persons = np.asarray(store.persons)[self.indices].astype(np.int64)
        path = (store.layout, seen_as or store.layout, layout)
        self._maps = [(have, want) for have, want in pairwise(path) if have != want]
        if seen_as is None:
            check_layouts(store.layout, layout, f"the store {store.path}")
        for have, want in self._maps:
            joint_map(have, want)  # raises where they do not fit

    @property
    def labels(self) -> np.ndarray:
        """Class of each recording, (N,) int64, -1 for none."""
        return np.asarray(self.store.labels)[self.indices].astype(np.int64)

    def check_classes(self) -> None:
        """Refuse recordings by which nothing can be told apart.

        Raises:
            DataError: if all show the same class.
        """
        shown = np.unique(self.labels)
        if len(shown) == 1 and shown[0] >= 0:
            one = self.store.classes[shown[0]]
            raise DataError(
                f"all {counted(len(self), 'training recording')} of {self.store.path} show '{one}': a "
                "recognizer tells two classes apart at least. Label recordings of another one, or look at "
                "what the import said of the labels"
            )

    @property
    def subjects(self) -> np.ndarray:
        return np.asarray(self.store.subjects)[self.indices].astype(np.int64)

    @property
    def fps(self) -> float | None:
        """The frame rate of all its recordings; None if it is unknown or they differ."""
        rates = np.unique(np.asarray(self.store.fps)[self.indices])  # NaN, unknown, counts as one rate
        return float(rates[0]) if len(rates) == 1 and np.isfinite(rates[0]) else None

    def name(self, i: int) -> str:
        return f"recording '{self.store.name(int(self.indices[i]))}' of {self.origin}"

    @property
    def space(self) -> Space:
        """What its recordings are measured in, in the model's layout, by a sample of them."""
        among = np.arange(len(self)) if self.shards is None else self.shards.few(SAMPLED_SHARDS)
        return typical_space(
            measure_space(*self.arrays(int(i)), self.layout) for i in among[sample(len(among))]
        )

    @cached_property
    def shards(self) -> RemoteShards | None:
        return self.store.remote_shards(self.indices)

    def arrays(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        index = int(self.indices[i])
        return self.mapped(self.store.positions(index), self.store.valid(index))

    def mapped(self, positions: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Frames of the store, positions (..., J, C) and valid (..., J), in the model's layout."""
        for have, want in self._maps:
            positions, valid = map_positions(positions, valid, have, want)
        return positions, valid


class JoinedDataset(ModelInputs):
    """Data sets of one layout and one preprocessing, one after the other, as one.

    >>> both = JoinedDataset([SkeletonDataset(a, range(len(a)), layout, settings),
    ...                       SkeletonDataset(b, range(len(b)), layout, settings)])
    >>> both.batch([0, len(a)])  # the first recording of each
    """

    def __init__(self, parts: Sequence[ModelInputs]):
        self.parts = tuple(parts)
        self.layout, self.settings = parts[0].layout, parts[0].settings
        self.origin = ", ".join(part.origin for part in parts)
        self.frames = np.concatenate([part.frames for part in parts])
        self.persons = np.concatenate([part.persons for part in parts])
        self.starts = np.cumsum([0, *(len(part) for part in parts)])

    def name(self, i: int) -> str:
        part, number = self._place(i)
        return part.name(number)

    def arrays(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        part, number = self._place(i)
        return part.arrays(number)

    def _place(self, i: int) -> tuple[ModelInputs, int]:
        """The part that holds a recording, and its number there."""
        part = int(np.searchsorted(self.starts, i, side="right")) - 1
        return self.parts[part], i - int(self.starts[part])


def training_layout(store: Store, wanted: str) -> Layout:
    """The layout to train in: the one of this name or file, the store's own if it is empty."""
    return get_layout(wanted) if wanted else store.layout
