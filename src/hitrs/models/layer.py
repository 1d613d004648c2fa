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
from torch.utils.checkpoint import checkpoint

from hitrs.models.attention import attend, has_rows, in_groups, values_per_row
from hitrs.models.dropout import DropoutAdd
from hitrs.models.linear import layer_norm, linear

CHUNK = 5_000_000
"""Values that go through a stack at once on the CPU: what is needed along the way stays in its cache."""


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
    """``layers`` layers that start as identical copies of one another.

    With ``recompute`` a layer keeps its input only and is computed again in the backward pass.
    """

    def __init__(self, layers: int, width: int, inner: int, heads: int, head_width: int, dropout: float):
        super().__init__()
        first = TransformerLayer(width, inner, heads, head_width, dropout)
        self.heads, self.head_width, self.recompute = heads, head_width, False
        self.layers = nn.ModuleList([first, *(copy.deepcopy(first) for _ in range(layers - 1))])

    def forward(self, x: Tensor, bias: Tensor | None = None, last_only: bool = False) -> Tensor:
        """(B, L, D) -> (B, L, D); with ``last_only`` (B, 1, D): the last layer computes that token alone."""
        if x.device.type != "cpu":
            return self._run(x, bias, last_only)
        size = max(1, CHUNK // values_per_row(x.shape[1], self.heads, self.head_width))
        parts = [self._rounded(x[rows], own, last_only, size) for rows, own in in_groups(len(x), size, bias)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _rounded(self, x: Tensor, bias: Tensor | None, last_only: bool, most: int) -> Tensor:
        """One part of a batch, in training with spare rows."""
        count = len(x)
        extra = spare_rows(count, most) if torch.is_grad_enabled() else 0
        if extra:
            x = nn.functional.pad(x, (0, 0, 0, 0, 0, extra))
            if has_rows(bias):
                bias = nn.functional.pad(bias, (0, 0, 0, 0, 0, 0, 0, extra))
        return self._run(x, bias, last_only)[:count]

    def _run(self, x: Tensor, bias: Tensor | None, last_only: bool) -> Tensor:
        final = len(self.layers) - 1
        again = self.recompute and torch.is_grad_enabled()
        for depth, layer in enumerate(self.layers):
            last = last_only and depth == final
            x = checkpoint(layer, x, bias, last, use_reentrant=False) if again else layer(x, bias, last)
        return x


def spare_rows(count: int, most: int) -> int:
    """Rows of zeros that round ``count`` up to three binary digits, or to ``most``.

    In training every batch would else have a shape of its own, and the library prepares its products anew for
    each shape that it has not seen: on NW-UCLA that takes longer than the spare rows.
    """
    step = 1 << max(0, count.bit_length() - 3)
    return min(most, -(-count // step) * step) - count


def with_last_token(tokens: Tensor, last: Tensor) -> Tensor:
    """Append one shared token (D,) to every row of (B, L, D), giving (B, L + 1, D)."""
    return torch.cat([tokens, last.to(tokens.dtype).expand(tokens.shape[0], 1, -1)], dim=1)
