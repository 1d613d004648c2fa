"""A causal detector frame by frame: every frame costs the same, and nothing older than its history is kept.

The scores are those of ``DetectionModel.forward`` on the recording up to the frame. A frame goes through
F-TRS once; its joint features are kept for as long as a clip needs them. When a frame completes a clip, C-TRS
sees that clip and V-TRS the last ``history`` clips. The temporal head keeps what its layers look back on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hitrs.errors import ConfigError
from hitrs.tasks.detection.model import MOTION_SCALE, DetectionModel
from hitrs.transforms.windows import padding


class OnlineModel:
    """A detector and what it remembers of one recording.

    Args:
        model: trained with ``detect.causal``.
        persons: P, body slots.
    Raises:
        ConfigError: if the model looks ahead.
    """

    def __init__(self, model: DetectionModel, persons: int):
        if not model.settings.causal:
            raise ConfigError(
                "this detector looks at frames to come, so it cannot run online; train one that does not "
                "with `hitrs finetune STORE --task detection --detect.causal`"
            )
        encoder = model.encoder
        config = encoder.config
        self.model = model
        self.paper = config.mode == "paper"
        self.persons = model.card.persons if self.paper else persons
        self.pad = padding(config.window, config.dilation)
        self.history = min(model.settings.history, config.max_clips)
        self.time = 0  # frames so far
        self.clips = 0  # clips so far, at most the history
        self._before: tuple[Tensor, Tensor] | None = None  # the last frame
        device = next(model.parameters()).device
        self._window = torch.arange(config.window, device=device) * config.dilation - self.pad
        # the last frames' joint features, frame t at t modulo their number
        keep = 2 * self.pad + 1
        self._joints = torch.zeros(self.persons, keep, encoder.joints, config.width, device=device)
        self._seen = torch.zeros(self.persons, keep, encoder.joints, dtype=torch.bool, device=device)
        if self.paper:  # what lies before the recording is zeros that take part
            with torch.inference_mode():
                self._joints[:] = encoder.frame(torch.zeros(1, encoder.joints, encoder.coords, device=device))
            self._seen[:] = True
        self._clips = torch.zeros(self.persons, self.history, encoder.clip_width, device=device)
        self._in_clip = torch.zeros(self.persons, self.history, dtype=torch.bool, device=device)
        hidden = model.settings.hidden
        self._around = torch.zeros(self.persons, hidden, device=device)  # of the newest clip
        self._head = model.head.memory()

    @torch.inference_mode()
    def __call__(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Scores (K + 1,) of the next frame, before softmax.

        Args:
            positions: (P, J, C), preprocessed and in the model's stream; valid: (P, J).
        """
        pose, in_frame = self._pose(positions, valid)
        if self.time >= self.pad and (self.time - self.pad) % self.model.settings.stride == 0:
            self._complete(self.time - self.pad)
        seen = in_frame
        if self.clips:
            seen = in_frame | self._in_clip[:, self.clips - 1]
        seen = seen[:, None].float()
        value = ((pose + self._around) * seen).sum(0) / seen.sum().clamp(min=1)
        scores = self.model.head.step(value, self._head, self.time)
        self.time += 1
        return scores

    def _pose(self, positions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """What the frame level says of each body, (P, H), and where it was seen, (P,)."""
        if self.paper:
            missing = max(0, self.persons - len(positions))
            positions = torch.nn.functional.pad(positions[: self.persons], (0, 0, 0, 0, 0, missing))
            valid = torch.nn.functional.pad(valid[: self.persons], (0, 0, 0, missing))
        raw = self._raw(positions, valid)
        if self.paper:
            valid = torch.ones_like(valid)
        place = self.time % self._joints.shape[1]
        in_frame = valid.any(-1)
        self._seen[:, place] = valid
        described = torch.zeros_like(self._around)
        if bool(in_frame.any()):
            own = valid[in_frame]
            features = self.model.encoder.frame(positions[in_frame], own)
            self._joints[in_frame, place] = features.to(self._joints.dtype)
            of_pose = self.model.of_pose((features * own[..., None]).flatten(1)).float()
            described[in_frame] = of_pose + self.model.of_input(raw[in_frame]).float()
        return described, in_frame

    def _raw(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Positions and how they changed since the frame before, (P, 2 J C)."""
        before = self._before if self._before is not None else (positions, valid)
        self._before = (positions, valid)
        motion = (positions - before[0]).masked_fill(~(valid & before[1])[..., None], 0.0)
        return torch.cat([positions, MOTION_SCALE * motion], dim=-1).flatten(1)

    def _complete(self, center: int) -> None:
        """The clip centered on a frame is complete."""
        encoder = self.model.encoder
        places = (center + self._window) % self._joints.shape[1]
        valid = self._seen[:, places]  # (P, W, J)
        there = valid.flatten(1).any(1)
        if self.clips == self.history:  # the oldest is forgotten
            self._clips = self._clips.roll(-1, 1)
            self._in_clip = self._in_clip.roll(-1, 1)
        else:
            self.clips += 1
        newest = self.clips - 1
        self._in_clip[:, newest] = there
        self._around = torch.zeros_like(self._around)
        if not bool(there.any()):
            return
        joints = self._joints[there][:, places].flatten(0, 1)  # (k W, J, D)
        rows = torch.arange(len(joints), device=joints.device).view(-1, len(places))
        features = encoder.clip(joints, rows, valid[there])  # (k, 2D)
        self._clips[there, newest] = features
        if self.model.settings.context == "video":
            past, present = self._clips[there, : self.clips], self._in_clip[there, : self.clips]
            of_video = encoder.video.newest(past, present)
            features = torch.cat([features, of_video.to(features.dtype)], dim=-1)
        self._around[there] = self.model.of_clip(features).float()
