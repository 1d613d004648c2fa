"""Action detection: a class or background for every frame of an untrimmed recording.

A frame's feature is the sum of one projection for each level of the encoder: F-TRS (the pose in the frame),
C-TRS (the window round it, as in the paper) and, with video context, V-TRS (the clips before and after). It
is averaged over bodies and goes through a small temporal convolution network.

Where a token is several frames of a joint (``preprocessing.tubelet``), the encoder goes through tokens, whose
features are brought to frames; positions and the head stay at the rate of the frames.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models.card import ModelCard
from hitrs.models.encoder import Clips, Frames, HiTRS, unpack
from hitrs.schema import read_settings
from hitrs.tasks.base import TaskModel, check_every_frame
from hitrs.tasks.detection.config import DetectionHeadConfig
from hitrs.tasks.detection.segments import SegmentSettings, segment_settings
from hitrs.tasks.detection.timing import Timing
from hitrs.transforms.batch import MOTION_SCALE, Batch, Bodies, stream_bodies, take_stream, tubelets
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
        check_every_frame(card, tubelets=True)
        self.encoder, self.card = encoder, card
        self.settings = read_settings(DetectionHeadConfig, card.head, "head")
        size, config = card.preprocessing.tubelet, encoder.config
        self.token_times = Timing(0, size, size)
        self.clip_times = Timing(
            -config.padding * size,
            self.settings.stride * size,
            ((config.window - 1) * config.dilation + 1) * size,
        )
        width = encoder.clip_width + (encoder.video_width if self.settings.context == "video" else 0)
        # the features of each level are normalized, then projected to the head's width
        pose = encoder.joints * encoder.config.width
        self.pose_proj = nn.Sequential(nn.LayerNorm(pose), nn.Linear(pose, self.settings.hidden))
        # a fused stream holds the change already; in a token of one frame it counts among the positions
        self.adds_change = card.preprocessing.stream != "fused" or size == 1
        inputs = (2 if self.adds_change else 1) * encoder.joints * encoder.coords // size
        self.input_proj = nn.Linear(inputs, self.settings.hidden)
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
        return segment_settings(self.card)

    @property
    def paper(self) -> bool:
        """Whether absent bodies and unseen joints are zeros that take part."""
        return self.encoder.config.mode == "paper"

    def forward(self, batch: Batch) -> Tensor:
        """Preprocessed recordings (T frames, padded) -> scores (B, T, K + 1), before softmax."""
        present = self.bodies(batch)
        tokens = self.tokens(present)
        frames = self.encoder.encode_frames(tokens.positions, tokens.valid, tokens.lengths)
        poses, in_frame = self.pose_features(frames, present)
        clips = self.encoder.encode_all_clips(frames, tokens.lengths, self.settings.stride)
        return self.scores(present, batch.lengths, poses, in_frame, clips)

    def scores(
        self, present: Bodies, lengths: Tensor, poses: Tensor, in_frame: Tensor, clips: Clips
    ) -> Tensor:
        """Scores (B, T, K + 1) from the features of each body.

        Args:
            present: S bodies of T frames.
            lengths: frames of each recording, (B,).
            poses: from :meth:`pose_features`, (S, T, H), and where there is one, ``in_frame`` (S, T).
        """
        length = present.positions.shape[1]
        counts = [self.clip_count(frames) for frames in present.lengths.tolist()]
        slots = F.pad(clips.slots, (0, self.clip_count(length) - clips.slots.shape[1]), value=-1)
        context, in_clip = self.to_frames(
            self.clip_times,
            self.clip_features(Clips(clips.features, slots)),
            slots >= 0,
            torch.tensor(counts, dtype=torch.int64, device=slots.device),
            length,
        )
        seen = (in_frame | in_clip)[..., None].float()
        values = (poses + context) * seen  # (S, T, H)
        shape = (len(lengths), *values.shape[1:])
        total = values.new_zeros(shape).index_add(0, present.recording, values)
        count = values.new_zeros(*shape[:2], 1).index_add(0, present.recording, seen)
        inside = torch.arange(shape[1], device=total.device) < lengths[:, None]
        return self.head(total / count.clamp(min=1), inside)

    def clip_count(self, frames: int) -> int:
        """Clips of a recording of so many frames, also those at the end in which nobody is seen."""
        config, tokens = self.encoder.config, -(-frames // self.token_times.size)
        sizes = config.window, self.settings.stride, config.dilation, config.padding
        return len(window_table(tokens, *sizes))

    def bodies(self, batch: Batch) -> Bodies:
        """The bodies of a batch in the model's stream, frame by frame, without those of which nothing is
        seen."""
        settings = replace(self.card.preprocessing, tubelet=1)
        return stream_bodies(batch, settings, self.card.layout, self.card.persons if self.paper else None)

    def tokens(self, present: Bodies) -> Bodies:
        """The same bodies as the encoder takes them."""
        size = self.token_times.size
        positions, valid, lengths = tubelets(present.positions, present.valid, present.lengths, size)
        return Bodies(positions, valid, lengths, present.recording, present.person)

    def pose_features(self, frames: Frames, present: Bodies) -> tuple[Tensor, Tensor]:
        """Feature of the pose in each frame, (S, T, H), 0 where there is none; where there is one, (S, T).

        It is the sum of two projections: of the frame level's features, brought from tokens to frames, and of
        :meth:`raw_features`.
        """
        projected = self.pose_proj((frames.features * frames.valid[..., None]).flatten(1)).float()  # (M, H)
        length, size = present.positions.shape[1], self.token_times.size
        pad, counts = self.encoder.config.padding, (present.lengths + size - 1) // size
        rows = frames.rows[:, pad : pad - (-length // size)]  # (S, tokens)
        # in the paper's mode there are rows behind the end, too
        there = (rows >= 0) & (torch.arange(rows.shape[1], device=rows.device) < counts[:, None])
        return self.add_raw(unpack(projected, rows), there, counts, present.positions, present.valid)

    def add_raw(
        self, features: Tensor, there: Tensor, counts: Tensor, positions: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """:meth:`pose_features` from the projection of the frame level's features.

        Args:
            features: of each token, (S, N, H); there: where there is one, (S, N); counts: tokens, (S,).
            positions: (S, T, J, C), in the model's stream; valid: (S, T, J).
        """
        poses, in_token = self.to_frames(self.token_times, features, there, counts, positions.shape[1])
        in_frame = torch.ones_like(in_token) if self.paper else valid.any(-1)
        raw = self.input_proj(self.raw_features(positions, valid)).float()
        return poses + raw * in_frame[..., None], in_frame | in_token

    def raw_features(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Positions and how they changed since the frame before, frame by frame.

        Args:
            positions: (S, T, J, C), in the model's stream; valid: (S, T, J).
        Returns:
            (S, T, 2 J C), or of fused tubelets, whose channels hold the change, (S, T, J C).
        """
        if not self.adds_change:
            return positions.flatten(2)
        motion, _ = take_stream(positions, valid, "motion", self.card.layout)
        return torch.cat([positions, MOTION_SCALE * motion], dim=-1).flatten(2)

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

    def to_frames(
        self, timing: Timing, features: Tensor, present: Tensor, counts: Tensor, length: int
    ) -> tuple[Tensor, Tensor]:
        """Features of tokens or clips (S, N, H) at frames (S, T, H), and where there is one (S, T).

        Causal: the newest that is complete; else interpolated between centers. See :class:`Timing`.
        """
        if self.settings.causal:
            return timing.held(features, present, length)
        return timing.interpolated(features, present, counts, length)
