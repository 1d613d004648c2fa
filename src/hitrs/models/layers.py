"""The Transformer layer that all three levels share, and a stack of them.

Pre-LN: x + Dropout(O(Attention(LN(x)))), then x + Dropout(W2 GELU(W1 LN(x))), exact GELU, no norm after the
last layer. Q, K, V and O have no bias and a width of heads x head_width, whatever the level's width
(Hi-TRS, released code).
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hitrs.models import cpu_ops
from hitrs.models.cpu_ops import DropoutAdd, has_rows, layer_norm, linear, row_parts, values_per_row

STACK_VALUES = 5_000_000
"""Values that go through a stack at once on the CPU: what is needed along the way stays in its cache."""


def attend(qkv: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(Q K^T / sqrt(A) + bias) V, (B, L, H, A), for queries, keys and values (B, L, 3, H, A).

    Args:
        bias: added to the scores, 0 where a query may attend to a key and -inf where not; (L, L), or (B or 1,
            1, L or 1, L); without a gradient. Every query needs at least one key.
    """
    if qkv.device.type == "cpu":
        return cpu_ops.attention(qkv, bias)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)  # not checked: there was no accelerator to try it on
    mask = None if bias is None else bias.to(query.dtype)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)


def key_bias(valid: Tensor) -> Tensor:
    """Bias that hides keys which are not valid, (B, 1, 1, L), from a mask (B, L) with True for valid."""
    return torch.zeros(valid.shape, device=valid.device).masked_fill_(~valid, -math.inf)[:, None, None, :]


class TransformerLayer(nn.Module):
    """One pre-LN layer of width ``width``."""

    def __init__(self, width: int, ffn_dim: int, heads: int, head_width: int, dropout: float):
        super().__init__()
        self.heads, self.head_width = heads, head_width
        self.attention_norm = nn.LayerNorm(width, eps=1e-5)
        self.qkv = nn.Linear(width, 3 * heads * head_width, bias=False)
        # three maps of their own that happen to be stored as one product: its default bound depends on the
        # input width only, so the initialization is that of three separate linear layers
        self.out = nn.Linear(heads * head_width, width, bias=False)
        self.ffn_norm = nn.LayerNorm(width, eps=1e-5)
        self.fc1 = nn.Linear(width, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, width)
        self.dropout = DropoutAdd(dropout)

    def forward(self, x: Tensor, bias: Tensor | None = None, last_only: bool = False) -> Tensor:
        """(B, L, D) -> (B, L, D), or (B, 1, D) with ``last_only``: then only the last token is computed.

        ``bias`` is added to the attention scores and must broadcast to (B, H, L, L).
        """
        if last_only:
            x, mixed = x[:, -1:], self.attend_last(x, bias)  # (B, 1, D), (B, 1, H A)
        else:
            norm = self.attention_norm
            qkv = linear(x, self.qkv.weight, None, layer_norm, norm.weight, norm.bias)  # (B, L, 3 H A)
            mixed = attend(qkv.unflatten(-1, (3, self.heads, -1)), bias).flatten(2)  # (B, L, H A)
        x = self.dropout(linear(mixed, self.out.weight), x)
        norm = self.ffn_norm
        hidden = linear(x, self.fc1.weight, self.fc1.bias, layer_norm, norm.weight, norm.bias)
        return self.dropout(linear(hidden, self.fc2.weight, self.fc2.bias, F.gelu), x)

    def attend_last(self, x: Tensor, bias: Tensor | None) -> Tensor:
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

    With ``activation_checkpointing`` a layer keeps its input only and is computed again in the backward pass.
    """

    def __init__(self, layers: int, width: int, ffn_dim: int, heads: int, head_width: int, dropout: float):
        super().__init__()
        first = TransformerLayer(width, ffn_dim, heads, head_width, dropout)
        self.heads, self.head_width, self.activation_checkpointing = heads, head_width, False
        self.layers = nn.ModuleList([first, *(copy.deepcopy(first) for _ in range(layers - 1))])

    def forward(self, x: Tensor, bias: Tensor | None = None, last_only: bool = False) -> Tensor:
        """(B, L, D) -> (B, L, D); with ``last_only`` (B, 1, D): the last layer computes that token alone."""
        if x.device.type != "cpu":
            return self._run(x, bias, last_only)
        size = max(1, STACK_VALUES // values_per_row(x.shape[1], self.heads, self.head_width))
        parts = [
            self._run_padded(x[rows], own, last_only, size) for rows, own in row_parts(len(x), size, bias)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _run_padded(self, x: Tensor, bias: Tensor | None, last_only: bool, most: int) -> Tensor:
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
        again = self.activation_checkpointing and torch.is_grad_enabled()
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
