"""A recognizer as a graph of one recording, preprocessing and probabilities included."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from hitrs.models.dense import (
    dense_batch,
    dense_bodies,
    dense_clips,
    dense_frames,
    dense_pooled,
    dense_videos,
)
from hitrs.models.exported import Port
from hitrs.models.features import body_slots, pooled_features
from hitrs.tasks.graph import (
    Answer,
    Graph,
    as_it_is,
    frames_of_chunks,
    one_recording,
    raw_card,
    recording_arrays,
    recording_port,
)
from hitrs.tasks.recognition.confidence import ABOVE_FLAT, FLAT
from hitrs.tasks.recognition.model import SMALLEST, RecognitionModel
from hitrs.transforms.batch import Batch

MOVING = 60
"""Frames that random convolutions are compared on. What they make of a body that stands still is 0 up to
rounding, and which of them is the highest is then told by rounding alone."""


class DenseRecognizer(nn.Module):
    """Probabilities (classes,) of a recording (T, P, J, C), those of ``RecognitionModel``."""

    def __init__(self, model: RecognitionModel):
        super().__init__()
        self.model = model

    def forward(self, positions: Tensor) -> Tensor:
        batch = dense_batch(positions)
        features, beside = dense_features(self.model, batch), self.model.beside
        scores = None if beside is None else beside.classify(dense_features(beside, batch))
        return self.model.answer(features, scores).softmax(1)[0]


def dense_features(model: RecognitionModel, batch: Batch) -> Tensor:
    """Features (1, W) of one recording."""
    card, encoder = model.card, model.encoder
    slots = body_slots(encoder, card)
    bodies = dense_bodies(batch, card.preprocessing, card.layout, slots)
    if encoder is None:
        features = model.convolutions.at_once(bodies.positions.flatten(2).transpose(1, 2))
    else:
        frames = dense_frames(encoder, bodies)
        clips = dense_clips(encoder, frames)
        features, _ = dense_videos(encoder, clips)
        if model.features is pooled_features:
            features = dense_pooled(frames, clips, features)
    present = (bodies.present | (slots is not None)).float()
    return (features * present[:, None]).sum(0, keepdim=True) / present.sum().clamp(min=1)


def recognition_graph(model: RecognitionModel) -> Graph:
    """The graph of a recognizer."""
    card = model.card

    def answer(positions: np.ndarray) -> np.ndarray:
        return model.answers([one_recording(positions, card)])[0]

    output = Port("probabilities", (len(card.classes),), "of the classes, in the order of the card's classes")
    longest = 0 if model.encoder is None or card.preprocessing.frames else frames_of_chunks(card)
    input_ = recording_port(card.layout.n_joints, card.layout.dims)
    convolved = model.encoder is None or model.beside is not None
    least = MOVING if convolved else 1
    compared = flat_scores if model.familiarity is not None else as_it_is
    return Graph(DenseRecognizer(model).eval(), input_, output, answer, least, longest, compared=compared)


def flat_scores(probabilities: np.ndarray) -> np.ndarray:
    """Scores, the largest 1, of probabilities (classes,) that are about the same; others as they are."""
    if probabilities.max() * len(probabilities) >= ABOVE_FLAT:
        return probabilities
    scores = np.log(probabilities)
    return (scores - scores.mean()) / FLAT


class AnsweredRecognizer(RecognitionModel):
    """A recognizer with probabilities from elsewhere, an exported file say, so that it can be tested."""

    def __init__(self, model: RecognitionModel, answer: Answer):
        nn.Module.__init__(self)  # nothing of its own
        self.card, self.classifier, self._answer = raw_card(model.card), model.classifier, answer
        self._confidence = model.confidence

    def forward(self, batch: Batch) -> Tensor:
        rows = [torch.from_numpy(self._answer(positions)) for positions in recording_arrays(batch)]
        return torch.stack(rows).clamp(min=SMALLEST).log()
