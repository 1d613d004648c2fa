"""Linear maps that keep little for their backward pass, in the precision that autocast asks for.

``linear(x, W, b, before, ...)`` is W before(x) + b, with ``before`` a LayerNorm or a GELU. Of the plain
composition autograd keeps x and before(x); here x alone is kept and before(x), which costs little, computed
again. A weight's gradient leaves in the weight's own precision, so that the sum over the parts of a batch
does not lose digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """LayerNorm over the last axis, eps 1e-5."""
    return F.layer_norm(x, weight.shape, weight, bias, 1e-5)


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    before: Callable[..., Tensor] | None = None,
    *inner: Tensor,
) -> Tensor:
    """``F.linear(before(x, *inner), weight, bias)``, (..., D) -> (..., E)."""
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return F.linear(before(x, *inner) if before else x, weight, bias)
    return _Linear.apply(x, weight, bias, before, *inner)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, before: Any, *inner: Tensor
    ) -> Tensor:
        ctx.before = before
        ctx.dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        ctx.save_for_backward(x, weight, bias, *inner)
        h = before(x, *inner) if before else x
        return F.linear(h.to(ctx.dtype), weight.to(ctx.dtype), None if bias is None else bias.to(ctx.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, *inner = ctx.saved_tensors
        leaves = [t.detach().requires_grad_() for t in (x, *inner)]
        with torch.enable_grad():
            h = ctx.before(*leaves) if ctx.before else leaves[0]
        rows, into = h.detach().to(ctx.dtype).flatten(0, -2), grad.flatten(0, -2)
        of_weight = (into.T @ rows).to(weight.dtype)
        of_bias = None if bias is None else into.sum(0, dtype=bias.dtype)
        of_h = (into @ weight.to(ctx.dtype)).view(x.shape).to(h.dtype)
        of_x, *of_inner = torch.autograd.grad(h, leaves, of_h) if ctx.before else [of_h]
        return of_x, of_weight, of_bias, None, *of_inner
