"""Scaled dot-product attention, with the kernel that suits the device.

The rows here are short (a frame's joints, a clip's tokens). On the CPU plain batched products are faster for
them than the library's fused kernel, most of all backward and in bfloat16; on an accelerator that one is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeGuard

import torch
from torch import Tensor
from torch.nn import functional as F

GROUP = 2_200_000
"""Values that attention works on at once, so that they stay in the processor's cache (4 MB in bfloat16)."""

SHORT = 64
"""Rows of up to this many scores: the gradient of the library's softmax is slow for them in bfloat16."""


def attend(qkv: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(Q K^T / sqrt(A) + bias) V, (B, L, H, A), for queries, keys and values (B, L, 3, H, A).

    Args:
        bias: added to the scores, 0 where a query may attend to a key and -inf where not; (L, L), or (B or 1,
            1, L or 1, L); without a gradient. Every query needs at least one key.
    """
    if qkv.device.type != "cpu":  # not checked: there was no accelerator to try it on
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mask = None if bias is None else bias.to(query.dtype)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)
    if torch.is_grad_enabled() and qkv.requires_grad:
        return _Attention.apply(qkv, bias)
    parts = []
    for rows, own in _groups(qkv, bias):
        heads = _by_head(qkv[rows])
        parts.append(_by_token(_probabilities(heads, own) @ heads[2]))
    return torch.cat(parts)


class _Attention(torch.autograd.Function):
    """The same with its gradient written out: every product is a plain batched one on contiguous rows."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, bias: Tensor | None) -> Tensor:
        # of all that is kept the probabilities are largest; in float32 they are computed again instead
        keep = qkv.element_size() < 4 or qkv.shape[1] <= SHORT
        parts, kept = [], []
        for rows, own in _groups(qkv, bias):
            heads = _by_head(qkv[rows])
            probabilities = _probabilities(heads, own)
            parts.append(_by_token(probabilities @ heads[2]))
            kept += [heads, probabilities if keep else None]
        ctx.save_for_backward(bias, *kept)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        bias, *kept = ctx.saved_tensors
        batch, length, heads, width = grad.shape
        result = grad.new_empty(batch, length, 3, heads, width)
        groups = zip(_groups(grad, bias), kept[::2], kept[1::2], strict=True)
        for (rows, own), by_head, probabilities in groups:
            if probabilities is None:
                probabilities = _probabilities(by_head, own)
            _backward(grad[rows], by_head, probabilities, result[rows])
        return result, None


def _backward(grad: Tensor, heads: Tensor, probabilities: Tensor, result: Tensor) -> None:
    """Fill ``result``, the gradient (b, L, 3, H, A) of queries, keys and values, of one group."""
    query, key, value = heads  # the query kept is the scaled one
    into = torch.empty_like(heads)

    def product(place: int, a: Tensor, b: Tensor) -> None:
        torch.bmm(a.flatten(0, 1), b.flatten(0, 1), out=into[place].flatten(0, 1))

    grad = grad.transpose(1, 2).contiguous()  # (b, H, L, A)
    product(2, probabilities.transpose(2, 3), grad)
    scores = _softmax_backward(grad @ value.transpose(2, 3), probabilities)
    product(0, scores, key)
    into[0] *= _scale(heads)
    product(1, scores.transpose(2, 3), query)
    result.copy_(into.permute(1, 3, 0, 2, 4))


def values_per_row(length: int, heads: int, width: int) -> int:
    """The most that one row of L tokens needs along the way: queries, keys and values, or scores."""
    return length * heads * max(3 * width, length)


def has_rows(bias: Tensor | None) -> TypeGuard[Tensor]:
    """Whether each row of a batch has a bias of its own."""
    return bias is not None and bias.dim() == 4 and len(bias) > 1


def in_groups(count: int, size: int, bias: Tensor | None) -> Iterator[tuple[slice, Tensor | None]]:
    """Parts of ``count`` rows, each of up to ``size``, with its bias; of no rows one that is empty."""
    for start in range(0, max(1, count), size):
        rows = slice(start, start + size)
        yield rows, bias[rows] if has_rows(bias) else bias


def _groups(x: Tensor, bias: Tensor | None) -> Iterator[tuple[slice, Tensor | None]]:
    """Parts of a batch (B, L, ..., H, A), each of about ``GROUP`` values, with its bias."""
    return in_groups(len(x), max(1, GROUP // values_per_row(x.shape[1], *x.shape[-2:])), bias)


def _by_head(qkv: Tensor) -> Tensor:
    """(b, L, 3, H, A) -> a copy (3, b, H, L, A), the query scaled."""
    heads = qkv.permute(2, 0, 3, 1, 4).clone(memory_format=torch.contiguous_format)
    heads[0] *= _scale(heads)
    return heads


def _by_token(x: Tensor) -> Tensor:
    """(b, H, L, A) -> (b, L, H, A), contiguous."""
    return x.transpose(1, 2).contiguous()


def _scale(heads: Tensor) -> float:
    return 1.0 / math.sqrt(heads.shape[-1])


def _probabilities(heads: Tensor, bias: Tensor | None) -> Tensor:
    """(b, H, L, L) from a scaled query and a key; the softmax is taken in float32."""
    scores = (heads[0] @ heads[1].transpose(2, 3)).float()
    if bias is not None:
        scores += bias
    return torch.softmax(scores, dim=-1).to(heads.dtype)


def _softmax_backward(grad: Tensor, probabilities: Tensor) -> Tensor:
    """Gradient of the scores, from that of the probabilities."""
    dtype = grad.dtype
    if grad.shape[-1] <= SHORT:
        grad, probabilities = grad.float(), probabilities.float()
    out: Tensor = torch._softmax_backward_data(grad, probabilities, -1, grad.dtype)
    return out.to(dtype)


def key_bias(valid: Tensor) -> Tensor:
    """Bias that hides keys which are not valid, (B, 1, 1, L), from a mask (B, L) with True for valid."""
    return torch.zeros(valid.shape, device=valid.device).masked_fill_(~valid, -math.inf)[:, None, None, :]
