"""The Transformer layer that all three levels share, and a stack of them.

Pre-LN: x + Dropout(O(Attention(LN(x)))), then x + Dropout(W2 GELU(W1 LN(x))), exact GELU, no norm after the
last layer. Q, K, V and O have no bias and an inner width of heads x head_width, whatever the level's width
(Hi-TRS, released code).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models.attention import attend
from hitrs.models.dropout import Dropout


class TransformerLayer(nn.Module):
    """One pre-LN layer of width ``width``."""

    def __init__(self, width: int, inner: int, heads: int, head_width: int, dropout: float):
        super().__init__()
        self.heads, self.head_width = heads, head_width
        self.attention_norm = nn.LayerNorm(width, eps=1e-5)
        self.qkv = nn.Linear(width, 3 * heads * head_width, bias=False)
        # three maps of their own that happen to be stored as one product: its default bound depends on the
        # input width only, so the initialization is that of three separate linear layers
        self.out = nn.Linear(heads * head_width, width, bias=False)
        self.ffn_norm = nn.LayerNorm(width, eps=1e-5)
        self.expand = nn.Linear(width, inner)
        self.contract = nn.Linear(inner, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor | None = None, last_only: bool = False) -> Tensor:
        """(B, L, D) -> (B, L, D), or (B, 1, D) with ``last_only``: then only the last token is computed.

        ``bias`` is added to the attention scores and must broadcast to (B, H, L, L).
        """
        batch, length, _ = x.shape
        h = self.attention_norm(x)
        if last_only:
            size = self.heads * self.head_width
            query = F.linear(h[:, -1:], self.qkv.weight[:size]).view(batch, 1, self.heads, self.head_width)
            key, value = (
                F.linear(h, self.qkv.weight[size:])
                .view(batch, length, 2, self.heads, self.head_width)
                .unbind(2)
            )
            x = x[:, -1:]
            if bias is not None:
                bias = bias[..., -1:, :]
        else:
            query, key, value = self.qkv(h).view(batch, length, 3, self.heads, self.head_width).unbind(2)
        mixed = attend(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), bias
        )  # (B, H, Lq, A)
        x = x + self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.contract(F.gelu(self.expand(self.ffn_norm(x)))))


class TransformerStack(nn.Module):
    """``layers`` layers that start as identical copies of one another."""

    def __init__(self, layers: int, width: int, inner: int, heads: int, head_width: int, dropout: float):
        super().__init__()
        first = TransformerLayer(width, inner, heads, head_width, dropout)
        self.layers = nn.ModuleList([first, *(copy.deepcopy(first) for _ in range(layers - 1))])

    def forward(self, x: Tensor, bias: Tensor | None = None, last_only: bool = False) -> Tensor:
        """(B, L, D) -> (B, L, D); with ``last_only`` (B, 1, D): the last layer computes that token alone."""
        final = len(self.layers) - 1
        for depth, layer in enumerate(self.layers):
            x = layer(x, bias, last_only=last_only and depth == final)
        return x


def with_last_token(tokens: Tensor, last: Tensor) -> Tensor:
    """Append one shared token (D,) to every row of (B, L, D), giving (B, L + 1, D)."""
    return torch.cat([tokens, last.to(tokens.dtype).expand(tokens.shape[0], 1, -1)], dim=1)
