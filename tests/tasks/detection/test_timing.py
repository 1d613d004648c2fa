"""Features of tokens and clips at frames, against loops; tubelets are where their frames are."""

import math

import pytest
import torch

from hitrs.tasks.detection.timing import Timing

TIMINGS = [
    Timing(first=0, step=1, size=1),
    Timing(first=0, step=4, size=4),  # tubelets
    Timing(first=-4, step=3, size=9),  # padded clips: number n is centered on frame 3 n
    Timing(first=0, step=12, size=12),  # clips side by side
    Timing(first=-8, step=12, size=20),
    Timing(first=0, step=4, size=16),  # clips that overlap
]


def made_up(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, count, 3, generator=generator)
    present = torch.rand(2, count, generator=generator) < 0.7
    return features, present


@pytest.mark.parametrize("timing", TIMINGS, ids=str)
def test_past_frames_only_means_the_newest_that_is_complete(timing: Timing) -> None:
    features, present = made_up(9)
    values, seen = timing.held(features, present, 40)
    for frame in range(40):
        complete = [n for n in range(9) if timing.first + n * timing.step + timing.size - 1 <= frame]
        assert timing.completed(frame) == any(
            timing.first + n * timing.step + timing.size - 1 == frame for n in range(100)
        )
        for row in range(2):
            if complete and present[row, complete[-1]]:
                assert bool(seen[row, frame])
                assert torch.equal(values[row, frame], features[row, complete[-1]])
            else:
                assert not seen[row, frame]
                assert not values[row, frame].any()


@pytest.mark.parametrize("timing", TIMINGS, ids=str)
def test_between_two_centers_features_are_interpolated_linearly(timing: Timing) -> None:
    features, present = made_up(9)
    counts = [9, 6]
    present[1, 6:] = False
    values, seen = timing.interpolated(features, present, torch.tensor(counts), 40)
    centers = [timing.first + n * timing.step + (timing.size - 1) / 2 for n in range(9)]
    for row, count in enumerate(counts):
        for frame in range(40):
            low = min(max(math.floor((frame - centers[0]) / timing.step), 0), count - 1)
            part = min(max((frame - centers[low]) / timing.step, 0.0), 1.0)
            near = (1 - part) * float(present[row, low])
            far = part * float(low + 1 < count and present[row, low + 1])
            behind = low == count - 1 and frame >= centers[low]
            if behind:
                near, far = float(present[row, low]), 0.0
            assert bool(seen[row, frame]) == (near + far > 0)
            expected = torch.zeros(3)
            if near + far > 0:
                other = features[row, low + 1] if low + 1 < count else 0.0
                expected = (near * features[row, low] + far * other) / (near + far)
            torch.testing.assert_close(values[row, frame], expected, atol=1e-5, rtol=1e-5)


def test_a_center_may_lie_between_two_frames() -> None:
    features = torch.tensor([[[0.0], [4.0], [100.0]]])
    present, timing = torch.tensor([[True, True, False]]), Timing(first=0, step=4, size=4)
    values, seen = timing.interpolated(features, present, torch.tensor([3]), 12)
    assert values[0, :, 0].tolist() == pytest.approx([0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4, 4, 4, 0, 0])
    assert seen[0].tolist() == [True] * 10 + [False] * 2
    values, seen = timing.held(features, present, 12)
    assert values[0, :, 0].tolist() == [0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 0]
    assert seen[0].tolist() == [False] * 3 + [True] * 8 + [False]
