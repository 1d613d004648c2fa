"""A predictor as a graph: observed frames in, the frames that follow out, in the same coordinates."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from hitrs.models.dense import DenseBodies, dense_batch, dense_clips, dense_frames, dense_videos, repeated
from hitrs.models.encoder import HiTRS
from hitrs.models.exported import Port
from hitrs.tasks.graph import Answer, Graph, one_recording, raw_card, recording_port
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.transforms.batch import Batch, to_tokens
from hitrs.transforms.preprocessing import fit_preprocessing


class DensePredictor(nn.Module):
    """Future frames (H, P, J, C) of observed ones (T, P, J, C), each body for itself; NaN: never seen."""

    def __init__(self, model: PredictionModel):
        super().__init__()
        self.model = model

    def forward(self, positions: Tensor) -> Tensor:
        model, card = self.model, self.model.card
        given = dense_batch(positions)
        # a body is a recording of its own
        batch = Batch(given.positions[0][:, None], given.valid[0][:, None], given.lengths)
        fitted = fit_preprocessing(
            batch.positions, batch.valid, card.preprocessing, card.layout
        ).at_last_frame()
        batch = fitted.apply_to(batch)
        observed, valid = batch.positions[:, 0], batch.valid[:, 0]  # (P, T, J, C), (P, T, J)
        tokens = None if model.encoder is None else self._tokens(model.encoder, observed, valid)
        future = fitted.inverse(model.decode(observed, valid, tokens)[:, None])[:, 0]  # (P, H, J, C)
        return future.masked_fill(~valid.any(1)[:, None, :, None], torch.nan).transpose(0, 1)

    def _tokens(self, encoder: HiTRS, positions: Tensor, valid: Tensor) -> Tensor:
        """``PredictionModel.encoder_tokens``."""
        model, card = self.model, self.model.card
        context = model.head_config.context
        positions, valid = positions[:, -context:], valid[:, -context:]
        lengths = repeated(context, positions.shape[0])
        positions, valid, _ = to_tokens(positions, valid, lengths, card.preprocessing, card.layout)
        bodies = DenseBodies(positions, valid)
        frames = dense_frames(encoder, bodies)
        clips = dense_clips(encoder, frames)
        video, each = dense_videos(encoder, clips)
        newest = encoder.config.padding + context - 1
        joints = (frames.features[:, newest] * frames.valid[:, newest][..., None]).flatten(1)
        both_levels = torch.cat([clips.features, each], dim=-1)
        tokens = torch.cat(
            [
                (model.joint_proj(joints) * frames.present[:, newest][:, None])[:, None],
                model.clip_proj(both_levels) * clips.present[..., None],
                model.video_proj(video)[:, None],
            ],
            dim=1,
        )
        return tokens * bodies.present[:, None, None]


def prediction_graph(model: PredictionModel) -> Graph:
    """The graph of a predictor, for as many frames as it observes."""
    card, head = model.card, model.head_config

    def answer(positions: np.ndarray) -> np.ndarray:
        return model.answers([one_recording(positions, card)])[0]

    joints, coords = card.layout.n_joints, card.layout.dims
    step = "" if head.frame_step == 1 else f", like the input one frame of a recording in {head.frame_step}"
    about = f"the frames that follow, in the coordinates of the input{step}; NaN: a joint that was never seen"
    output = Port("future", (head.predicted, "persons", joints, coords), about)
    input_ = recording_port(joints, coords, head.observed)
    return Graph(DensePredictor(model).eval(), input_, output, answer)


class AnsweredPredictor(PredictionModel):
    """A predictor whose frames come from elsewhere, an exported file say, so that it can be tested."""

    def __init__(self, model: PredictionModel, answer: Answer):
        nn.Module.__init__(self)  # nothing of its own
        self.card, self.head_config, self.decoder, self._answer = (
            raw_card(model.card), model.head_config, model.decoder, answer,
        )  # fmt: skip

    def forward(self, positions: Tensor, valid: Tensor) -> Tensor:
        hidden = positions.masked_fill(~valid[..., None], torch.nan).transpose(0, 1)  # (T, S, J, C)
        future = torch.from_numpy(self._answer(hidden.cpu().numpy())).transpose(0, 1)
        return future.nan_to_num()
