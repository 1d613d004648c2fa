"""Features of a frozen encoder for applications: raw recordings in, vectors of each level out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import torch

from hitrs.data.recording import Recording
from hitrs.errors import not_finite
from hitrs.models.card import PRETRAINING
from hitrs.models.encoder import HiTRS
from hitrs.models.features import body_slots, collect, recording_features
from hitrs.tasks.deployed import DeployedModel
from hitrs.tasks.graph import model_inputs
from hitrs.transforms.batch import Batch, stream_bodies

Level: TypeAlias = Literal["recordings", "clips", "frames"]
BATCH_FRAMES = 8192
"""Frames (of all bodies, with padding) that are computed together."""


@dataclass(frozen=True)
class Embedding:
    """The features of a recording: one, or one of each clip or frame of each body."""

    features: np.ndarray
    """(N, D) float32."""
    persons: np.ndarray
    """(N,) body slot of each, -1 for the recording as a whole."""
    starts: np.ndarray
    """(N,) first frame that each looks at."""
    stops: np.ndarray
    """(N,) the frame behind the last one."""


class Embedder(DeployedModel):
    """The encoder of a model, of whatever task, with everything that a raw recording needs before it.

    >>> embedder = Embedder("runs/pretrained")
    >>> recording = embedder.recording("morning.npz")
    >>> embedder.embed([recording], "clips")[0].features.shape
    (265, 128)

    Args:
        model: model directory, the run that made it, or ``hub://owner/name``.

    Raises:
        CheckpointError: if there is no model, or it has no encoder.
    """

    task = PRETRAINING

    def __init__(self, model: str | os.PathLike[str]) -> None:
        self.model: HiTRS = HiTRS.from_pretrained(os.fspath(model))

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of the encoder's numbers, which tells models apart."""
        digest = hashlib.sha256()
        for name, value in self.model.state_dict().items():
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy())
        return digest.hexdigest()

    def shape(self, of: Level) -> tuple[int, ...]:
        """The shape of a feature."""
        if of == "frames":
            return self.layout.n_joints, self.model.config.width
        return (self.model.clip_width if of == "clips" else self.model.video_width,)

    def embed(self, recordings: Sequence[Recording], of: Level = "recordings") -> list[Embedding]:
        """Features of recordings that :meth:`recording` has prepared.

        Args:
            of: "recordings": V-TRS's video feature (4 D), the mean over bodies; "clips": C-TRS's feature of
                each clip in which something was seen (2 D); "frames": F-TRS's features of each frame in which
                something was seen, joint after joint (J D), those of joints that were not seen 0.

        Raises:
            DataError: if the features of one are not finite.
        """
        if not recordings:
            return []
        inputs = model_inputs([self.mapped(recording) for recording in recordings], self.card)
        if of == "recordings":
            card, encoder = self.card, self.model
            features = collect(
                lambda batch: recording_features(encoder, batch, card),
                encoder,
                inputs,
                max_frames=BATCH_FRAMES,
            )
            return [
                Embedding(row[None], np.array([-1]), np.array([0]), np.array([recording.n_frames]))
                for row, recording in zip(features, recordings, strict=True)
            ]
        found = []
        for number, recording in enumerate(recordings):
            embedding = self._of_parts(inputs.batch([number]), of)
            if not np.isfinite(embedding.features).all():
                raise not_finite(f"recording '{recording.name}'")
            found.append(embedding)
        return found

    @torch.no_grad()
    def _of_parts(self, batch: Batch, of: Level) -> Embedding:
        """Clips or frames of the only recording of a batch."""
        encoder, settings = self.model, self.card.preprocessing
        bodies = stream_bodies(batch, settings, self.card.layout, body_slots(encoder, self.card))
        length, pad = int(batch.lengths[0]), encoder.config.padding
        count = settings.frames or length
        times = np.linspace(0, length - 1, count).astype(int)  # frame of each frame that is looked at
        firsts = np.arange(0, count, settings.tubelet)  # of each token
        starts, stops = times[firsts], times[np.minimum(firsts + settings.tubelet, count) - 1] + 1
        frames = encoder.encode_frames(bodies.positions, bodies.valid, bodies.lengths)
        if of == "frames":
            rows = frames.rows[:, pad : pad + len(firsts)]
            sequence, token = (rows >= 0).nonzero(as_tuple=True)
            row = rows[sequence, token]
            features = (frames.features.float() * frames.valid[..., None])[row].flatten(1)
            begin = end = token.numpy()
        else:
            sequence, windows, _ = encoder.windows(frames, bodies.lengths)
            features = encoder.encode_clips(frames, sequence, windows).float()
            inside = (windows - pad).clamp(0, len(firsts) - 1).numpy()
            begin, end = inside[:, 0], inside[:, -1]
        return Embedding(features.numpy(), bodies.person[sequence].numpy(), starts[begin], stops[end])
