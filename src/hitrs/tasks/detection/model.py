"""Action detection: a class or background for every frame of an untrimmed recording.

Every level of the encoder has its say about a frame: F-TRS about the pose in it, C-TRS about the window round
it (the paper's way) and, with video context, V-TRS about the clips before and after. Their sum over levels,
averaged over bodies, goes through a small temporal head.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn

from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import Clips, Frames, HiTRS, take_rows
from hitrs.tasks.detection.head import TemporalHead
from hitrs.tasks.detection.segments import SegmentSettings
from hitrs.tasks.model import TaskModel
from hitrs.transforms.batch import Batch, Bodies, bodies
from hitrs.transforms.streams import take_stream
from hitrs.transforms.windows import padding, window_table

HISTORIES = 256
"""causal: so many clips look back at once."""

MOTION_SCALE = 10.0
"""Joints move some centimeters from frame to frame, and stand some decimeters from the center."""


@dataclass(frozen=True)
class HeadSettings:
    """Shape of a detector behind the encoder; stored with the model."""

    context: Literal["video", "window"]
    stride: int
    causal: bool
    hidden: int
    layers: int
    dropout: float = 0.2
    history: int = 50
    """causal: clips that the video level looks back on, the newest one included."""


class DetectionModel(TaskModel):
    """Encoder and a frame-wise head over K classes and background, which is the last."""

    task = "detection"

    def __init__(self, encoder: HiTRS, card: ModelCard):
        super().__init__()
        self.encoder, self.card = encoder, card
        self.settings = HeadSettings(**{f.name: card.head[f.name] for f in fields(HeadSettings)})
        width = encoder.clip_width + (encoder.video_width if self.settings.context == "video" else 0)
        # each level is normalized, then mapped to the head's width
        pose = encoder.joints * encoder.config.width
        self.of_pose = nn.Sequential(nn.LayerNorm(pose), nn.Linear(pose, self.settings.hidden))
        self.of_input = nn.Linear(2 * encoder.joints * encoder.coords, self.settings.hidden)
        self.of_clip = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, self.settings.hidden))
        self.head = TemporalHead(
            self.settings.hidden,
            len(card.classes) + 1,
            self.settings.layers if self.settings.context == "video" else 0,
            self.settings.causal,
            self.settings.dropout,
        )

    @property
    def segments(self) -> SegmentSettings:
        """How its frames become segments."""
        values = self.card.head["segments"]
        return SegmentSettings(**{**values, "threshold": tuple(values["threshold"])})

    def forward(self, batch: Batch) -> Tensor:
        """Preprocessed recordings (T frames, padded) -> scores (B, T, K + 1), before softmax."""
        found = self.bodies(batch)
        frames = self.encoder.encode_frames(found.positions, found.valid, found.lengths)
        pose, in_frame = self.poses(frames, found)
        clips = self.encoder.all_clips(frames, found.lengths, self.settings.stride)
        return self.scores(found, batch.lengths, pose, in_frame, clips)

    def scores(self, found: Bodies, lengths: Tensor, pose: Tensor, in_frame: Tensor, clips: Clips) -> Tensor:
        """Scores (B, T, K + 1) from what the levels say of each body.

        Args:
            lengths: frames of each recording, (B,).
            pose: from :meth:`poses`, (S, T, H), and where it was seen, (S, T).
        """
        length = found.positions.shape[1]
        clips = Clips(clips.features, self.all_slots(clips.slots, length))
        around, in_clip = self.spread(self.describe_clips(clips), clips.slots >= 0, length)
        seen = (in_frame | in_clip)[..., None].float()
        values = (pose + around) * seen  # (S, T, H)
        shape = (len(lengths), *values.shape[1:])
        total = values.new_zeros(shape).index_add(0, found.recording, values)
        count = values.new_zeros(*shape[:2], 1).index_add(0, found.recording, seen)
        inside = torch.arange(shape[1], device=total.device) < lengths[:, None]
        return self.head(total / count.clamp(min=1), inside)

    def all_slots(self, slots: Tensor, length: int) -> Tensor:
        """The slots of all windows of ``length`` frames: also of those at the end in which nobody is seen."""
        config = self.encoder.config
        count = len(window_table(length, config.window, self.settings.stride, config.dilation))
        return nn.functional.pad(slots, (0, count - slots.shape[1]), value=-1)

    def bodies(self, batch: Batch) -> Bodies:
        """The bodies of a batch in the model's stream, without those in which nothing is seen."""
        paper = self.encoder.config.mode == "paper"
        found = bodies(batch, self.card.persons if paper else None)
        positions, valid = take_stream(
            found.positions, found.valid, self.card.preprocessing.stream, self.card.layout
        )
        keep = valid.flatten(1).any(1) | paper  # a one-frame body has no motion, a lone joint no bone
        return Bodies(
            positions[keep], valid[keep], found.lengths[keep], found.recording[keep], found.person[keep]
        )

    def poses(self, frames: Frames, found: Bodies) -> tuple[Tensor, Tensor]:
        """What each frame shows, (S, T, H), 0 where nothing was seen; and where something was.

        The frame level's features, and past it positions and how they changed since the frame before.
        """
        described = self.of_pose((frames.features * frames.valid[..., None]).flatten(1)).float()  # (M, H)
        pad = padding(self.encoder.config.window, self.encoder.config.dilation)
        rows = frames.rows[:, pad : pad + found.positions.shape[1]]
        seen = rows >= 0
        motion, _ = take_stream(found.positions, found.valid, "motion", self.card.layout)
        raw = torch.cat([found.positions, MOTION_SCALE * motion], dim=-1).flatten(2)  # (S, T, 2JC)
        return (take_rows(described, rows) + self.of_input(raw).float()) * seen[..., None], seen

    def describe_clips(self, clips: Clips) -> Tensor:
        """What the clip and video levels say of each clip, (S, N, H)."""
        features = take_rows(clips.features, clips.slots)  # (S, N, 2D)
        if self.settings.context == "video":
            features = torch.cat([features, self.around(clips).to(features.dtype)], dim=-1)
        return self.of_clip(features).float()

    def around(self, clips: Clips) -> Tensor:
        """The video level's feature of each clip, (S, N, 4D); causal: from a bounded history that it ends."""
        if not self.settings.causal:
            found = self.encoder.encode_videos(clips.features, clips.slots, want_clips=True).clips
            assert found is not None
            return found
        count = clips.slots.shape[1]
        longest = min(self.settings.history, self.encoder.config.max_clips, count)
        every = torch.arange(count, device=clips.slots.device)
        parts = [self.up_to(clips, newest, longest) for newest in every.split(HISTORIES)]
        return torch.cat(parts, dim=1)

    def up_to(self, clips: Clips, newest: Tensor, longest: int) -> Tensor:
        """The video level's feature of clips (n,), each from the ``longest`` clips up to it, (S, n, 4D)."""
        first = (newest - longest + 1).clamp(min=0)
        place = first[:, None] + torch.arange(longest, device=first.device)  # (n, history), oldest first
        after = place > newest[:, None]
        past = clips.slots[:, place.clamp(max=clips.slots.shape[1] - 1)].masked_fill(after, -1)
        every = self.encoder.encode_videos(clips.features, past.flatten(0, 1), want_clips=True).clips
        assert every is not None
        last = (newest - first).repeat(len(clips.slots))
        found = every[torch.arange(len(every), device=last.device), last]
        return found.unflatten(0, (len(clips.slots), len(newest)))

    def spread(self, described: Tensor, present: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """From clips (S, N, H) to frames (S, T, H), 0 where no clip shows anything; and where one does.

        Clip n is centered on frame n * stride. Between two clips features change in a straight line; causal:
        a clip counts from the frame that completes it until the next one does.
        """
        stride, last = self.settings.stride, described.shape[1] - 1
        frame = torch.arange(length, device=described.device)
        if self.settings.causal:
            pad = padding(self.encoder.config.window, self.encoder.config.dilation)
            newest = torch.div(frame - pad, stride, rounding_mode="floor")
            at = newest.clamp(0, last)
            seen = present[:, at] & (newest >= 0)
            return described[:, at] * seen[..., None], seen
        low = (frame // stride).clamp(max=last)
        high = (low + 1).clamp(max=last)
        part = (frame - low * stride).clamp(max=stride) / stride  # behind the last clip its feature stays
        near, far = (1 - part) * present[:, low], part * present[:, high]
        weight = near + far
        values = near[..., None] * described[:, low] + far[..., None] * described[:, high]
        return values / weight.clamp(min=1e-6)[..., None], weight > 0
