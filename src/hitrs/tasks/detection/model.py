"""Action detection: a class or background for every frame of an untrimmed recording.

A frame's feature is the sum of one projection for each level of the encoder: F-TRS (the pose in the frame),
C-TRS (the window round it, as in the paper) and, with video context, V-TRS (the clips before and after). It
is averaged over bodies and goes through a small temporal convolution network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models.card import ModelCard
from hitrs.models.encoder import Clips, Frames, HiTRS, unpack
from hitrs.schema import read_settings
from hitrs.tasks.base import TaskModel, check_every_frame
from hitrs.tasks.detection.config import DetectionHeadConfig
from hitrs.tasks.detection.segments import SegmentSettings
from hitrs.transforms.batch import MOTION_SCALE, Batch, Bodies, stream_bodies, take_stream
from hitrs.transforms.windows import window_table

KERNEL = 3
"""Frames that a temporal layer of the head joins."""

HISTORIES = 256
"""causal: so many clips at a time get the video level's feature, each from a history of its own."""


class TemporalHead(nn.Module):
    """Dilated convolutions over time; layer k looks 2^k frames back and, unless causal, ahead.

    Args:
        width: H of the features.
        classes: scores, background included.
        layers: dilated layers; 0: every frame for itself.
        causal: look back only.
        dropout: in every layer.
    """

    def __init__(self, width: int, classes: int, layers: int, causal: bool, dropout: float):
        super().__init__()
        self.causal = causal
        self.norm = nn.LayerNorm(width)
        self.mixers = nn.ModuleList(
            nn.Conv1d(width, width, KERNEL, dilation=2**depth) for depth in range(layers)
        )
        self.maps = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, classes)

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        """(B, T, H) -> (B, T, classes); ``inside`` (B, T): True for frames of the recording, not padding."""
        inside = inside[..., None].to(x.dtype)
        x = F.gelu(self.norm(x)) * inside
        for depth, (mixer, linear) in enumerate(zip(self.mixers, self.maps, strict=True)):
            span = (KERNEL - 1) * 2**depth
            sides = (span, 0) if self.causal else (span // 2, span // 2)
            mixed = mixer(F.pad(x.transpose(1, 2), sides)).transpose(1, 2)
            x = (x + self.dropout(linear(F.gelu(mixed)))) * inside
        return self.out(x)

    def memory(self) -> list[Tensor]:
        """The memory of :meth:`step` before the first frame: for each layer the inputs it looks back on."""
        width = self.out.in_features
        return [
            self.out.weight.new_zeros((KERNEL - 1) * 2**depth, width) for depth in range(len(self.mixers))
        ]

    def step(self, x: Tensor, memory: list[Tensor], time: int) -> Tensor:
        """Frame ``time`` of a recording, (H,) -> (classes,), as ``forward`` of a causal head on all frames.

        Args:
            memory: from :meth:`memory`; changed in place. Frame t stands at t modulo the length.
        """
        x = F.gelu(self.norm(x))
        for mixer, linear, past in zip(self.mixers, self.maps, memory, strict=True):
            assert isinstance(mixer, nn.Conv1d)
            span, oldest = len(past), time % len(past)
            taps = torch.stack([past[oldest], past[(time + span // 2) % span], x], dim=1)  # (H, 3)
            past[oldest] = x
            mixed = F.linear(taps.flatten(), mixer.weight.flatten(1), mixer.bias)
            x = x + self.dropout(linear(F.gelu(mixed)))
        return self.out(x)


class DetectionModel(TaskModel):
    """Encoder and a frame-wise head over K classes and background, which is the last.

    >>> model = DetectionModel.from_pretrained("runs/detector")
    >>> model(dataset.batch([0])).softmax(-1).shape  # B, T, K + 1
    torch.Size([1, 412, 52])
    """

    task = "detection"

    def __init__(self, encoder: HiTRS, card: ModelCard):
        super().__init__()
        check_every_frame(card)
        self.encoder, self.card = encoder, card
        self.settings = read_settings(DetectionHeadConfig, card.head, "head")
        width = encoder.clip_width + (encoder.video_width if self.settings.context == "video" else 0)
        # the features of each level are normalized, then projected to the head's width
        pose = encoder.joints * encoder.config.width
        self.pose_proj = nn.Sequential(nn.LayerNorm(pose), nn.Linear(pose, self.settings.hidden))
        self.input_proj = nn.Linear(2 * encoder.joints * encoder.coords, self.settings.hidden)
        self.clip_proj = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, self.settings.hidden))
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
        return read_settings(
            SegmentSettings, self.card.postprocessing.get("segments", {}), "postprocessing.segments"
        )

    def forward(self, batch: Batch) -> Tensor:
        """Preprocessed recordings (T frames, padded) -> scores (B, T, K + 1), before softmax."""
        present = self.bodies(batch)
        frames = self.encoder.encode_frames(present.positions, present.valid, present.lengths)
        poses, in_frame = self.pose_features(frames, present)
        clips = self.encoder.encode_all_clips(frames, present.lengths, self.settings.stride)
        return self.scores(present, batch.lengths, poses, in_frame, clips)

    def scores(
        self, present: Bodies, lengths: Tensor, poses: Tensor, in_frame: Tensor, clips: Clips
    ) -> Tensor:
        """Scores (B, T, K + 1) from the features of each body.

        Args:
            present: S bodies of T frames.
            lengths: frames of each recording, (B,).
            poses: from :meth:`pose_features`, (S, T, H), and where a joint was seen, ``in_frame`` (S, T).
        """
        length = present.positions.shape[1]
        clips = Clips(clips.features, self.all_slots(clips.slots, length))
        context, in_clip = self.clips_to_frames(self.clip_features(clips), clips.slots >= 0, length)
        seen = (in_frame | in_clip)[..., None].float()
        values = (poses + context) * seen  # (S, T, H)
        shape = (len(lengths), *values.shape[1:])
        total = values.new_zeros(shape).index_add(0, present.recording, values)
        count = values.new_zeros(*shape[:2], 1).index_add(0, present.recording, seen)
        inside = torch.arange(shape[1], device=total.device) < lengths[:, None]
        return self.head(total / count.clamp(min=1), inside)

    def all_slots(self, slots: Tensor, length: int) -> Tensor:
        """The slots of all windows of ``length`` frames: also of those at the end in which nobody is seen."""
        config = self.encoder.config
        sizes = config.window, self.settings.stride, config.dilation, config.padding
        return F.pad(slots, (0, len(window_table(length, *sizes)) - slots.shape[1]), value=-1)

    def bodies(self, batch: Batch) -> Bodies:
        """The bodies of a batch in the model's stream, without those in which nothing is seen."""
        slots = self.card.persons if self.encoder.config.mode == "paper" else None
        return stream_bodies(batch, self.card.preprocessing, self.card.layout, slots)

    def pose_features(self, frames: Frames, present: Bodies) -> tuple[Tensor, Tensor]:
        """Feature of the pose in each frame, (S, T, H), 0 where no joint was seen; and where one was, (S, T).

        It is the sum of two projections: of the frame level's features, and of positions with their change
        since the frame before.
        """
        projected = self.pose_proj((frames.features * frames.valid[..., None]).flatten(1)).float()  # (M, H)
        pad = self.encoder.config.padding
        rows = frames.rows[:, pad : pad + present.positions.shape[1]]
        seen = rows >= 0
        motion, _ = take_stream(present.positions, present.valid, "motion", self.card.layout)
        raw = torch.cat([present.positions, MOTION_SCALE * motion], dim=-1).flatten(2)  # (S, T, 2JC)
        return (unpack(projected, rows) + self.input_proj(raw).float()) * seen[..., None], seen

    def clip_features(self, clips: Clips) -> Tensor:
        """Projection of the clip and video levels' features of each clip, (S, N, H)."""
        features = unpack(clips.features, clips.slots)  # (S, N, 2D)
        if self.settings.context == "video":
            features = torch.cat([features, self.video_features(clips).to(features.dtype)], dim=-1)
        return self.clip_proj(features).float()

    def video_features(self, clips: Clips) -> Tensor:
        """The video level's feature of each clip, (S, N, 4D); causal: from a bounded history that it ends."""
        if not self.settings.causal:
            per_clip = self.encoder.encode_videos(clips.features, clips.slots, want_clips=True).clips
            assert per_clip is not None
            return per_clip
        count = clips.slots.shape[1]
        longest = min(self.settings.history, self.encoder.config.max_clips, count)
        numbers = torch.arange(count, device=clips.slots.device)
        parts = [self._causal_features(clips, newest, longest) for newest in numbers.split(HISTORIES)]
        return torch.cat(parts, dim=1)

    def _causal_features(self, clips: Clips, newest: Tensor, longest: int) -> Tensor:
        """The video level's feature of clips (n,), each from the ``longest`` clips up to it, (S, n, 4D)."""
        first = (newest - longest + 1).clamp(min=0)
        history = first[:, None] + torch.arange(longest, device=first.device)  # (n, longest), oldest first
        after = history > newest[:, None]
        slots = clips.slots[:, history.clamp(max=clips.slots.shape[1] - 1)].masked_fill(after, -1)
        per_clip = self.encoder.encode_videos(clips.features, slots.flatten(0, 1), want_clips=True).clips
        assert per_clip is not None
        last = (newest - first).repeat(len(clips.slots))
        features = per_clip[torch.arange(len(per_clip), device=last.device), last]
        return features.unflatten(0, (len(clips.slots), len(newest)))

    def clips_to_frames(self, features: Tensor, present: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Features of clips (S, N, H) to frames (S, T, H), 0 where no clip shows a joint; and where one does.

        Clip n is centered on frame n * stride. Between two clips features are interpolated linearly;
        causal: a clip counts from the frame that completes it until the next one does.

        Args:
            present: (S, N) bool, clips in which a joint was seen.
        """
        stride, last = self.settings.stride, features.shape[1] - 1
        frame = torch.arange(length, device=features.device)
        if self.settings.causal:
            pad = self.encoder.config.padding
            newest = torch.div(frame - pad, stride, rounding_mode="floor")
            clip = newest.clamp(0, last)
            seen = present[:, clip] & (newest >= 0)
            return features[:, clip] * seen[..., None], seen
        low = (frame // stride).clamp(max=last)
        high = (low + 1).clamp(max=last)
        part = (frame - low * stride).clamp(max=stride) / stride  # behind the last clip its feature stays
        near, far = (1 - part) * present[:, low], part * present[:, high]
        weight = near + far
        values = near[..., None] * features[:, low] + far[..., None] * features[:, high]
        return values / weight.clamp(min=1e-6)[..., None], weight > 0
