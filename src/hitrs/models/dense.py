"""The encoder in a form without decisions that depend on the data, for graphs that leave PyTorch (ONNX).

``hitrs.models.encoder`` computes what is there and nothing else. Here every frame, clip and body is computed,
what is not there is masked, and the same weights give the same features; tests hold the two equal. All
bodies are of one length, that of their recording; sizes may be symbols of ``torch.export``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hitrs.models.encoder import HiTRS, VideoEncoder, clip_mask
from hitrs.models.features import pool_joints
from hitrs.models.layers import TransformerLayer, TransformerStack, key_bias, with_last_token
from hitrs.skeleton.layout import Layout
from hitrs.transforms.batch import Batch, to_tokens
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.preprocessing import fit_preprocessing


@dataclass(frozen=True)
class DenseBodies:
    """The bodies of one recording as the encoder takes them."""

    positions: Tensor
    """(P, T, J, C), 0 where not valid."""
    valid: Tensor
    """(P, T, J)."""

    @property
    def present(self) -> Tensor:
        """(P,) bool: whether anything of the body was seen."""
        return self.valid.flatten(1).any(1)


@dataclass(frozen=True)
class DenseFrames:
    """Joint features of every frame, padding included."""

    features: Tensor
    """(P, F, J, D)."""
    valid: Tensor
    """(P, F, J), True for joints that may be attended to."""
    present: Tensor
    """(P, F), where ``HiTRS.encode_frames`` has a row."""


@dataclass(frozen=True)
class DenseClips:
    """Features of every clip."""

    features: Tensor
    """(P, N, 2D)."""
    present: Tensor
    """(P, N), where ``HiTRS.encode_all_clips`` has a row."""


def dense_batch(given: Tensor) -> Batch:
    """One recording, (T, P, J, C) with NaN for what was not seen, as a batch."""
    valid = given.isfinite().all(-1)
    positions = given.masked_fill(~valid[..., None], 0.0)
    return Batch(positions.transpose(0, 1)[None], valid.transpose(0, 1)[None], repeated(given.shape[0], 1))


def dense_bodies(
    batch: Batch, settings: PreprocessingConfig, layout: Layout, slots: int | None = None
) -> DenseBodies:
    """The bodies of one recording, preprocessed: ``stream_bodies``, with absent ones in their places."""
    batch = fit_preprocessing(batch.positions, batch.valid, settings, layout).apply_to(batch)
    positions, valid = batch.positions[0], batch.valid[0]
    if slots is not None:
        positions = F.pad(positions, (0, 0, 0, 0, 0, 0, 0, slots))[:slots]
        valid = F.pad(valid, (0, 0, 0, 0, 0, slots))[:slots]
    lengths = repeated(positions.shape[1], positions.shape[0])
    positions, valid, _ = to_tokens(positions, valid, lengths, settings, layout)
    return DenseBodies(positions, valid)


def dense_frames(encoder: HiTRS, bodies: DenseBodies) -> DenseFrames:
    """``HiTRS.encode_frames``."""
    pad = encoder.config.padding
    positions = F.pad(bodies.positions.masked_fill(~bodies.valid[..., None], 0.0), (0, 0, 0, 0, pad, pad))
    valid = F.pad(bodies.valid, (0, 0, pad, pad))
    if encoder.config.mode == "paper":
        valid = torch.ones_like(valid)
    return dense_frame_level(encoder, positions, valid)


def dense_frame_level(encoder: HiTRS, positions: Tensor, valid: Tensor) -> DenseFrames:
    """``FrameEncoder.forward`` of frames (P, F, J, C), 0 where not valid (P, F, J), without padding."""
    present = valid.any(-1)
    level = encoder.frame
    x = level.embed(positions) + level.position_embedding()  # (P, F, J, D)
    # a frame that shows nothing attends to its zeros: softmax over nothing is not a number
    keys = valid | ~present[..., None]
    features = _stack(level.stack, x.flatten(0, 1), key_bias(keys.flatten(0, 1)))
    return DenseFrames(features.view_as(x), valid, present)


def dense_clips(encoder: HiTRS, frames: DenseFrames, stride: int | None = None) -> DenseClips:
    """``HiTRS.encode_all_clips``."""
    config = encoder.config
    table = dense_windows(frames.present.shape[1], config.window, stride or config.stride, config.dilation,
                          config.padding)  # fmt: skip
    return dense_clip_level(encoder, frames, table)


def dense_clip_level(encoder: HiTRS, frames: DenseFrames, table: Tensor) -> DenseClips:
    """``ClipEncoder.forward`` of the windows (N, W) of frames in a table."""
    config, level = encoder.config, encoder.clip
    x = level.embed(frames.features)[:, table] + level.position_embedding()  # (P, N, W, J, 2D)
    valid = frames.valid[:, table] & frames.present[:, table][..., None]  # (P, N, W, J)
    tokens = with_last_token(x.flatten(2, 3).flatten(0, 1), level.fusion_token)
    keys = F.pad(valid.flatten(2).flatten(0, 1), (0, 1), value=True)
    bias = clip_mask(config.window, encoder.joints) + key_bias(keys)
    features = _stack(level.stack, tokens, bias, last_only=True)[:, 0]
    present = valid.flatten(2).any(2)
    return DenseClips(features.view(*present.shape, encoder.clip_width), present)


def dense_windows(frames: int, window: int, stride: int, dilation: int, pad: int) -> Tensor:
    """``hitrs.transforms.windows.window_table`` of so many padded frames, (N, W) int64."""
    span, last = (window - 1) * dilation, frames - 1
    start = torch.sym_max(torch.sym_max(0, last - pad - span), last - span - stride + 1)
    starts = torch.arange((start + stride - 1) // stride + 1) * stride
    return (starts[:, None] + torch.arange(window) * dilation).clamp(max=last)


def dense_videos(encoder: HiTRS, clips: DenseClips) -> tuple[Tensor, Tensor]:
    """``HiTRS.encode_videos``: features of the videos (P, 4D) and of their clips (P, N, 4D).

    Each body is cut into overlapping chunks by the number of its clips up to the last one that is present.
    """
    present, most = clips.present, encoder.config.max_clips
    total = present.shape[1]
    width = torch.sym_min(total, most)
    place = torch.arange(total)
    own = (torch.where(present, place + 1, 0).amax(1) - most).clamp(min=0)[:, None]  # (P, 1), over the most
    step = max(1, most // 2)
    number = torch.arange((torch.sym_max(0, total - most) + step - 1) // step + 1)  # of the chunks, (K,)
    last = (own + step - 1) // step  # number of a body's last chunk

    def starts(number: Tensor) -> Tensor:
        return torch.round((number * own).double() / last.clamp(min=1)).long()

    first = starts(number.minimum(last))  # (P, K)
    table = (first[..., None] + torch.arange(width)).clamp(max=total - 1)  # (P, K, w)
    body = torch.arange(present.shape[0])[:, None, None]
    seen = present[body, table]
    features = clips.features[body, table]
    video, each = dense_video_level(encoder.video, features.flatten(0, 1), seen.flatten(0, 1))
    used = number <= last  # (P, K)
    weight = seen.any(2) & used
    weight = (weight | (used & ~weight.any(1, keepdim=True))).to(video.dtype)
    video = (video.view(*weight.shape, encoder.video_width) * weight[..., None]).sum(1)
    border = (
        starts(number - 1) + starts(number) + most
    ) // 2  # from which clip on a chunk is the one to keep
    border = torch.where(number > 0, border, 0).masked_fill(~used, total)
    chunk = (place[:, None] >= border[:, None]).sum(2) - 1  # (P, N)
    within = (place - first.gather(1, chunk)).clamp(0, width - 1)
    each = each.view(*seen.shape, encoder.video_width)
    return video / weight.sum(1, keepdim=True), each[body[..., 0], chunk, within]


def dense_last_clips(encoder: HiTRS, clips: DenseClips, history: int) -> Tensor:
    """The video level's feature of every clip, (P, N, 4D), each from the ``history`` clips that it ends."""
    level, total = encoder.video, clips.present.shape[1]
    place = torch.arange(total)[:, None]
    before = place - torch.arange(1, history)  # (N, history - 1)
    first = (place - history + 1).clamp(min=0)
    own = level.embed(clips.features)  # (P, N, 4D)
    past = own[:, before.clamp(min=0)] + level.pos_embed[(before - first).clamp(min=0)]
    own = (own + level.pos_embed[(place - first)[:, 0]])[:, :, None]
    token = level.fusion_token.expand_as(own)
    x = torch.cat([past, token, own], dim=2)  # (P, N, history + 1, 4D); its order means nothing to attention
    seen = clips.present[:, before.clamp(min=0)] & (before >= 0)
    keys = torch.cat([F.pad(seen, (0, 1), value=True), clips.present[..., None]], dim=2)
    features = _stack(level.stack, x.flatten(0, 1), key_bias(keys.flatten(0, 1)), last_only=True)
    return features.view(clips.features.shape[0], total, encoder.video_width)


def dense_newest_clip(encoder: HiTRS, clips: DenseClips, count: Tensor) -> Tensor:
    """``VideoEncoder.encode_last_clip``, (P, 4D), of the newest clips, the last one last.

    Args:
        count: how many of them there are, int64; the others, in front, are from before the recording.
    """
    level, total = encoder.video, clips.present.shape[1]
    place = torch.arange(total) - total + count
    x = level.embed(clips.features) + level.pos_embed[place.clamp(min=0)]
    seen = clips.present & (place >= 0)
    x = torch.cat([with_last_token(x[:, :-1], level.fusion_token), x[:, -1:]], dim=1)
    keys = torch.cat([F.pad(seen[:, :-1], (0, 1), value=True), seen[:, -1:]], dim=1)
    return _stack(level.stack, x, key_bias(keys), last_only=True)[:, 0]


def dense_video_level(level: VideoEncoder, clips: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """``VideoEncoder.forward`` with a feature per clip."""
    x = with_last_token(level.embed(clips) + level.pos_embed[: clips.shape[1]], level.fusion_token)
    x = _stack(level.stack, x, key_bias(F.pad(valid, (0, 1), value=True)))
    return x[:, -1], x[:, :-1]


def dense_pooled(frames: DenseFrames, clips: DenseClips, video: Tensor) -> Tensor:
    """``hitrs.models.features.pool_levels``."""
    there = clips.present[..., None]
    mean = (clips.features * there).sum(1) / there.sum(1).clamp(min=1)
    return torch.cat(
        [video, mean, *pool_joints(frames.features, frames.valid & frames.present[..., None])], 1
    )


def repeated(value: int, count: int) -> Tensor:
    """(count,) int64, also of a symbol."""
    return torch.ones(count, dtype=torch.int64) * value


def _stack(stack: TransformerStack, x: Tensor, bias: Tensor, last_only: bool = False) -> Tensor:
    """``TransformerStack.forward`` in plain operations."""
    for depth, layer in enumerate(stack.layers):
        assert isinstance(layer, TransformerLayer)
        if last_only and depth == len(stack.layers) - 1:
            x, mixed = x[:, -1:], layer.attend_last(x, bias)
        else:
            mixed = _attend(layer, x, bias)
        x = x + layer.out(mixed)
        x = x + layer.fc2(F.gelu(layer.fc1(layer.ffn_norm(x))))
    return x


def _attend(layer: TransformerLayer, x: Tensor, bias: Tensor) -> Tensor:
    qkv = layer.qkv(layer.attention_norm(x)).unflatten(-1, (3, layer.heads, -1))
    query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (B, H, L, A) each
    scores = query @ key.transpose(2, 3) * layer.head_width**-0.5 + bias
    return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
