"""The Transformer layer that all three levels share, and a stack of them.

Pre-LN: x + Dropout(O(Attention(LN(x)))), then x + Dropout(W2 GELU(W1 LN(x))), exact GELU, no norm after the
last layer. Q, K, V and O have no bias and an inner width of heads x head_width, whatever the level's width
(Hi-TRS, released code).
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models.attention import attend
from hitrs.models.dropout import DropoutAdd
from hitrs.models.linear import layer_norm, linear

CHUNK = 3200
"""Tokens that go through a stack together: what they need along the way stays in the processor's cache."""


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
        self.dropout = DropoutAdd(dropout)

    def forward(self, x: Tensor, bias: Tensor | None = None, last_only: bool = False) -> Tensor:
        """(B, L, D) -> (B, L, D), or (B, 1, D) with ``last_only``: then only the last token is computed.

        ``bias`` is added to the attention scores and must broadcast to (B, H, L, L).
        """
        if last_only:
            x, mixed = x[:, -1:], self._attend_last(x, bias)  # (B, 1, D), (B, 1, H A)
        else:
            norm = self.attention_norm
            qkv = linear(x, self.qkv.weight, None, layer_norm, norm.weight, norm.bias)  # (B, L, 3 H A)
            mixed = attend(qkv.unflatten(-1, (3, self.heads, -1)), bias).flatten(2)  # (B, L, H A)
        x = self.dropout(linear(mixed, self.out.weight), x)
        norm = self.ffn_norm
        inner = linear(x, self.expand.weight, self.expand.bias, layer_norm, norm.weight, norm.bias)
        return self.dropout(linear(inner, self.contract.weight, self.contract.bias, F.gelu), x)

    def _attend_last(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """What the last token takes from all, (B, 1, H A), without a key or a value of any token.

        q . (W_k h) = (W_k^T q) . h and sum_j p_j (W_v h_j) = W_v sum_j p_j h_j: the maps of keys and values
        are applied once per head, to the query and to the mixture, instead of to every token.
        """
        h = self.attention_norm(x)  # (B, L, D)
        to_query, to_key, to_value = self.qkv.weight.unflatten(0, (3, self.heads, -1))  # each (H, A, D)
        query = torch.einsum("bd,had->hba", h[:, -1], to_query / math.sqrt(self.head_width))
        query = (query @ to_key).transpose(0, 1)  # (B, H, D)
        scores = (query @ h.transpose(1, 2)).float()  # (B, H, L)
        if bias is not None:
            scores = scores + bias[..., -1, :]
        mixture = torch.softmax(scores, dim=-1).to(h.dtype) @ h  # (B, H, D)
        return torch.einsum("bhd,had->bha", mixture, to_value).flatten(1)[:, None]


class TransformerStack(nn.Module):
    """``layers`` layers that start as identical copies of one another."""

    def __init__(self, layers: int, width: int, inner: int, heads: int, head_width: int, dropout: float):
        super().__init__()
        first = TransformerLayer(width, inner, heads, head_width, dropout)
        self.layers = nn.ModuleList([first, *(copy.deepcopy(first) for _ in range(layers - 1))])

    def forward(self, x: Tensor, bias: Tensor | None = None, last_only: bool = False) -> Tensor:
        """(B, L, D) -> (B, L, D); with ``last_only`` (B, 1, D): the last layer computes that token alone."""
        rows = max(1, CHUNK // x.shape[1])
        if len(x) <= rows:
            return self._run(x, bias, last_only)
        biases = [bias] * -(-len(x) // rows) if bias is None or bias.dim() < 4 else bias.split(rows)
        parts = zip(x.split(rows), biases, strict=True)
        return torch.cat([self._run(part, own, last_only) for part, own in parts])

    def _run(self, x: Tensor, bias: Tensor | None, last_only: bool) -> Tensor:
        final = len(self.layers) - 1
        for depth, layer in enumerate(self.layers):
            x = layer(x, bias, last_only=last_only and depth == final)
        return x


def with_last_token(tokens: Tensor, last: Tensor) -> Tensor:
    """Append one shared token (D,) to every row of (B, L, D), giving (B, L + 1, D)."""
    return torch.cat([tokens, last.to(tokens.dtype).expand(tokens.shape[0], 1, -1)], dim=1)
