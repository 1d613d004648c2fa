"""Attention, linear maps and dropout against the library's, with gradients."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from hitrs.models import cpu_ops
from hitrs.models.cpu_ops import DropoutAdd, layer_norm, linear
from hitrs.models.layers import attend, key_bias


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("length", [7, 70])  # the probabilities of short rows are kept, of long ones not
@pytest.mark.parametrize("values", [1, 2 * 70 * 140, 10**7])  # one row at a time, two and one, all
def test_attention_equals_the_librarys(monkeypatch, masked: bool, length: int, values: int) -> None:
    monkeypatch.setattr(cpu_ops, "ATTENTION_VALUES", values)
    torch.manual_seed(0)
    qkv = torch.randn(3, length, 3, 2, 4, requires_grad=True)
    bias = None
    if masked:
        valid = torch.rand(3, length) < 0.6
        valid[:, 0] = True
        bias = key_bias(valid)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=bias).transpose(1, 2)
    ours = attend(qkv, bias)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(attend(qkv, bias), expected, atol=1e-5, rtol=0)
    weight = torch.randn_like(ours)
    (theirs,) = torch.autograd.grad((expected * weight).sum(), qkv)
    (mine,) = torch.autograd.grad((ours * weight).sum(), qkv)
    torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0)


def test_hidden_keys_have_no_influence() -> None:
    qkv = torch.randn(1, 3, 3, 1, 4)
    bias = key_bias(torch.tensor([[True, False, True]]))
    assert bias.flatten().tolist() == [0, -math.inf, 0]
    torch.testing.assert_close(attend(qkv, bias)[:, ::2], attend(qkv[:, ::2]))


def test_attention_leaves_its_inputs_alone() -> None:
    for length in (1, 3):  # a single token's queries, keys and values lie in order already
        bias, qkv = torch.zeros(length, length), torch.ones(1, length, 3, 1, 4)
        attend(qkv, bias)
        attend(qkv.requires_grad_(), bias).sum().backward()
        assert (bias == 0).all()
        assert (qkv == 1).all()


@pytest.mark.parametrize("before", ["nothing", "norm", "gelu"])
def test_linear_equals_the_librarys(before: str) -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(4, 3, 8), torch.randn(5, 8), torch.randn(5)
    arguments = [torch.randn(8), torch.randn(8)] if before == "norm" else []
    leaves = [t.requires_grad_() for t in (x, weight, bias, *arguments)]
    function = {"nothing": None, "norm": layer_norm, "gelu": F.gelu}[before]
    expected = F.linear(function(x, *arguments) if function else x, weight, bias)
    result = linear(x, weight, bias, function, *arguments)
    torch.testing.assert_close(result, expected)
    factor = torch.randn_like(expected)
    for mine, theirs in zip(
        torch.autograd.grad((result * factor).sum(), leaves),
        torch.autograd.grad((expected * factor).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("p", [0.1, 0.2, 0.5, 0.999])
def test_dropout_rate_and_expectation(p: float) -> None:
    torch.manual_seed(0)
    layer = DropoutAdd(p)
    rate = layer.threshold / 256
    assert rate == pytest.approx(p, abs=1 / 256)
    x = torch.ones(999, 1001)  # neither a multiple of eight
    y = layer(x, torch.zeros(()))
    assert (y == 0).float().mean().item() == pytest.approx(rate, abs=0.002)
    kept = y[y != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - rate)))
    assert y.mean().item() == pytest.approx(1, abs=0.02 if p < 0.9 else 0.1)
    # no pattern along rows or columns
    assert (y == 0).float().mean(0).std() < 3 * math.sqrt(rate * (1 - rate) / 999)
    assert not torch.equal(layer(x, torch.zeros(())), y)


@given(st.lists(st.integers(0, 5), max_size=3))
def test_dropout_takes_any_shape(shape: list[int]) -> None:
    x, onto = torch.randn(shape), torch.randn(shape)
    y = DropoutAdd(0.5)(x, onto)
    assert y.shape == x.shape
    assert ((y == onto) | torch.isclose(y, onto + 2 * x)).all()


def test_no_dropout_when_evaluating_or_at_rate_zero() -> None:
    x, onto = torch.randn(5), torch.randn(5)
    assert torch.equal(DropoutAdd(0.5).eval()(x, onto), onto + x)
    assert torch.equal(DropoutAdd(0.0)(x, onto), onto + x)


def test_dropout_follows_the_seed() -> None:
    layer, x, drawn = DropoutAdd(0.3), torch.randn(100), []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(layer(x, torch.zeros(100)))
    assert torch.equal(*drawn)


def test_dropout_has_a_gradient_where_it_keeps() -> None:
    x, onto = torch.ones(100, requires_grad=True), torch.zeros(100, requires_grad=True)
    y = DropoutAdd(0.5)(x, onto)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert (onto.grad == 1).all()


def test_dropout_of_all_is_refused() -> None:
    with pytest.raises(ValueError, match="dropout must lie in"):
        DropoutAdd(1.0)
