"""Scaled dot-product attention, with the kernel that suits the device.

The rows here are short (a frame's joints, a clip's tokens). On the CPU plain batched products are faster for
them than the library's fused kernel, most of all backward and in bfloat16; on an accelerator that one is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attention output, (B, H, Lq, A), for query (B, H, Lq, A), key and value (B, H, Lk, A).

    Args:
        bias: added to the scores, 0 where a query may attend to a key and -inf where not; (Lq, Lk) or what
            broadcasts to (B, H, Lq, Lk). Every query needs at least one key.
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=None if bias is None else bias.to(query.dtype)
        )
    scores = (query * (1.0 / math.sqrt(query.shape[-1]))) @ key.transpose(-2, -1)
    if bias is not None:
        scores += bias.to(scores.dtype)  # in place: the product does not need its own result
    return torch.softmax(scores, dim=-1) @ value


def key_bias(valid: Tensor) -> Tensor:
    """Bias that hides keys which are not valid, (B, 1, 1, L), from a mask (B, L) with True for valid."""
    return torch.zeros(valid.shape, device=valid.device).masked_fill_(~valid, -math.inf)[:, None, None, :]
