"""The encoder alone as a graph: features of each body of one recording, for whatever is built on them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn

from hitrs.models.card import PRETRAINING, ModelCard
from hitrs.models.dense import (
    dense_batch,
    dense_bodies,
    dense_clips,
    dense_frames,
    dense_pooled,
    dense_videos,
)
from hitrs.models.encoder import HiTRS
from hitrs.models.exported import Port
from hitrs.models.features import pooled_features
from hitrs.tasks.graph import Graph, frames_of_chunks, model_inputs, one_recording, recording_port
from hitrs.transforms.batch import stream_bodies


class DenseFeatures(nn.Module):
    """``pooled_features`` (P, 6D + 2JD) of the bodies of a recording (T, P, J, C); 0 of those never seen."""

    def __init__(self, encoder: HiTRS):
        super().__init__()
        self.encoder = encoder

    def forward(self, positions: Tensor) -> Tensor:
        encoder, card = self.encoder, self.encoder.card
        bodies = dense_bodies(dense_batch(positions), card.preprocessing, card.layout)
        frames = dense_frames(encoder, bodies)
        clips = dense_clips(encoder, frames)
        features = dense_pooled(frames, clips, dense_videos(encoder, clips)[0])
        return features * (bodies.present | (encoder.config.mode == "paper"))[:, None]


def encoder_graph(encoder: HiTRS) -> tuple[Graph, ModelCard]:
    """The graph of an encoder with its card, and the card of the file: it has no task and no classes."""
    card = dataclasses.replace(encoder.card, task=PRETRAINING, classes=(), head={}, postprocessing={})
    layout, settings = card.layout, card.preprocessing
    paper = encoder.config.mode == "paper"

    @torch.no_grad()
    def answer(positions: np.ndarray) -> np.ndarray:
        batch = model_inputs([one_recording(positions, card)], card).batch([0])
        bodies = stream_bodies(batch, settings, layout, positions.shape[1] if paper else None)
        features = torch.zeros(positions.shape[1], encoder.pooled_width)
        if len(bodies.lengths):
            features[bodies.person] = pooled_features(encoder, bodies.positions, bodies.valid, bodies.lengths)
        return features.numpy()

    width, joints = card.model.width, layout.n_joints * card.model.width
    about = (
        f"of each body: the video feature ({4 * width} numbers), the mean over clips ({2 * width}), mean and "
        f"maximum over time of the features of every joint ({joints} each); 0 of a body that was never seen"
    )
    output = Port("features", ("persons", encoder.pooled_width), about)
    longest = 0 if settings.frames else frames_of_chunks(card)
    input_ = recording_port(layout.n_joints, layout.dims)
    return Graph(DenseFeatures(encoder).eval(), input_, output, answer, longest=longest), card
