"""Hi-TRS: the three levels joined, packed: only frames, clips and bodies that are there are computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from hitrs.errors import LayoutError
from hitrs.models.bundle import ModelCard, load_bundle, load_weights, save_bundle
from hitrs.models.clip import ClipEncoder
from hitrs.models.config import ModelConfig
from hitrs.models.frame import FrameEncoder
from hitrs.models.stretches import stretches
from hitrs.models.video import VideoEncoder
from hitrs.transforms.windows import batch_windows, padding

Recompute = Literal["none", "frames", "all"]
"""Levels that keep their layers' inputs only: none, F-TRS, or all three."""


@dataclass(frozen=True)
class Frames:
    """Packed joint features of a batch of sequences."""

    features: Tensor
    """(M, J, D), one row per encoded frame."""
    valid: Tensor
    """(M, J), True for joints that may be attended to."""
    rows: Tensor
    """(S, F) int64: the row of each padded frame of each sequence, -1 where it was not encoded."""
    blank: int | None = None
    """Row of a frame of zeros, if several frames are one and share it (paper mode, without dropout)."""


@dataclass(frozen=True)
class Clips:
    """Packed clip features of a batch of sequences."""

    features: Tensor
    """(K, 2D)."""
    slots: Tensor
    """(S, N) int64: the row of each sequence's n-th clip, -1 where it has none (padding, or nothing seen)."""


@dataclass(frozen=True)
class Videos:
    """Features of whole sequences."""

    video: Tensor
    """(S, 4D); of a recording longer than ``max_clips`` clips the mean over its stretches."""
    clips: Tensor | None
    """(S, N, 4D), or None if not asked for."""


class HiTRS(nn.Module):
    """The hierarchical encoder, F-TRS -> C-TRS -> V-TRS, for sequences of one body each.

    Args:
        config: sizes.
        joints: J, joints of the layout.
        coords: C, 3 or 2.
    """

    card: ModelCard

    def __init__(self, config: ModelConfig, joints: int, coords: int = 3):
        super().__init__()
        self.config, self.joints, self.coords = config, joints, coords
        self.frame = FrameEncoder(config, joints, coords)
        self.clip = ClipEncoder(config, joints)
        self.video = VideoEncoder(config)

    @classmethod
    def from_pretrained(cls, source: str | Path) -> HiTRS:
        """The encoder of a model directory, run folder or hub id, in eval mode; heads are left behind.

        Its ``card`` tells layout, preprocessing and, for a recognizer, classes.

        Raises:
            CheckpointError: if there is no readable model.
        """
        card, weights = load_bundle(source)
        encoder = cls(card.model, len(card.layout.joints), card.layout.dims)
        own = {k.removeprefix("encoder."): v for k, v in weights.items() if k.startswith("encoder.")}
        load_weights(encoder, own, source)
        encoder.card = card
        return encoder.eval()

    def save_pretrained(self, folder: str | Path, card: ModelCard) -> Path:
        """Write the encoder as a model directory."""
        return save_bundle(folder, card, {f"encoder.{k}": v for k, v in self.state_dict().items()})

    @property
    def video_width(self) -> int:
        return 4 * self.config.width

    @property
    def clip_width(self) -> int:
        return 2 * self.config.width

    def encode_frames(self, positions: Tensor, valid: Tensor, lengths: Tensor) -> Frames:
        """Joint features of every frame that is there.

        Args:
            positions: (S, T, J, C), sequences shorter than T padded at the end.
            valid: (S, T, J), True for joints that were seen.
            lengths: real frames of each sequence, (S,) int64.
        Raises:
            LayoutError: if J or C is not the model's.
        """
        count, _, joints, coords = positions.shape
        if (joints, coords) != (self.joints, self.coords):
            raise LayoutError(
                f"the model was made for {self.joints} joints with {self.coords} coordinates, the data has "
                f"{joints} joints with {coords}; map the data to the model's layout, or use a model of the "
                "data's layout"
            )
        pad = padding(self.config.window, self.config.dilation)
        positions = nn.functional.pad(positions, (0, 0, 0, 0, pad, pad))  # (S, F, J, C)
        valid = nn.functional.pad(valid, (0, 0, pad, pad))
        if self.config.mode == "paper":
            positions = positions.masked_fill(~valid[..., None], 0.0)  # zeros are ordinary input
            inside = torch.arange(positions.shape[1], device=positions.device) < lengths[:, None] + 2 * pad
            zero = ~valid.any(-1)
            valid = torch.ones_like(valid)
        else:
            inside = valid.any(-1)
            zero = torch.zeros_like(inside)
        rows = torch.full((count, positions.shape[1]), -1, dtype=torch.int64, device=positions.device)
        # padding and absent bodies are the same frame over and over; dropout makes them differ in training
        alike = zero[inside] & (not self.training)
        kept, places = once(alike)
        rows[inside] = places
        positions, valid = positions[inside][kept], valid[inside][kept]
        blank = int(places[alike][0]) if bool(alike.any()) else None
        return Frames(self.frame(positions, valid), valid, rows, blank)

    def encode_clips(
        self, frames: Frames, sequences: Tensor, windows: Tensor, swap: Tensor | None = None
    ) -> Tensor:
        """Features of given windows.

        Args:
            frames: from :meth:`encode_frames`.
            sequences: the sequence of each window, (K,) int64.
            windows: padded frame indices, (K, W) int64; every window needs at least one encoded frame.
            swap: (K, W) int64, a permutation of each window's places, applied before the position codes
                (clip-order task); None keeps the order.
        Returns:
            (K, 2D).
        """
        if not len(windows):
            return frames.features.new_zeros(0, self.clip_width)
        rows = frames.rows[sequences[:, None], windows]  # (K, W)
        if swap is not None:
            rows = rows.gather(1, swap)
        if frames.blank is None:
            return self._encode_clips(frames, rows)
        kept, places = once((rows == frames.blank).all(1))
        return self._encode_clips(frames, rows[kept]).index_select(0, places)

    def _encode_clips(self, frames: Frames, rows: Tensor) -> Tensor:
        taken = rows.clamp(min=0)
        valid = (rows >= 0)[..., None] & frames.valid[taken]  # (K, W, J)
        return self.clip(frames.features, taken, valid)

    def windows(
        self, frames: Frames, lengths: Tensor, stride: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """All windows in which something was seen: (sequences (K,), windows (K, W), places n (K,))."""
        config = self.config
        table, counts = batch_windows(lengths, config.window, stride or config.stride, config.dilation)
        sequences = torch.repeat_interleave(counts)
        starts = counts.cumsum(0) - counts
        places = torch.arange(len(table), device=table.device) - starts[sequences]
        seen = (frames.rows[sequences[:, None], table] >= 0).any(1)
        return sequences[seen], table[seen], places[seen]

    def all_clips(self, frames: Frames, lengths: Tensor, stride: int | None = None) -> Clips:
        """Clip features of every window of every sequence."""
        sequences, table, places = self.windows(frames, lengths, stride)
        return Clips(self.encode_clips(frames, sequences, table), slot_table(sequences, places, len(lengths)))

    def encode_videos(self, features: Tensor, slots: Tensor, want_clips: bool = False) -> Videos:
        """Video features from clip features, in overlapping stretches where there are over ``max_clips``.

        Args:
            features: packed clip features, (K, 2D).
            slots: (S, N) rows of ``features``, -1 where a sequence has no clip.
        """
        if slots.shape[1] > self.config.max_clips:
            return self._stretched(features, slots, want_clips)
        video, clips = self.video(take_rows(features, slots), slots >= 0, want_clips)
        return Videos(video, clips)

    def _stretched(self, features: Tensor, slots: Tensor, want_clips: bool) -> Videos:
        # sequences of one batch may differ in length, so each is cut by its own number of clips
        videos, clip_rows = [], []
        longest = slots.shape[1]
        for row in slots:
            used = (row >= 0).nonzero()
            count = int(used[-1]) + 1 if len(used) else 1
            own = stretches(count, self.config.max_clips)
            views = torch.stack([row[s.start : s.stop] for s in own])
            kept = (views >= 0).any(1)  # a stretch in which the body was never seen has nothing to say
            video, clips = self.video(take_rows(features, views), views >= 0, want_clips)
            weight = kept.to(video.dtype) if bool(kept.any()) else torch.ones_like(kept, dtype=video.dtype)
            videos.append((video * weight[:, None]).sum(0) / weight.sum())
            if clips is not None:
                parts = [
                    c[s.keep_start - s.start : s.keep_stop - s.start] for c, s in zip(clips, own, strict=True)
                ]
                clip_rows.append(nn.functional.pad(torch.cat(parts), (0, 0, 0, longest - count)))
        return Videos(torch.stack(videos), torch.stack(clip_rows) if want_clips else None)

    def forward(self, positions: Tensor, valid: Tensor, lengths: Tensor, want_clips: bool = False) -> Videos:
        """Encode sequences: positions (S, T, J, C), valid (S, T, J), lengths (S,) -> video features (S, 4D).

        In the default mode every sequence needs at least one seen joint; leave absent bodies out.
        """
        frames = self.encode_frames(positions, valid, lengths)
        clips = self.all_clips(frames, lengths)
        return self.encode_videos(clips.features, clips.slots, want_clips)


def set_recompute(module: nn.Module, levels: Recompute) -> None:
    """Which levels of the encoders in a module compute their layers again in the backward pass."""
    for part in module.modules():
        if isinstance(part, HiTRS):
            part.frame.stack.recompute = levels != "none"
            part.clip.stack.recompute = part.video.stack.recompute = levels == "all"


def once(alike: Tensor) -> tuple[Tensor, Tensor]:
    """What to compute where the items in ``alike`` (M,) bool are all the same: the others and one of them.

    Returns:
        (M,) bool, the items that are kept; (M,) int64, the place of each item, or its likeness, among them.
    """
    first = alike.nonzero()[:1, 0]
    kept = ~alike
    kept[first] = True
    places = kept.cumsum(0) - 1
    places[alike] = places[first]
    return kept, places


def slot_table(sequences: Tensor, places: Tensor, count: int) -> Tensor:
    """(S, N) table of packed rows: entry [s, n] is the row of sequence s's n-th clip, -1 for none."""
    longest = int(places.max()) + 1 if len(places) else 1
    slots = torch.full((count, longest), -1, dtype=torch.int64, device=sequences.device)
    slots[sequences, places] = torch.arange(len(sequences), device=sequences.device)
    return slots


def take_rows(features: Tensor, slots: Tensor) -> Tensor:
    """Rows (S, N, D) of packed features (K, D); any row, or zeros if there is none, where the slot is -1.

    The backward pass can be repeated bit by bit (see ``ClipEncoder``).
    """
    if not len(features):  # nothing was seen at the frames that the clips look at
        return features.new_zeros(*slots.shape, features.shape[1])
    return features.index_select(0, slots.clamp(min=0).flatten()).unflatten(0, slots.shape)
