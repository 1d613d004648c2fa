"""The paper's computation, written out plainly: what our speed and memory are measured against.

Every token of every layer in float32, sequences padded to the longest, padding and absent bodies computed
like all else, each pass by itself. Parameters have the authors' names, so that weights come from
``hitrs.models.authors.to_authors``; nothing else is shared with ``hitrs.models``. Tests hold both equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models.config import ModelConfig


class Attention(nn.Module):
    """softmax(Q K' / sqrt(A) + hidden) V, then O; no biases."""

    def __init__(self, width: int, heads: int, head_width: int):
        super().__init__()
        self.heads = heads
        self.w_qs = nn.Linear(width, heads * head_width, bias=False)
        self.w_ks = nn.Linear(width, heads * head_width, bias=False)
        self.w_vs = nn.Linear(width, heads * head_width, bias=False)
        self.fc = nn.Linear(heads * head_width, width, bias=False)

    def forward(self, x: Tensor, hidden: Tensor | None) -> Tensor:
        """(B, L, D) -> (B, L, D); ``hidden`` broadcasts to (B, H, L, L), True where there is no attention."""
        query, key, value = (
            linear(x).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, H, L, A)
            for linear in (self.w_qs, self.w_ks, self.w_vs)
        )
        score = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
        if hidden is not None:
            score = score.masked_fill(hidden, -math.inf)
        return self.fc((score.softmax(-1) @ value).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """W2 GELU(W1 x)."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.w_1, self.w_2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.w_2(F.gelu(self.w_1(x)))


class Layer(nn.Module):
    """x + Dropout(Attention(LN(x))), then x + Dropout(FeedForward(LN(x)))."""

    def __init__(self, width: int, inner: int, config: ModelConfig):
        super().__init__()
        self.self_attn_norm, self.pff_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.slf_attn = Attention(width, config.heads, config.head_width)
        self.pos_ffn = FeedForward(width, inner)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, hidden: Tensor | None) -> Tensor:
        x = x + self.dropout(self.slf_attn(self.self_attn_norm(x), hidden))
        return x + self.dropout(self.pos_ffn(self.pff_norm(x)))


class Stack(nn.Module):
    """The layers of one level."""

    def __init__(self, width: int, inner: int, config: ModelConfig):
        super().__init__()
        self.layer_stack = nn.ModuleList([Layer(width, inner, config) for _ in range(config.layers)])

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:
        for layer in self.layer_stack:
            x = layer(x, hidden)
        return x


class Code(nn.Module):
    """Position codes."""

    def __init__(self, *shape: int):
        super().__init__()
        self.pe = nn.Parameter(torch.zeros(shape))


@dataclass(frozen=True)
class PretextBatch:
    """What masking and pretext tasks draw at random for a batch."""

    masked: Tensor
    """(S, T, J, C), what the encoder sees."""
    chosen: Tensor
    """(S, T, J), joints to predict."""
    pair_sequences: Tensor
    """(R,), sequences that take part in clip order."""
    pair_windows: Tensor
    """(R, W) padded frames, in order."""
    pair_swap: Tensor
    """(R, W), the permutation of the negative's places."""
    video_sequences: Tensor
    """(Q,), sequences that take part in video order."""
    video_swap: Tensor
    """(Q, N), the permutation of the negative's clips."""


class PlainHiTRS(nn.Module):
    """Encoder, heads of the four tasks and, with ``classes``, the classifier."""

    def __init__(self, config: ModelConfig, joints: int, coords: int = 3, classes: int = 0):
        super().__init__()
        width = config.width
        self.config = config
        self.s_input_map = nn.Sequential(nn.Linear(coords, width), nn.GELU(), nn.LayerNorm(width))
        self.s_pe = Code(joints, width)
        self.s_enc = Stack(width, width, config)
        self.c_input_map = nn.Linear(width, 2 * width)
        self.c_pe = Code(config.window, joints, 2 * width)
        self.clip_fuse_token = nn.Parameter(torch.zeros(1, 1, 2 * width))
        self.c_enc = Stack(2 * width, width, config)
        self.v_input_map = nn.Linear(2 * width, 4 * width)
        self.v_pe = Code(config.max_clips, 4 * width)
        self.video_fuse_token = nn.Parameter(torch.zeros(1, 1, 4 * width))
        self.v_enc = Stack(4 * width, 2 * width, config)
        if classes:
            self.v_cls = nn.Linear(4 * width, classes)
        else:
            self.s_pose_reg = nn.Linear(width, coords)
            self.c_motion_cls = nn.Linear(2 * width, 2)
            self.v_motion_cls = nn.Linear(4 * width, 2)
            self.v_ft_reg = nn.Linear(4 * width, 2 * width)

    def frames(self, positions: Tensor) -> Tensor:
        """Joint features (S, F, J, D) of positions (S, T, J, C) with half a window of zeros on each side."""
        pad = (self.config.window // 2) * self.config.dilation
        x = self.s_input_map(F.pad(positions, (0, 0, 0, 0, pad, pad))) + self.s_pe.pe
        return self.s_enc(x.flatten(0, 1)).view_as(x)

    def clips(self, frames: Tensor) -> Tensor:
        """Clip features (K, 2D) of the joint features of clips (K, W, J, D)."""
        _, window, joints, _ = frames.shape
        x = (self.c_input_map(frames) + self.c_pe.pe).flatten(1, 2)
        x = torch.cat([x, self.clip_fuse_token.expand(len(x), -1, -1)], dim=1)  # (K, W J + 1, 2D)
        frame = torch.arange(window, device=x.device).repeat_interleave(joints)
        hidden = (frame[:, None] == frame) & ~torch.eye(len(frame), dtype=torch.bool, device=x.device)
        return self.c_enc(x, F.pad(hidden, (0, 1, 0, 1)))[:, -1]

    def videos(self, clips: Tensor, counts: Tensor) -> Tensor:
        """Video features (S, 4D) of clip features (S, N, 2D), of which each sequence has ``counts`` (S,)."""
        count = clips.shape[1]
        x = self.v_input_map(clips) + self.v_pe.pe[:count]
        x = torch.cat([x, self.video_fuse_token.expand(len(x), -1, -1)], dim=1)
        hidden = F.pad(torch.arange(count, device=x.device) >= counts[:, None], (0, 1))
        return self.v_enc(x, hidden[:, None, None])[:, -1]

    def window_table(self, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Padded frames of all windows (S, N, W), 0 where a sequence has fewer; their counts (S,)."""
        own = [windows(n, self.config) for n in lengths.tolist()]
        table = torch.zeros(len(own), max(map(len, own)), self.config.window, dtype=torch.int64)
        for s, rows in enumerate(own):
            table[s, : len(rows)] = torch.tensor(rows)
        return table.to(lengths.device), torch.tensor([len(rows) for rows in own]).to(lengths.device)

    def all_clips(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features of all windows (S, N, 2D) from joint features (S, F, J, D), and their counts (S,)."""
        table, counts = self.window_table(lengths)
        rows = torch.arange(len(table), device=table.device)[:, None, None]
        return self.clips(frames[rows, table].flatten(0, 1)).unflatten(0, table.shape[:2]), counts

    def recognize(self, positions: Tensor, lengths: Tensor) -> Tensor:
        """Scores (B, classes) of recordings (B, 2, T, J, C); an absent body is zeros."""
        slots = positions.shape[1]
        bodies, lengths = positions.flatten(0, 1), lengths.repeat_interleave(slots)
        videos = self.videos(*self.all_clips(self.frames(bodies), lengths))
        return self.v_cls(videos.unflatten(0, (-1, slots)).mean(1))

    def losses(self, positions: Tensor, lengths: Tensor, drawn: PretextBatch) -> dict[str, Tensor]:
        """The four losses of sequences (S, T, J, C) of which each has ``lengths`` (S,) frames.

        A loss is left out where no sequence is long enough.
        """
        pad = (self.config.window // 2) * self.config.dilation
        frames = self.frames(drawn.masked)
        prediction = self.s_pose_reg(frames)[:, pad : pad + positions.shape[1]]
        losses = {
            "masked_joint": F.smooth_l1_loss(10 * prediction[drawn.chosen], 10 * positions[drawn.chosen])
        }
        if len(drawn.pair_sequences):
            windows = frames[drawn.pair_sequences[:, None], drawn.pair_windows]  # (R, W, J, D)
            swapped = windows[torch.arange(len(windows), device=windows.device)[:, None], drawn.pair_swap]
            losses["clip_order"] = _order_loss(self.c_motion_cls, self.clips(windows), self.clips(swapped))
        clips, counts = self.all_clips(frames, lengths)
        context, held_out = counts - 1, clips[torch.arange(len(clips), device=clips.device), counts - 1]
        clips, several = clips[:, :-1], counts > 1
        if len(drawn.video_sequences):
            which = drawn.video_sequences
            order = drawn.video_swap[:, : clips.shape[1]]
            swapped = clips[which[:, None], order]
            losses["video_order"] = _order_loss(
                self.v_motion_cls,
                self.videos(clips[which], context[which]),
                self.videos(swapped, context[which]),
            )
        if several.any():
            query = self.v_ft_reg(self.videos(clips[several], context[several]))
            similarity = F.cosine_similarity(query[:, None], held_out[several].detach()[None], dim=-1)
            own = torch.arange(len(query), device=query.device)
            losses["future_clip"] = F.cross_entropy(similarity / 0.07, own)
        return losses


def windows(frames: int, config: ModelConfig) -> list[list[int]]:
    """Padded frames of each window, by the rule of the released pre-training code, step by step."""
    pad, span = (config.window // 2) * config.dilation, (config.window - 1) * config.dilation
    last = frames + 2 * pad - 1
    table: list[list[int]] = []
    begin = 0
    while True:
        table.append([min(begin + w * config.dilation, last) for w in range(config.window)])
        begin += config.stride
        if table[-1][-1] >= last - pad and begin + span > last:
            return table


def _order_loss(head: nn.Linear, in_order: Tensor, swapped: Tensor) -> Tensor:
    logits = head(torch.cat([in_order, swapped]))
    target = torch.ones(len(logits), dtype=torch.int64, device=logits.device)
    target[len(in_order) :] = 0
    return F.cross_entropy(logits, target)
