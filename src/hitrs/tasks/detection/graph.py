"""A detector as a graph of one recording of any length, preprocessing and probabilities included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models.dense import (
    DenseBodies,
    DenseClips,
    dense_batch,
    dense_bodies,
    dense_clips,
    dense_frames,
    dense_last_clips,
    dense_videos,
    repeated,
)
from hitrs.models.exported import Port
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.timing import Timing
from hitrs.tasks.graph import (
    Answer,
    Graph,
    frames_of_chunks,
    one_recording,
    raw_card,
    recording_arrays,
    recording_port,
)
from hitrs.transforms.batch import Batch, tubelets


class DenseDetector(nn.Module):
    """Probabilities (T, K + 1) of the frames of a recording (T, P, J, C), those of ``predict``."""

    def __init__(self, model: DetectionModel):
        super().__init__()
        self.model = model

    def forward(self, positions: Tensor) -> Tensor:
        batch = dense_batch(positions)
        probabilities = self._scores(batch).softmax(-1)
        # background where nobody has been seen for as many frames as lie between two clips
        seen = batch.valid[0].any(-1).any(0).cumsum(0)  # (T,) frames so far in which somebody was
        step = self.model.clip_times.step  # at its start a recording has had nobody for no frame
        before = F.pad(F.pad(seen, (1, 0)), (step - 1, 0), value=-1)[: seen.shape[0]]
        lately = seen > before
        nothing = F.one_hot(torch.tensor(probabilities.shape[1] - 1), probabilities.shape[1]).float()
        return torch.where(lately[:, None], probabilities, nothing)

    def _scores(self, batch: Batch) -> Tensor:
        """``DetectionModel.scores`` of one recording, (T, K + 1)."""
        model, encoder, card = self.model, self.model.encoder, self.model.card
        frames_only = replace(card.preprocessing, tubelet=1)
        present = dense_bodies(batch, frames_only, card.layout, card.persons if model.paper else None)
        bodies, length = present.positions.shape[:2]
        positions, valid, counts = tubelets(
            present.positions, present.valid, repeated(length, bodies), model.token_times.size
        )
        frames = dense_frames(encoder, DenseBodies(positions, valid))
        pad, tokens = encoder.config.padding, positions.shape[1]
        projected = model.pose_proj((frames.features * frames.valid[..., None]).flatten(2))
        poses, in_frame = model.add_raw(
            projected[:, pad : pad + tokens],
            frames.present[:, pad : pad + tokens],
            counts,
            present.positions,
            present.valid,
        )
        clips = dense_clips(encoder, frames, model.settings.stride)
        features = clips.features
        if model.settings.context == "video":
            features = torch.cat([features, self._video_features(clips)], dim=-1)
        context, in_clip = model.to_frames(
            model.clip_times,
            model.clip_proj(features),
            clips.present,
            repeated(features.shape[1], bodies),
            length,
        )
        seen = (in_frame | in_clip)[..., None].float()
        mean = ((poses + context) * seen).sum(0) / seen.sum(0).clamp(min=1)  # (T, H)
        scores: Tensor = model.head(mean[None], torch.ones_like(mean[None, :, 0]))
        return scores[0]

    def _video_features(self, clips: DenseClips) -> Tensor:
        encoder, settings = self.model.encoder, self.model.settings
        if not settings.causal:
            return dense_videos(encoder, clips)[1]
        return dense_last_clips(encoder, clips, min(settings.history, encoder.config.max_clips))


def detection_graph(model: DetectionModel) -> Graph:
    """The graph of a detector."""
    card = model.card

    def answer(positions: np.ndarray) -> np.ndarray:
        return model.answers([one_recording(positions, card)])[0]

    about = "of each frame: the classes in the order of the card's classes, then background"
    output = Port("probabilities", ("frames", len(card.classes) + 1), about)
    longest = 0 if model.settings.causal else frames_of_chunks(card, model.settings.stride)
    input_ = recording_port(card.layout.n_joints, card.layout.dims)
    return Graph(DenseDetector(model).eval(), input_, output, answer, longest=longest)


class AnsweredDetector(DetectionModel):
    """A detector with probabilities from elsewhere, an exported file say, so that it can be tested."""

    def __init__(self, model: DetectionModel, answer: Answer):
        nn.Module.__init__(self)  # nothing of its own
        self.card, self.settings, self.head, self._answer = (
            raw_card(model.card), model.settings, model.head, answer,
        )  # fmt: skip
        self.clip_times = Timing(0, 2**31, 1)  # there are none: recordings are asked for in one piece

    def forward(self, batch: Batch) -> Tensor:
        (positions,) = recording_arrays(batch)
        return torch.from_numpy(self._answer(positions))[None].log()
