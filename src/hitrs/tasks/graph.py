"""How a model leaves the package, as its task says: a graph of one recording, and what it should answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from torch import nn

from hitrs.data.recording import Recording
from hitrs.models.card import ModelCard
from hitrs.models.exported import Port
from hitrs.tasks.inputs import as_recording
from hitrs.transforms.batch import Batch
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import InMemoryDataset

Answer: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""From a recording (T, P, J, C), NaN where a joint was not seen, to the output of a graph."""


def as_it_is(output: np.ndarray) -> np.ndarray:
    """The output itself."""
    return output


@dataclass(frozen=True)
class Graph:
    """A model in a form that can be exported.

    >>> graph = get_task("recognition").graph(model)
    >>> graph.module(torch.from_numpy(positions)).shape  # (frames, persons, joints, coordinates)
    torch.Size([10])
    """

    module: nn.Module
    """Takes one tensor, the ``input``, and gives one, the ``output``, without decisions that depend on
    values."""
    input: Port
    """A recording, (frames, persons, joints, coordinates); NaN where a joint was not seen."""
    output: Port
    answer: Answer
    """What the model itself gives: what the exported file is compared with."""
    least: int = 1
    """Frames from which on answers are told apart by more than rounding."""
    longest: int = 0
    """Frames from which on the graph goes another way, so that it has to be tried with as many; 0: none."""
    state: tuple[Port, ...] = ()
    """Of a graph that goes frame by frame: what it remembers. The ``module`` takes it behind the ``input``,
    which is one frame, and gives it anew behind the ``output``."""
    compared: Callable[[np.ndarray], np.ndarray] = as_it_is
    """What of an output is compared, where differences hardly show in the output itself."""


def recording_port(joints: int, coords: int, frames: str | int = "frames") -> Port:
    """The input of every graph."""
    about = "one recording in the unit and with the up axis of the card's space; NaN: not seen"
    return Port("positions", (frames, "persons", joints, coords), about)


def frames_of_chunks(card: ModelCard, stride: int | None = None) -> int:
    """Frames of a recording that has more clips than the video level sees at once."""
    model = card.model
    tokens = (model.max_clips + 1) * (stride or model.stride) + model.window * model.dilation
    return tokens * card.preprocessing.tubelet


def raw_card(card: ModelCard) -> ModelCard:
    """The card of a model that takes recordings as they are, because their preprocessing is part of it."""
    return dataclasses.replace(card, preprocessing=PreprocessingConfig(up=card.preprocessing.up))


def model_inputs(recordings: Sequence[Recording], card: ModelCard) -> InMemoryDataset:
    """Recordings as a model of PyTorch reads them."""
    return InMemoryDataset(recordings, card.layout, card.preprocessing)


def one_recording(positions: np.ndarray, card: ModelCard) -> Recording:
    """A recording as a graph takes it, (T, P, J, C), as a model takes it."""
    return as_recording(positions, card.layout)


def recording_arrays(batch: Batch) -> Iterator[np.ndarray]:
    """Each recording of a batch as a graph takes it, (T, P, J, C) with NaN for what was not seen."""
    hidden = batch.positions.masked_fill(~batch.valid[..., None], float("nan")).transpose(1, 2)
    for positions, length in zip(hidden.cpu().numpy(), batch.lengths.tolist(), strict=True):
        yield np.ascontiguousarray(positions[:length])
