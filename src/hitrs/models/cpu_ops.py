"""Fast forms on the CPU of what a Transformer layer consists of: linear maps, attention and dropout.

They keep little for the backward pass and work on parts that fit into the processor's cache. The layers
themselves are in ``hitrs.models.layers``; on an accelerator the library's own kernels are used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """LayerNorm over the last axis, eps 1e-5."""
    return F.layer_norm(x, weight.shape, weight, bias, 1e-5)


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    before: Callable[..., Tensor] | None = None,
    *arguments: Tensor,
) -> Tensor:
    """``F.linear(before(x, *arguments), weight, bias)``, (..., D) -> (..., E).

    Of x and of what ``before`` makes of it only x is kept for the backward pass.
    """
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return F.linear(before(x, *arguments) if before else x, weight, bias)
    return _Linear.apply(x, weight, bias, before, *arguments)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, before: Any, *arguments: Tensor
    ) -> Tensor:
        ctx.before = before
        ctx.dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        ctx.save_for_backward(x, weight, bias, *arguments)
        h = before(x, *arguments) if before else x
        return F.linear(h.to(ctx.dtype), weight.to(ctx.dtype), None if bias is None else bias.to(ctx.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, *arguments = ctx.saved_tensors
        leaves = [t.detach().requires_grad_() for t in (x, *arguments)]
        with torch.enable_grad():
            h = ctx.before(*leaves) if ctx.before else leaves[0]
        rows, grad = h.detach().to(ctx.dtype).flatten(0, -2), grad.flatten(0, -2)
        of_weight = (grad.T @ rows).to(weight.dtype)
        of_bias = None if bias is None else grad.sum(0, dtype=bias.dtype)
        of_h = (grad @ weight.to(ctx.dtype)).view(x.shape).to(h.dtype)
        of_x, *of_arguments = torch.autograd.grad(h, leaves, of_h) if ctx.before else [of_h]
        return of_x, of_weight, of_bias, None, *of_arguments


ATTENTION_VALUES = 2_200_000
"""Values that attention works on at once, so that they stay in the processor's cache (4 MB in bfloat16)."""

SHORT_ROW = 64
"""Rows of up to this many scores: the gradient of the library's softmax is slow for them in bfloat16."""


def attention(qkv: Tensor, bias: Tensor | None = None) -> Tensor:
    """``hitrs.models.layers.attend`` on the CPU."""
    if torch.is_grad_enabled() and qkv.requires_grad:
        return _Attention.apply(qkv, bias)
    parts = []
    for rows, own in _parts(qkv, bias):
        heads = _by_head(qkv[rows])
        parts.append(_by_token(_probabilities(heads, own) @ heads[2]))
    return torch.cat(parts)


class _Attention(torch.autograd.Function):
    """Attention with its gradient written out: every product is a plain batched one on contiguous rows."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, bias: Tensor | None) -> Tensor:
        # of all that is kept the probabilities are largest; in float32 they are computed again instead
        keep = qkv.element_size() < 4 or qkv.shape[1] <= SHORT_ROW
        parts, kept = [], []
        for rows, own in _parts(qkv, bias):
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
        parts = zip(_parts(grad, bias), kept[::2], kept[1::2], strict=True)
        for (rows, own), by_head, probabilities in parts:
            if probabilities is None:
                probabilities = _probabilities(by_head, own)
            _backward(grad[rows], by_head, probabilities, result[rows])
        return result, None


def _backward(grad: Tensor, heads: Tensor, probabilities: Tensor, result: Tensor) -> None:
    """Fill ``result``, the gradient (b, L, 3, H, A) of queries, keys and values, of one part."""
    query, key, value = heads  # the query kept is the scaled one
    gradients = torch.empty_like(heads)

    def product(place: int, a: Tensor, b: Tensor) -> None:
        torch.bmm(a.flatten(0, 1), b.flatten(0, 1), out=gradients[place].flatten(0, 1))

    grad = grad.transpose(1, 2).contiguous()  # (b, H, L, A)
    product(2, probabilities.transpose(2, 3), grad)
    scores = _softmax_backward(grad @ value.transpose(2, 3), probabilities)
    product(0, scores, key)
    gradients[0] *= _scale(heads)
    product(1, scores.transpose(2, 3), query)
    result.copy_(gradients.permute(1, 3, 0, 2, 4))


def values_per_row(length: int, heads: int, width: int) -> int:
    """The most that one row of L tokens needs along the way: queries, keys and values, or scores."""
    return length * heads * max(3 * width, length)


def has_rows(bias: Tensor | None) -> TypeGuard[Tensor]:
    """Whether each row of a batch has a bias of its own."""
    return bias is not None and bias.dim() == 4 and len(bias) > 1


def row_parts(count: int, size: int, bias: Tensor | None) -> Iterator[tuple[slice, Tensor | None]]:
    """Parts of ``count`` rows, each of up to ``size``, with its bias; of no rows one that is empty."""
    for start in range(0, max(1, count), size):
        rows = slice(start, start + size)
        yield rows, bias[rows] if has_rows(bias) else bias


def _parts(x: Tensor, bias: Tensor | None) -> Iterator[tuple[slice, Tensor | None]]:
    """Parts of a batch (B, L, ..., H, A), each of about ``ATTENTION_VALUES`` values, with its bias."""
    return row_parts(len(x), max(1, ATTENTION_VALUES // values_per_row(x.shape[1], *x.shape[-2:])), bias)


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
    if grad.shape[-1] <= SHORT_ROW:
        grad, probabilities = grad.float(), probabilities.float()
    out: Tensor = torch._softmax_backward_data(grad, probabilities, -1, grad.dtype)
    return out.to(dtype)


class DropoutAdd(nn.Module):
    """``onto + Dropout(x)``, the end of a residual branch: (any shape), (same shape) -> (same shape).

    In training mode elements of x are dropped with probability ``p``.
    """

    def __init__(self, p: float):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {p}")
        self.threshold = min(round(256 * p), 255)

    def extra_repr(self) -> str:
        return f"p={self.threshold / 256:.4f}"

    def forward(self, x: Tensor, onto: Tensor) -> Tensor:
        if not self.training or self.threshold == 0:
            return onto + x
        if x.device.type != "cpu":
            return onto + nn.functional.dropout(x, self.threshold / 256)
        draws = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = draws.view(torch.uint8)[: x.numel()].view(x.shape) >= self.threshold
        return torch.addcmul(onto, x, keep.to(x.dtype), value=256 / (256 - self.threshold))
