"""Interpolation between frames, against a loop over single joints."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hitrs.data.interpolation import interpolate

FRAMES, PERSONS, JOINTS = 7, 2, 5
TIMES = np.array([0, 0.25, 1, 2.5, 5.75, 6, 3, 8.5, -0.5])


def slow(positions: np.ndarray, valid: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shape = (len(times), *valid.shape[1:])
    values, seen = np.zeros((*shape, positions.shape[-1])), np.zeros(shape, bool)
    for n, time in enumerate(times):
        time = min(max(float(time), 0.0), len(positions) - 1.0)
        low, high = math.floor(time), math.ceil(time)
        for person in range(shape[1]):
            for joint in range(shape[2]):
                a, b = positions[low, person, joint], positions[high, person, joint]
                values[n, person, joint] = (1 - (time - low)) * a + (time - low) * b
                seen[n, person, joint] = valid[low, person, joint] and valid[high, person, joint]
    return values, seen


@pytest.fixture
def sequence() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(FRAMES, PERSONS, JOINTS, 3)).astype(np.float32)
    return positions, rng.random((FRAMES, PERSONS, JOINTS)) < 0.7


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_against_a_loop(sequence: tuple[np.ndarray, np.ndarray], kind: str) -> None:
    positions, valid = sequence
    expected, seen = slow(positions, valid, TIMES[:-1])
    given = [positions, valid, TIMES[:-1].astype(np.float32)]
    if kind == "torch":
        given = [torch.from_numpy(value) for value in given]
    values, found = interpolate(*given)
    assert isinstance(values, torch.Tensor if kind == "torch" else np.ndarray)
    assert np.asarray(values).dtype == np.float32
    np.testing.assert_allclose(np.asarray(values)[seen], expected[seen], atol=1e-6)
    np.testing.assert_array_equal(found, seen)


def test_a_frame_itself_is_exact(sequence: tuple[np.ndarray, np.ndarray]) -> None:
    """Where the time falls on a frame, the next one does not count: neither its values nor its validity."""
    positions, valid = sequence
    values, seen = interpolate(positions, valid, np.arange(FRAMES))
    np.testing.assert_array_equal(values, positions)
    np.testing.assert_array_equal(seen, valid)


def test_before_the_first_frame_both_must_be_seen() -> None:
    positions = np.zeros((2, 1, 1, 1), np.float32)
    valid = np.array([True, False]).reshape(2, 1, 1)
    assert not interpolate(positions, valid, np.array([-1e-16]))[1].any()


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_a_padded_batch_is_its_sequences(kind: str) -> None:
    rng = np.random.default_rng(1)
    lengths = [7, 4, 1]
    positions = rng.normal(size=(3, FRAMES, PERSONS, JOINTS, 2)).astype(np.float32)
    valid = rng.random((3, FRAMES, PERSONS, JOINTS)) < 0.7
    times = rng.uniform(0, 1, (3, 6)) * (np.array(lengths)[:, None] - 1)
    times[:, -1] = np.array(lengths) - 1
    given = [positions, valid, times.astype(np.float32), np.array(lengths)[:, None] - 1]
    if kind == "torch":
        given = [torch.from_numpy(value) for value in given]
    values, seen = (np.asarray(part) for part in interpolate(*given))
    for row, length in enumerate(lengths):
        alone = interpolate(positions[row, :length], valid[row, :length], times[row].astype(np.float32))
        np.testing.assert_allclose(values[row], alone[0], atol=1e-6)
        np.testing.assert_array_equal(seen[row], alone[1])
