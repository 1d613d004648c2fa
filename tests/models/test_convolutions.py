"""Random convolutions against loops, and what they and a ridge classifier can tell apart."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from hitrs.models.convolutions import LENGTH, RandomConvolutions
from hitrs.models.ridge import FOLDS, SHARPNESSES, _folds, _solve, fit_ridge


def bank() -> RandomConvolutions:
    return RandomConvolutions(channels=5, frames=20, kernels=6, biases=2, groups=2)


def test_features_against_a_loop() -> None:
    torch.manual_seed(0)
    sequences = torch.randn(3, 5, 20)
    convolutions = bank().fit(sequences)
    convolutions.biases += 1e-3  # a bias is the value of some output, of which rounding decides the side
    assert convolutions.dilations == [1, 2]
    features = convolutions(sequences)
    assert features.shape == (3, 4 * (6 * 2 * 3 + 2 * 8 * 2))
    moves = torch.zeros_like(sequences)
    moves[:, :, 1:] = sequences[:, :, 1:] - sequences[:, :, :-1]
    expected = []
    for n in range(3):
        row, part = [], 0
        for values in (sequences[n], moves[n]):
            for dilation in (1, 2):
                kernels = convolutions.pooled[6 * part : 6 * part + 6]
                biases = convolutions.biases[6 * part : 6 * part + 6]
                competing = convolutions.competing[16 * part : 16 * part + 16]
                part += 1
                for b in range(2):
                    outputs = [_loop(values, kernel, dilation) for kernel in kernels]
                    above = [[y - biases[k, b] for y in out] for k, out in enumerate(outputs)]
                    shares, heights, times = [], [], []
                    for out in above:
                        at = [t for t, y in enumerate(out) if y > 0]
                        shares.append(len(at) / 20)
                        heights.append(sum(float(out[t]) for t in at) / max(1, len(at)))
                        times.append(sum(t / 19 for t in at) / max(1, len(at)))
                    row += [*shares, *heights, *times]
                outputs = [_loop(values, kernel, dilation) for kernel in competing]
                won, lost = [0.0] * 16, [0.0] * 16
                for t in range(20):
                    for group in (0, 8):
                        own = [float(outputs[group + k][t]) for k in range(8)]
                        won[group + int(np.argmax(own))] += max(own)
                        lost[group + int(np.argmin(own))] += 1
                row += [max(0.0, w) ** 0.5 for w in won] + [n**0.5 for n in lost]
        expected.append(row)
    torch.testing.assert_close(features, torch.tensor(expected), atol=1e-4, rtol=1e-4)


def _loop(values: torch.Tensor, kernel: torch.Tensor, dilation: int) -> list[torch.Tensor]:
    half, outputs = dilation * (LENGTH // 2), []
    padded = F.pad(values, (half, half))
    for t in range(values.shape[1]):
        window = padded[:, t : t + dilation * LENGTH : dilation]
        outputs.append((window * kernel).sum())
    return outputs


def test_kernels_see_no_offset() -> None:
    torch.manual_seed(0)
    convolutions = bank()
    for kernels in (convolutions.pooled, convolutions.competing):
        assert kernels.sum(2).abs().max() < 1e-5
    per_group = (convolutions.competing != 0).any(2).unflatten(0, (-1, 8))
    assert (per_group == per_group[:, :1]).all()  # the kernels of a group compete on the same channels


def test_the_same_seed_gives_the_same_features() -> None:
    sequences = torch.randn(4, 5, 20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(bank().fit(sequences)(sequences), bank().fit(sequences)(sequences))
    other = RandomConvolutions(5, 20, kernels=6, biases=2, groups=2, seed=1).fit(sequences)
    assert not torch.equal(other(sequences), bank().fit(sequences)(sequences))


@pytest.mark.parametrize("strength", [0, 6, 12])
def test_ridge_is_the_solution_of_the_normal_equations(strength: int) -> None:
    from hitrs.models.ridge import STRENGTHS

    generator = torch.Generator().manual_seed(0)
    scaled = torch.randn(30, 8, generator=generator, dtype=torch.float64)
    scaled = scaled - scaled.mean(0)
    targets = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    dual, offset = _solve(scaled @ scaled.T, targets)
    penalty = 1e-3 * STRENGTHS[strength] * torch.eye(8, dtype=torch.float64)
    expected = torch.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ (targets - targets.mean(0)))
    torch.testing.assert_close(scaled.T @ dual[strength], expected)
    torch.testing.assert_close(offset[strength, 0], targets.mean(0))


def test_copies_of_a_recording_are_never_parted() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    copies, groups = np.tile(labels, 3), np.tile(np.arange(9), 3)
    fold = _folds(copies, groups, 0)
    assert (fold.reshape(3, 9) == fold[:9]).all()
    for label in (0, 1):
        counts = np.bincount(fold[:9][labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1


def test_ridge_tells_classes_apart_and_knows_how_sure_it_is() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 3
    features = torch.from_numpy(rng.normal(size=(400, 20)).astype(np.float32))
    features[:, 0] += torch.from_numpy(3.0 * (labels == 1))
    features[:, 1] += torch.from_numpy(3.0 * (labels == 2))
    features[:, 2] = 7.0  # says nothing, and has no deviation to divide by
    ridge = fit_ridge(features[:200], labels[:200], 3, np.arange(200))
    probabilities = ridge.probabilities(features[200:])
    right = probabilities.argmax(1).numpy() == labels[200:]
    assert right.mean() > 0.75
    torch.testing.assert_close(probabilities.sum(1), torch.ones(200))
    assert abs(float(probabilities.amax(1).mean()) - right.mean()) < 0.1  # calibrated
    assert ridge.sharpness in SHARPNESSES


def test_one_recording_a_class() -> None:
    features = torch.eye(3)
    ridge = fit_ridge(features, np.arange(3), 3, np.arange(3))
    assert ridge.probabilities(features).argmax(1).tolist() == [0, 1, 2]


def test_a_single_class() -> None:
    ridge = fit_ridge(torch.randn(5, 4), np.full(5, 1), 3, np.arange(5))
    assert ridge.probabilities(torch.randn(2, 4)).argmax(1).tolist() == [1, 1]
