"""Hi-TRS, in reading order: position embeddings, F-TRS (frames), C-TRS (clips), V-TRS (videos), the encoder.

Everything is packed: only frames, clips and bodies that are there are computed. A recording with more clips
than V-TRS sees at once is cut into overlapping chunks.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from hitrs.errors import CheckpointError, LayoutError
from hitrs.models.card import ModelCard
from hitrs.models.config import CheckpointedLevels, ModelConfig
from hitrs.models.layers import TransformerStack, key_bias, with_last_token
from hitrs.models.pretrained import load_pretrained, load_weights, save_pretrained
from hitrs.skeleton.descriptors import joint_descriptors
from hitrs.skeleton.layout import Layout, get_layout
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.windows import batch_windows


def sinusoidal_embedding(count: int, width: int) -> Tensor:
    """Sinusoidal position embeddings, (count, width): the initial values, which training changes."""
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10000.0) / width))
    angle = torch.arange(count, dtype=torch.float64)[:, None] * rate
    embedding = torch.zeros(count, width, dtype=torch.float64)
    embedding[:, 0::2] = angle.sin()
    embedding[:, 1::2] = angle.cos()
    return embedding.float()


def sinusoidal_embedding_2d(frames: int, joints: int, width: int) -> Tensor:
    """The same for two axes, (frames, joints, width): joint in the first half of the channels, then frame."""
    half = width // 2
    joint = sinusoidal_embedding(joints, half)[None].expand(frames, -1, -1)
    frame = sinusoidal_embedding(frames, half)[:, None].expand(-1, joints, -1)
    return torch.cat([joint, frame], dim=-1).contiguous()


class JointEmbedding(nn.Module):
    """What joints are to embeddings of them, (J, width), for any layout: no part of Hi-TRS."""

    descriptors: Tensor

    def __init__(self, descriptors: Tensor, width: int):
        super().__init__()
        self.register_buffer("descriptors", descriptors, persistent=False)
        self.map = nn.Sequential(nn.Linear(descriptors.shape[1], width), nn.GELU(), nn.Linear(width, width))
        self.norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self) -> Tensor:
        return self.norm(self.map(self.descriptors))


class FrameEncoder(nn.Module):
    """Joint coordinates to joint features (Hi-TRS): width D, one position embedding per joint."""

    def __init__(self, config: ModelConfig, joints: int, coords: int, descriptors: Tensor | None):
        super().__init__()
        width = config.width
        self.embed = nn.Sequential(nn.Linear(coords, width), nn.GELU(), nn.LayerNorm(width, eps=1e-5))
        self.joint_embed = None if descriptors is None else JointEmbedding(descriptors, width)
        if descriptors is None:
            self.pos_embed = nn.Parameter(sinusoidal_embedding(joints, width))
        self.stack = TransformerStack(
            config.layers, width, width, config.heads, config.head_width, config.dropout
        )

    def forward(self, positions: Tensor, valid: Tensor | None = None) -> Tensor:
        """Features of packed frames.

        Args:
            positions: (M, J, C), any coordinates where ``valid`` is False.
            valid: (M, J), True for joints that were seen, at least one per frame; None if all are.
        Returns:
            (M, J, D); rows of joints that are not valid hold no meaning.
        """
        bias = None
        if valid is not None and not bool(valid.all()):
            # whatever stands there must not even overflow
            positions = positions.masked_fill(~valid[..., None], 0.0)
            bias = key_bias(valid)
        x = self.embed(positions)
        return self.stack(x + self.position_embedding().to(x.dtype), bias)

    def position_embedding(self) -> Tensor:
        """(J, D)."""
        return self.pos_embed if self.joint_embed is None else self.joint_embed()


def clip_mask(window: int, joints: int) -> Tensor:
    """Attention bias of the clip level, (W J + 1, W J + 1).

    A joint attends to itself, to every joint of the other frames and to the fusion token, not to the other
    joints of its own frame: the clip level adds time, not space again. The fusion token, last, sees all.
    """
    frame = torch.arange(window).repeat_interleave(joints)
    hidden = (frame[:, None] == frame[None, :]) & ~torch.eye(window * joints, dtype=torch.bool)
    hidden = nn.functional.pad(hidden, (0, 1, 0, 1))
    return torch.zeros(hidden.shape).masked_fill(hidden, -math.inf)


@lru_cache(maxsize=64)
def clip_bias(window: int, joints: int, device: torch.device) -> Tensor:
    """:func:`clip_mask`, shared, not to be changed."""
    with torch.inference_mode(False):  # it is kept, and what inference mode makes cannot be trained with
        return clip_mask(window, joints).to(device)


class ClipEncoder(nn.Module):
    """Joint features of a clip's frames to one clip feature (Hi-TRS): width 2 D."""

    def __init__(self, config: ModelConfig, joints: int, descriptors: Tensor | None):
        super().__init__()
        width = 2 * config.width
        self.embed = nn.Linear(config.width, width)
        self.joint_embed = None if descriptors is None else JointEmbedding(descriptors, width)
        if descriptors is None:
            self.pos_embed = nn.Parameter(sinusoidal_embedding_2d(config.window, joints, width))
        else:
            self.frame_embed = nn.Parameter(sinusoidal_embedding(config.window, width))
        self.fusion_token = nn.Parameter(torch.rand(width))
        self.stack = TransformerStack(
            config.layers, width, config.width, config.heads, config.head_width, config.dropout
        )

    def forward(self, features: Tensor, frames: Tensor, valid: Tensor) -> Tensor:
        """Clip features from packed joint features.

        Clips of the same number of real frames are encoded together, without the places that hold none.

        Args:
            features: of the frame level, (M, J, D); each frame is embedded once, however many clips it is in.
            frames: rows of ``features`` that make up each clip, (K, W) int64.
            valid: (K, W, J), True for tokens that may be attended to; at least one per clip.
        Returns:
            (K, 2D).
        """
        embedded = self.embed(features)  # (M, J, 2D)
        real = valid.any(-1)  # (K, W)
        counts = real.sum(1)
        encoded, clips = [], []
        for count in counts.unique().tolist():
            alike = (counts == count).nonzero()[:, 0]
            places = real[alike].nonzero()[:, 1].view(-1, count)  # the real places of each clip, in order
            encoded.append(
                self._encode(embedded, frames[alike].gather(1, places), valid[alike[:, None], places], places)
            )
            clips.append(alike)
        in_order = torch.cat(clips).argsort()
        return torch.cat(encoded).index_select(0, in_order)

    def _encode(self, embedded: Tensor, frames: Tensor, valid: Tensor, places: Tensor) -> Tensor:
        """Clips of w frames each at ``places`` of the window: frames and places (k, w), valid (k, w, J)."""
        # index_select, not indexing: its backward sums in a fixed order, so a run can be repeated bit by bit
        x = embedded.index_select(0, frames.flatten()).unflatten(0, frames.shape)  # (k, w, J, 2D)
        pos_embed = self.position_embedding().to(x.dtype)
        if places.shape[1] < len(pos_embed):
            pos_embed = pos_embed.index_select(0, places.flatten()).unflatten(0, places.shape)
        x = with_last_token((x + pos_embed).flatten(1, 2), self.fusion_token)  # (k, wJ+1, 2D)
        bias = clip_bias(frames.shape[1], valid.shape[2], x.device)
        if not bool(valid.all()):
            hidden = torch.zeros(valid.shape, device=x.device).masked_fill_(~valid, -math.inf).flatten(1)
            hidden = nn.functional.pad(hidden, (0, 1))  # the fusion token is never hidden
            bias = (bias.to(x.dtype) + hidden.to(x.dtype)[:, None, :])[:, None]  # (k, 1, wJ+1, wJ+1)
        return self.stack(x, bias, last_only=True)[:, 0]

    def position_embedding(self) -> Tensor:
        """(W, J, 2D)."""
        if self.joint_embed is None:
            return self.pos_embed
        return self.frame_embed[:, None] + self.joint_embed()


class VideoEncoder(nn.Module):
    """Clip features of a video to one video feature (Hi-TRS): width 4 D, one position embedding per clip."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        width = 4 * config.width
        self.embed = nn.Linear(2 * config.width, width)
        self.pos_embed = nn.Parameter(sinusoidal_embedding(config.max_clips, width))
        self.fusion_token = nn.Parameter(torch.rand(width))
        self.stack = TransformerStack(
            config.layers, width, 2 * config.width, config.heads, config.head_width, config.dropout
        )

    def forward(self, clips: Tensor, valid: Tensor, want_clips: bool = False) -> tuple[Tensor, Tensor | None]:
        """Video features.

        Args:
            clips: (R, N, 2D) with N at most ``max_clips``.
            valid: (R, N), True for real clips.
            want_clips: also return a feature per clip; else the last layer computes the fusion token alone.
        Returns:
            video: (R, 4D); clips: (R, N, 4D) or None.
        """
        x = self.embed(clips)
        x = x + self.pos_embed[: clips.shape[1]].to(x.dtype)
        x = with_last_token(x, self.fusion_token)  # (R, N+1, 4D)
        bias = None if bool(valid.all()) else key_bias(nn.functional.pad(valid, (0, 1), value=True))
        x = self.stack(x, bias, last_only=not want_clips)
        return x[:, -1], (x[:, :-1] if want_clips else None)

    def encode_last_clip(self, clips: Tensor, valid: Tensor) -> Tensor:
        """The feature of the last clip alone, (R, 4D): ``forward(clips, valid, want_clips=True)[1][:, -1]``.

        The order of tokens means nothing to attention, so this clip stands last, behind the fusion token, and
        the last layer computes it alone.
        """
        x = self.embed(clips)
        x = x + self.pos_embed[: clips.shape[1]].to(x.dtype)
        x = torch.cat([with_last_token(x[:, :-1], self.fusion_token), x[:, -1:]], dim=1)
        seen = torch.cat([nn.functional.pad(valid[:, :-1], (0, 1), value=True), valid[:, -1:]], dim=1)
        return self.stack(x, None if bool(valid.all()) else key_bias(seen), last_only=True)[:, 0]


@dataclass(frozen=True)
class Chunk:
    """Clips [start, stop) of a long recording, which V-TRS sees together; of [keep_start, keep_stop) the
    features that it gives are kept."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


def overlapping_chunks(clips: int, max_clips: int) -> list[Chunk]:
    """Cut ``clips`` clips into chunks of ``max_clips`` that overlap by at least half and cover all.

    A clip's feature is taken from the chunk in which it stands most central, so the kept parts tile
    [0, clips).
    """
    if clips <= max_clips:
        return [Chunk(0, clips, 0, clips)]
    step = max(1, max_clips // 2)
    count = -(-(clips - max_clips) // step) + 1
    starts = [round(i * (clips - max_clips) / (count - 1)) for i in range(count)]
    # between two chunks the border lies where a clip is equally far from both centers
    borders = [0, *((a + b + max_clips) // 2 for a, b in pairwise(starts)), clips]
    return [Chunk(s, s + max_clips, borders[i], borders[i + 1]) for i, s in enumerate(starts)]


@dataclass(frozen=True)
class Frames:
    """Packed joint features of a batch of sequences."""

    features: Tensor
    """(M, J, D), one row per encoded frame."""
    valid: Tensor
    """(M, J), True for joints that may be attended to."""
    rows: Tensor
    """(S, F) int64: the row of each padded frame of each sequence, -1 where it was not encoded."""
    zero_row: int | None = None
    """The row that all frames of zeros share, if there are any and nothing makes them differ (paper mode,
    without dropout)."""


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
    """(S, 4D); of a recording longer than ``max_clips`` clips the mean over its chunks."""
    clips: Tensor | None
    """(S, N, 4D), or None if not asked for."""


class HiTRS(nn.Module):
    """The hierarchical encoder, F-TRS -> C-TRS -> V-TRS, for sequences of one body each.

    Args:
        config: sizes.
        joints: J, joints of the layout.
        coords: C, numbers of a joint: its coordinates, or more of streams or frames that are channels
            (``PreprocessingConfig.channels``).
        descriptors: (J, K), what each joint is, where the config tells joints apart by that.
    """

    card: ModelCard

    def __init__(self, config: ModelConfig, joints: int, coords: int = 3, descriptors: Tensor | None = None):
        super().__init__()
        self.config, self.joints, self.coords = config, joints, coords
        self.frame = FrameEncoder(config, joints, coords, descriptors)
        self.clip = ClipEncoder(config, joints, descriptors)
        self.video = VideoEncoder(config)

    @classmethod
    def untrained(cls, config: ModelConfig, layout: Layout, settings: PreprocessingConfig) -> HiTRS:
        """An encoder for recordings of a layout, preprocessed with these settings."""
        known = (
            torch.from_numpy(joint_descriptors(layout)) if config.joint_embedding == "descriptor" else None
        )
        return cls(config, layout.n_joints, settings.channels(layout.dims), known)

    @classmethod
    def from_pretrained(cls, source: str | Path, layout: Layout | str = "") -> HiTRS:
        """The encoder of a model directory, run folder or ``hub://owner/name``, in eval mode, without heads.

        Its ``card`` holds the layout, the preprocessing and, of a recognizer, the classes.

        Args:
            layout: to encode recordings of this layout (one, its name or file), where the encoder tells
                joints apart by what they are; its own if left out.
        Raises:
            CheckpointError: if there is no readable model.
            LayoutError: if the encoder knows the joints of another layout only.
        """
        card, weights = load_pretrained(source)
        wanted = get_layout(layout) if layout else card.layout
        if wanted != card.layout:
            if card.model.joint_embedding != "descriptor" or wanted.dims != card.layout.dims:
                raise LayoutError(
                    f"{source} was trained on the joints of layout '{card.layout.name}', and recordings are "
                    f"mapped to these; leave out the layout '{wanted.name}' (an encoder takes any if it was "
                    "pre-trained with model.joint_embedding = descriptor)"
                )
            space = card.space.on_layout(card.layout, wanted)
            card = dataclasses.replace(card, layout=wanted, space=space)
        encoder = cls.untrained(card.model, card.layout, card.preprocessing)
        own = {k.removeprefix("encoder."): v for k, v in weights.items() if k.startswith("encoder.")}
        if not own:
            raise CheckpointError(f"{source} is a model for {card.task} without an encoder")
        load_weights(encoder, own, source)
        encoder.card = card
        return encoder.eval()

    def save_pretrained(self, folder: str | Path, card: ModelCard) -> Path:
        """Write the encoder as a model directory."""
        return save_pretrained(folder, card, {f"encoder.{k}": v for k, v in self.state_dict().items()})

    def no_weight_decay(self) -> set[str]:
        """Names of the parameters that weight decay should spare, as timm's models name them."""
        return {
            "frame.pos_embed",
            "clip.pos_embed",
            "clip.frame_embed",
            "clip.fusion_token",
            "video.pos_embed",
            "video.fusion_token",
        }

    @property
    def video_width(self) -> int:
        return 4 * self.config.width

    @property
    def clip_width(self) -> int:
        return 2 * self.config.width

    @property
    def pooled_width(self) -> int:
        """Numbers of ``hitrs.models.features.pooled_features``."""
        return self.video_width + self.clip_width + 2 * self.joints * self.config.width

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
        pad = self.config.padding
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
        if self.training and self.config.frame_drop:
            inside = self._drop_frames(inside)
        rows = torch.full((count, positions.shape[1]), -1, dtype=torch.int64, device=positions.device)
        # padding and absent bodies are the same frame over and over; dropout makes them differ in training
        alike = zero[inside] & (not self.training)
        kept, places = deduplicate(alike)
        rows[inside] = places
        positions, valid = positions[inside][kept], valid[inside][kept]
        zero_row = int(places[alike][0]) if bool(alike.any()) else None
        return Frames(self.frame(positions, valid), valid, rows, zero_row)

    def _drop_frames(self, inside: Tensor) -> Tensor:
        """``inside`` (S, F) without a random share of the frames of each clip; at least one stays."""
        window = self.config.window
        grouped = nn.functional.pad(inside, (0, -inside.shape[1] % window)).unflatten(1, (-1, window))
        order = torch.rand(grouped.shape, device=inside.device).masked_fill(~grouped, math.inf).argsort(-1)
        rank = order.argsort(-1)  # frames that are there come first, in random order
        kept = torch.round(grouped.sum(-1, keepdim=True) * (1 - self.config.frame_drop)).clamp(min=1)
        return (grouped & (rank < kept)).flatten(1)[:, : inside.shape[1]]

    def encode_clips(
        self, frames: Frames, sequences: Tensor, windows: Tensor, swap: Tensor | None = None
    ) -> Tensor:
        """Features of given windows.

        Args:
            frames: from :meth:`encode_frames`.
            sequences: the sequence of each window, (K,) int64.
            windows: padded frame indices, (K, W) int64; every window needs at least one encoded frame.
            swap: (K, W) int64, a permutation of each window's places, applied before the position
                embeddings are added (clip-order task); None keeps the order.
        Returns:
            (K, 2D).
        """
        if not len(windows):
            return frames.features.new_zeros(0, self.clip_width)
        rows = frames.rows[sequences[:, None], windows]  # (K, W)
        if swap is not None:
            rows = rows.gather(1, swap)
        if frames.zero_row is None:
            return self._encode_rows(frames, rows)
        kept, places = deduplicate((rows == frames.zero_row).all(1))
        return self._encode_rows(frames, rows[kept]).index_select(0, places)

    def _encode_rows(self, frames: Frames, rows: Tensor) -> Tensor:
        """Clips made of the given rows of ``frames``, (K, W) int64, -1 for none."""
        existing = rows.clamp(min=0)
        valid = (rows >= 0)[..., None] & frames.valid[existing]  # (K, W, J)
        return self.clip(frames.features, existing, valid)

    def windows(
        self, frames: Frames, lengths: Tensor, stride: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """All windows in which something was seen: (sequences (K,), windows (K, W), places n (K,))."""
        config = self.config
        table, counts = batch_windows(
            lengths, config.window, stride or config.stride, config.dilation, config.padding
        )
        sequences = torch.repeat_interleave(counts)
        starts = counts.cumsum(0) - counts
        places = torch.arange(len(table), device=table.device) - starts[sequences]
        seen = (frames.rows[sequences[:, None], table] >= 0).any(1)
        return sequences[seen], table[seen], places[seen]

    def encode_all_clips(self, frames: Frames, lengths: Tensor, stride: int | None = None) -> Clips:
        """Clip features of every window of every sequence."""
        sequences, table, places = self.windows(frames, lengths, stride)
        return Clips(self.encode_clips(frames, sequences, table), slot_table(sequences, places, len(lengths)))

    def encode_videos(self, features: Tensor, slots: Tensor, want_clips: bool = False) -> Videos:
        """Video features from clip features, in overlapping chunks where there are over ``max_clips``.

        Args:
            features: packed clip features, (K, 2D).
            slots: (S, N) rows of ``features``, -1 where a sequence has no clip.
        """
        if slots.shape[1] > self.config.max_clips:
            return self._encode_chunks(features, slots, want_clips)
        video, clips = self.video(unpack(features, slots), slots >= 0, want_clips)
        return Videos(video, clips)

    def _encode_chunks(self, features: Tensor, slots: Tensor, want_clips: bool) -> Videos:
        # sequences of one batch may differ in length, so each is cut by its own number of clips
        videos, clip_rows = [], []
        longest = slots.shape[1]
        for row in slots:
            used = (row >= 0).nonzero()
            count = int(used[-1]) + 1 if len(used) else 1
            chunks = overlapping_chunks(count, self.config.max_clips)
            chunk_slots = torch.stack([row[chunk.start : chunk.stop] for chunk in chunks])
            seen = (chunk_slots >= 0).any(1)  # a chunk in which the body was never seen does not count
            video, clips = self.video(unpack(features, chunk_slots), chunk_slots >= 0, want_clips)
            weight = seen.to(video.dtype) if bool(seen.any()) else torch.ones_like(seen, dtype=video.dtype)
            videos.append((video * weight[:, None]).sum(0) / weight.sum())
            if clips is not None:
                parts = [
                    of_chunk[chunk.keep_start - chunk.start : chunk.keep_stop - chunk.start]
                    for of_chunk, chunk in zip(clips, chunks, strict=True)
                ]
                clip_rows.append(nn.functional.pad(torch.cat(parts), (0, 0, 0, longest - count)))
        return Videos(torch.stack(videos), torch.stack(clip_rows) if want_clips else None)

    def forward(self, positions: Tensor, valid: Tensor, lengths: Tensor, want_clips: bool = False) -> Videos:
        """Encode sequences: positions (S, T, J, C), valid (S, T, J), lengths (S,) -> video features (S, 4D).

        In the default mode every sequence needs at least one seen joint; leave absent bodies out.
        """
        frames = self.encode_frames(positions, valid, lengths)
        clips = self.encode_all_clips(frames, lengths)
        return self.encode_videos(clips.features, clips.slots, want_clips)


def set_activation_checkpointing(module: nn.Module, levels: CheckpointedLevels) -> None:
    """Which levels of the encoders in a module compute their layers again in the backward pass."""
    for part in module.modules():
        if isinstance(part, HiTRS):
            part.frame.stack.activation_checkpointing = levels != "none"
            part.clip.stack.activation_checkpointing = part.video.stack.activation_checkpointing = (
                levels == "all"
            )


def deduplicate(alike: Tensor) -> tuple[Tensor, Tensor]:
    """What to compute of M items if all those in ``alike`` (M,) bool are the same: the others and the first.

    Returns:
        (M,) bool, the items to compute; (M,) int64, the place among those of each item or of its duplicate.
    """
    first = alike.nonzero()[:1, 0]
    kept = ~alike
    kept[first] = True
    places = kept.cumsum(0) - 1
    places[alike] = places[first]
    return kept, places


def slot_table(sequences: Tensor, places: Tensor, count: int) -> Tensor:
    """(S, N) table of packed rows: entry [s, n] is the row of sequence s's n-th clip, -1 for none.

    Args:
        sequences: the sequence of each row, (K,) int64; places: its clip number n, (K,) int64.
        count: S.
    """
    longest = int(places.max()) + 1 if len(places) else 1
    slots = torch.full((count, longest), -1, dtype=torch.int64, device=sequences.device)
    slots[sequences, places] = torch.arange(len(sequences), device=sequences.device)
    return slots


def unpack(features: Tensor, slots: Tensor) -> Tensor:
    """Packed features (K, D) in their slots, (S, N, D); where a slot is -1 any row, zeros if there is none.

    The backward pass can be repeated bit by bit (see ``ClipEncoder``).
    """
    if not len(features):  # nothing was seen at the frames that the clips look at
        return features.new_zeros(*slots.shape, features.shape[1])
    return features.index_select(0, slots.clamp(min=0).flatten()).unflatten(0, slots.shape)
