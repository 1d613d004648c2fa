"""A causal detector frame by frame, with its memory of one recording.

Every frame costs the same but for those that complete a clip (`hitrs bench stream` measures both), and
nothing older than the model's history is kept. The scores are those of ``DetectionModel.forward`` on the
recording up to the frame. A frame (of tubelets the one that completes a token) goes through F-TRS; the joint
features are kept for as long as a clip needs them. When a frame completes a clip, C-TRS computes that clip
and V-TRS the last ``history`` clips. The temporal head keeps the inputs that its layers look back on.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hitrs.errors import ConfigError
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.predict import background
from hitrs.transforms.batch import tubelets
from hitrs.transforms.preprocessing import RunningPreprocessing


class FrameByFrame:
    """Probabilities of one frame after the other, preprocessing included: those of ``predict``.

    >>> probabilities = FrameByFrame(model, persons=1)
    >>> for positions, valid in frames:  # (P, J, C) and (P, J), of the model's layout
    ...     probabilities(positions, valid)  # (K + 1,), background last

    Raises:
        ConfigError: if the model looks at frames to come, or its preprocessing needs the whole recording.
    """

    def __init__(self, model: DetectionModel, persons: int):
        self._preprocess = RunningPreprocessing(model.card.preprocessing, model.card.layout)
        self._step = OnlineModel(model, persons)
        self._absent = 0  # frames in a row in which nobody was seen

    def __call__(self, positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
        model = self._step.model
        # copies: what is given may be read-only, or the caller's buffer for every frame
        given, seen = (torch.tensor(each, device=model.device) for each in (positions, valid))
        scores = self._step(*self._preprocess(given, seen))
        self._absent = 0 if valid.any() else self._absent + 1
        if self._absent >= model.clip_times.step:
            return background(len(model.card.classes))
        probabilities: np.ndarray = scores.float().softmax(-1).cpu().numpy()
        return probabilities


class OnlineModel:
    """A detector frame by frame, with its memory of one recording.

    Args:
        model: trained with ``detect.head.causal``.
        persons: P, body slots.
    Raises:
        ConfigError: if the model looks ahead.
    """

    def __init__(self, model: DetectionModel, persons: int):
        if not model.settings.causal:
            raise ConfigError(
                "this detector looks at frames to come, so it cannot run online; train one that does not "
                "with `hitrs finetune STORE --task detection --detect.head.causal`"
            )
        encoder, config, size = model.encoder, model.encoder.config, model.token_times.size
        self.model = model
        self.persons = model.card.persons if model.paper else persons
        self.history = min(model.settings.history, config.max_clips)
        self.time = 0  # frames so far
        self.n_clips = 0  # clips so far, at most the history
        device = next(model.parameters()).device
        span = (config.window - 1) * config.dilation
        self._window = torch.arange(config.window, device=device) * config.dilation - span
        # the frames of a token as they come, frame t at t modulo their number, and the frame before
        self._positions = torch.zeros(
            self.persons, size, encoder.joints, encoder.coords // size, device=device
        )
        self._valid = torch.zeros(self.persons, size, encoder.joints, dtype=torch.bool, device=device)
        self._previous: tuple[Tensor, Tensor] | None = None
        # the last tokens' joint features, token k at k modulo their number
        self._joints = torch.zeros(self.persons, span + 1, encoder.joints, config.width, device=device)
        self._seen = torch.zeros(self.persons, span + 1, encoder.joints, dtype=torch.bool, device=device)
        if model.paper:  # what lies before the recording is zeros that take part
            with torch.inference_mode():
                self._joints[:] = encoder.frame(torch.zeros(1, encoder.joints, encoder.coords, device=device))
            self._seen[:] = True
        self._clips = torch.zeros(self.persons, self.history, encoder.clip_width, device=device)
        self._in_clip = torch.zeros(self.persons, self.history, dtype=torch.bool, device=device)
        hidden = model.settings.hidden
        # projections of the newest token and clip, and whether a joint was seen in them
        self._token = torch.zeros(self.persons, hidden, device=device)
        self._in_token = torch.zeros(self.persons, dtype=torch.bool, device=device)
        self._context = torch.zeros(self.persons, hidden, device=device)
        self._in_context = torch.zeros(self.persons, dtype=torch.bool, device=device)
        self._head = model.head.memory()

    @torch.inference_mode()
    def __call__(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Scores (K + 1,) of the next frame, before softmax.

        Args:
            positions: (P, J, C), preprocessed and in the model's stream; valid: (P, J).
        """
        model = self.model
        if model.paper:
            missing = max(0, self.persons - len(positions))
            positions = torch.nn.functional.pad(positions[: self.persons], (0, 0, 0, 0, 0, missing))
            valid = torch.nn.functional.pad(valid[: self.persons], (0, 0, 0, missing))
        place = self.time % self._positions.shape[1]
        self._positions[:, place], self._valid[:, place] = positions, valid
        token = self.time // model.token_times.size
        if model.token_times.completed(self.time):
            self._complete_token(token)
        if model.clip_times.completed(self.time):
            self._complete_clip(token)
        in_frame = torch.ones_like(self._in_token) if model.paper else valid.any(-1)
        raw = torch.zeros_like(self._token)
        raw[in_frame] = model.input_proj(self._raw_features(positions, valid)[in_frame]).float()
        seen = (in_frame | self._in_token | self._in_context)[:, None].float()
        value = ((self._token + raw + self._context) * seen).sum(0) / seen.sum().clamp(min=1)
        scores = model.head.step(value, self._head, self.time)
        self.time += 1
        return scores

    def _raw_features(self, positions: Tensor, valid: Tensor) -> Tensor:
        """``DetectionModel.raw_features`` of this frame of each body."""
        before = self._previous if self._previous is not None else (positions, valid)
        self._previous = (positions, valid)
        two = [torch.stack(pair, dim=1) for pair in zip(before, self._previous, strict=True)]
        return self.model.raw_features(*two)[:, -1]

    def _complete_token(self, number: int) -> None:
        """Compute the joint features of the token of which the last frame is there now."""
        size = self._positions.shape[1]
        lengths = torch.full((self.persons,), size, device=self._valid.device)
        positions, valid, _ = tubelets(self._positions, self._valid, lengths, size)
        positions, valid = positions[:, 0], valid[:, 0]
        if self.model.paper:
            valid = torch.ones_like(valid)
        place = number % self._joints.shape[1]
        present = valid.any(-1)
        self._seen[:, place], self._in_token = valid, present
        self._token = torch.zeros_like(self._token)
        if bool(present.any()):
            own = valid[present]
            features = self.model.encoder.frame(positions[present], own)
            self._joints[present, place] = features.to(self._joints.dtype)
            self._token[present] = self.model.pose_proj((features * own[..., None]).flatten(1)).float()

    def _complete_clip(self, token: int) -> None:
        """Compute the features of the clip of which the last token is there now."""
        encoder = self.model.encoder
        places = (token + self._window) % self._joints.shape[1]
        valid = self._seen[:, places]  # (P, W, J)
        present = valid.flatten(1).any(1)
        if self.n_clips == self.history:  # the oldest is forgotten
            self._clips = self._clips.roll(-1, 1)
            self._in_clip = self._in_clip.roll(-1, 1)
        else:
            self.n_clips += 1
        newest = self.n_clips - 1
        self._in_clip[:, newest] = self._in_context = present
        self._context = torch.zeros_like(self._context)
        if not bool(present.any()):
            return
        joints = self._joints[present][:, places].flatten(0, 1)  # (k W, J, D)
        rows = torch.arange(len(joints), device=joints.device).view(-1, len(places))
        features = encoder.clip(joints, rows, valid[present])  # (k, 2D)
        self._clips[present, newest] = features
        if self.model.settings.context == "video":
            past, in_past = self._clips[present, : self.n_clips], self._in_clip[present, : self.n_clips]
            video = encoder.video.encode_last_clip(past, in_past)
            features = torch.cat([features, video.to(features.dtype)], dim=-1)
        self._context[present] = self.model.clip_proj(features).float()
