"""Scaled dot-product attention, with the kernel that suits the device.

The rows here are short (a frame's joints, a clip's tokens). On the CPU plain batched products are faster for
them than the library's fused kernel, most of all backward and in bfloat16; on an accelerator that one is.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

SHORT = 64
"""Rows of up to this many scores: the library's softmax is slow for them in bfloat16, not in float32."""


def attend(qkv: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(Q K^T / sqrt(A) + bias) V, (B, L, H, A), for queries, keys and values (B, L, 3, H, A).

    Args:
        bias: added to the scores, 0 where a query may attend to a key and -inf where not; what broadcasts to
            (B, H, L, L), without a gradient. Every query needs at least one key.
    """
    if qkv.device.type != "cpu":  # not checked: there was no accelerator to try it on
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mask = None if bias is None else bias.to(query.dtype)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)
    if torch.is_grad_enabled() and qkv.requires_grad:
        return _Attention.apply(qkv, bias)
    heads = _by_head(qkv)
    return _by_token(_probabilities(heads, bias) @ heads[2])


class _Attention(torch.autograd.Function):
    """The same with its gradient written out: every product is a plain batched one on contiguous rows."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, bias: Tensor | None) -> Tensor:
        heads = _by_head(qkv)
        probabilities = _probabilities(heads, bias)
        # of all that is kept the probabilities are largest; in float32 they are computed again instead
        kept = probabilities if qkv.element_size() < 4 or qkv.shape[1] <= SHORT else None
        ctx.save_for_backward(heads, kept, bias)
        return _by_token(probabilities @ heads[2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        heads, probabilities, bias = ctx.saved_tensors
        if probabilities is None:
            probabilities = _probabilities(heads, bias)
        query, key, value = heads  # the query kept is the scaled one
        into = torch.empty_like(heads)

        def product(place: int, a: Tensor, b: Tensor) -> None:
            torch.bmm(a.flatten(0, 1), b.flatten(0, 1), out=into[place].flatten(0, 1))

        rows = grad.transpose(1, 2).contiguous()  # (B, H, L, A)
        product(2, probabilities.transpose(2, 3), rows)
        scores = _softmax_backward(rows @ value.transpose(2, 3), probabilities)
        product(0, scores, key)
        into[0] *= _scale(heads)
        product(1, scores.transpose(2, 3), query)
        return into.permute(1, 3, 0, 2, 4).contiguous(), None


def _by_head(qkv: Tensor) -> Tensor:
    """(B, L, 3, H, A) -> a copy (3, B, H, L, A), the query scaled."""
    heads = qkv.permute(2, 0, 3, 1, 4).clone(memory_format=torch.contiguous_format)
    heads[0] *= _scale(heads)
    return heads


def _by_token(x: Tensor) -> Tensor:
    """(B, H, L, A) -> (B, L, H, A), contiguous."""
    return x.transpose(1, 2).contiguous()


def _scale(heads: Tensor) -> float:
    return 1.0 / math.sqrt(heads.shape[-1])


def _probabilities(heads: Tensor, bias: Tensor | None) -> Tensor:
    """(B, H, L, L) from a scaled query and a key; the softmax is taken in float32."""
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
