"""The Transformer layer against its definition, with gradients: whole, in parts, for the last token alone."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models import layers as layers_module
from hitrs.models.layers import TransformerLayer, TransformerStack, spare_rows

WIDTH, LENGTH, BATCH = 8, 9, 9
BIASES = {
    "none": None,
    "shared": torch.randn(LENGTH, LENGTH),
    "of keys": torch.randn(BATCH, 1, 1, LENGTH),
    "of each row": torch.randn(BATCH, 1, LENGTH, LENGTH),
}


def stack(layers: int = 2) -> TransformerStack:
    torch.manual_seed(0)
    made = TransformerStack(layers, WIDTH, 6, 2, 4, 0.3).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made


def literal(layer: TransformerLayer, x: Tensor, bias: Tensor | None) -> Tensor:
    """The layer's equations, one head at a time."""
    h = F.layer_norm(x, x.shape[-1:], layer.attention_norm.weight, layer.attention_norm.bias)
    heads = []
    for head in range(layer.heads):
        query, key, value = (
            h @ w.view(layer.heads, layer.head_width, -1)[head].T for w in layer.qkv.weight.chunk(3)
        )
        scores = query @ key.transpose(1, 2) / layer.head_width**0.5
        if bias is not None:
            scores = scores + (bias[:, 0] if bias.dim() == 4 else bias)
        heads.append(scores.softmax(-1) @ value)
    x = x + layer.out(torch.cat(heads, -1))
    h = F.layer_norm(x, x.shape[-1:], layer.ffn_norm.weight, layer.ffn_norm.bias)
    return x + layer.fc2(F.gelu(layer.fc1(h)))


def with_gradients(made: nn.Module, x: Tensor, result: Tensor) -> list[Tensor]:
    torch.manual_seed(1)
    leaves = [x, *made.parameters()]
    return [result, *torch.autograd.grad((result * torch.randn_like(result)).sum(), leaves)]


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("bias", BIASES.values(), ids=BIASES)
@pytest.mark.parametrize("values", [1, 2 * LENGTH * 24, 10**6])  # parts of 1, of 2, all 9 and a spare row
def test_equals_its_definition(monkeypatch, values: int, bias: Tensor | None, last_only: bool) -> None:
    monkeypatch.setattr(layers_module, "STACK_VALUES", values)
    made, x = stack(), torch.randn(BATCH, LENGTH, WIDTH, requires_grad=True)
    expected = x
    for layer in made.layers:
        expected = literal(layer, expected, bias)
    if last_only:
        expected = expected[:, -1:]
    result = made(x, bias, last_only)
    for mine, theirs in zip(with_gradients(made, x, result), with_gradients(made, x, expected), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(made(x, bias, last_only), expected, atol=1e-5, rtol=0)


def test_training_sees_few_sizes() -> None:
    sizes = {count + spare_rows(count, 1000) for count in range(1001)}
    assert len(sizes) < 40
    assert max(sizes) == 1000
    assert all(0 <= spare_rows(count, 1000) <= count / 4 for count in range(1001))


def test_computing_again_changes_nothing(monkeypatch) -> None:
    monkeypatch.setattr(layers_module, "STACK_VALUES", 2 * LENGTH * 24)
    made = stack().train()  # the dropout masks are drawn again too

    def run(activation_checkpointing: bool) -> tuple[int, list[Tensor]]:
        made.activation_checkpointing, kept = activation_checkpointing, []
        x = torch.ones(BATCH, LENGTH, WIDTH).cumsum(0).requires_grad_()
        torch.manual_seed(3)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            result = made(x, BIASES["of keys"])
        return sum(kept), with_gradients(made, x, result)

    (much, plain), (little, again) = run(False), run(True)
    assert little < much / 3
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))


def test_weights_get_float32_gradients_from_bfloat16_products() -> None:
    made, x = stack(), torch.randn(BATCH, LENGTH, WIDTH)
    exact = torch.autograd.grad(made(x).square().sum(), list(made.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        result = made(x)
    assert result.dtype == torch.bfloat16 or result.dtype == torch.float32
    rough = torch.autograd.grad(result.float().square().sum(), list(made.parameters()))
    for mine, theirs in zip(rough, exact, strict=True):
        assert mine.dtype == torch.float32
        assert F.cosine_similarity(mine.flatten(), theirs.flatten(), dim=0) > 0.99
