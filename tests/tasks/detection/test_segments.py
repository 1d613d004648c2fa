"""Frames to proposals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hitrs.errors import ConfigError, DataError
from hitrs.tasks.detection.segments import Proposal, SegmentSettings, iou, propose, smooth, suppress

RUNS = SegmentSettings()
THRESHOLD = SegmentSettings(mode="threshold", threshold=(0.5,))


def frames(text: str, sure: float = 0.8) -> np.ndarray:
    """Probabilities (T, 3) whose largest is named by a letter a frame: a, b, or . for background."""
    values = np.full((len(text), 3), (1 - sure) / 2)
    values[np.arange(len(text)), ["ab.".index(letter) for letter in text]] = sure
    return values


def places(proposals):
    return [(p.start, p.stop, p.label) for p in proposals]


def test_runs_of_the_most_probable_class():
    found = propose(frames("..aaab.bb"), RUNS)
    assert places(found) == [(2, 5, 0), (5, 6, 1), (7, 9, 1)]
    assert [p.score for p in found] == pytest.approx([0.8] * 3)
    assert propose(frames("...."), RUNS) == []


def test_the_score_is_the_mean_probability():
    values = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]])
    (found,) = propose(values, RUNS)
    assert (found.start, found.stop, found.score) == (0, 2, pytest.approx(0.75))


def test_merging_closes_gaps_and_comes_before_the_minimum_length():
    text = "aa.aa...a"
    assert places(propose(frames(text), replace(RUNS, merge=1))) == [(0, 5, 0), (8, 9, 0)]
    assert places(propose(frames(text), replace(RUNS, min_length=3))) == []
    assert places(propose(frames(text), replace(RUNS, merge=1, min_length=3))) == [(0, 5, 0)]
    # A flicker of another class is bridged, and is itself too short.
    assert places(propose(frames("aabaa"), replace(RUNS, merge=1, min_length=2))) == [(0, 5, 0)]


def test_classes_may_overlap_above_their_thresholds():
    values = np.array([[0.5, 0.4, 0.1], [0.45, 0.45, 0.1], [0.1, 0.5, 0.4]])
    one = replace(THRESHOLD, threshold=(0.44,))
    assert places(propose(values, one)) == [(0, 2, 0), (1, 3, 1)]
    assert places(propose(values, replace(one, threshold=(0.44, 0.5)))) == [(0, 2, 0), (2, 3, 1)]


def test_runs_below_the_least_score_are_dropped():
    values = np.concatenate([frames("aa", 0.9), frames("bb", 0.6)])
    assert places(propose(values, replace(RUNS, threshold=(0.7,)))) == [(0, 2, 0)]
    assert places(propose(values, replace(RUNS, threshold=(0.95, 0.5)))) == [(2, 4, 1)]


def test_equal_probabilities_at_the_threshold_count():
    values = np.tile([0.3, 0.3, 0.4], (7, 1))
    settings = replace(THRESHOLD, threshold=(0.3,), smoothing=3)
    assert places(propose(values, settings)) == [(0, 7, 0), (0, 7, 1)]


def test_levels_add_tighter_segments_and_nms_keeps_the_better():
    values = np.array([[0.5, 0.5], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1], [0.5, 0.5], [0.5, 0.5]])
    levels = replace(THRESHOLD, levels=2, nms=0.3)  # at 0.5 and 0.75
    assert places(propose(values, levels)) == [(2, 4, 0)]
    assert places(propose(values, replace(levels, nms=0.5))) == [(0, 6, 0), (2, 4, 0)]


def test_suppression_is_within_a_class():
    proposals = [Proposal(0, 10, 0, 0.5), Proposal(1, 10, 0, 0.9), Proposal(0, 10, 1, 0.1)]
    assert suppress(proposals, 0.5) == [Proposal(0, 10, 1, 0.1), Proposal(1, 10, 0, 0.9)]


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=st.floats(0, 1)),
    st.sampled_from([1, 3, 5]),
)
def test_smoothing_is_the_mean_of_the_frames_around(values, window):
    half = window // 2
    slow = [values[max(0, t - half) : t + half + 1].mean(0) for t in range(len(values))]
    np.testing.assert_allclose(smooth(values, window), slow, atol=1e-12)


probabilities = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 25), st.just(3)), elements=st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9])
)


@given(probabilities, st.sampled_from([RUNS, THRESHOLD]), st.integers(0, 3), st.integers(1, 4))
def test_same_as_a_walk_over_the_frames(values, settings, merge, min_length):
    expected = []
    for label in range(2):
        own = (
            values.argmax(1) == label
            if settings.mode == "runs"
            else values[:, label] >= settings.threshold[0]
        )
        open_at, last = None, None
        for frame, inside in enumerate([*own.tolist(), *[False] * (merge + 1)]):
            if inside:
                open_at, last = frame if open_at is None else open_at, frame
            elif open_at is not None and frame - last > merge:
                piece = values[open_at : last + 1, label]
                if len(piece) >= min_length and piece.mean() >= settings.threshold[0] - 1e-9:
                    expected.append((open_at, last + 1, label, round(float(piece.mean()), 9)))
                open_at = None
    found = propose(values, replace(settings, merge=merge, min_length=min_length))
    assert [(p.start, p.stop, p.label, round(p.score, 9)) for p in found] == sorted(expected)


@given(probabilities, st.integers(2, 4), st.sampled_from([0.2, 0.5]))
def test_what_stays_of_several_levels_overlaps_little(values, levels, nms):
    found = propose(values, replace(THRESHOLD, levels=levels, nms=nms))
    for label in range(2):
        own = [(p.start, p.stop) for p in found if p.label == label]
        overlaps = iou(own, own)
        assert (overlaps[~np.eye(len(own), dtype=bool)] <= nms).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [(np.ones(5), r"\(5,\)"), (np.ones((0, 3)), "frames"), (np.ones((4, 1)), "background")],
)
def test_wrong_shapes_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        propose(values, RUNS)


def test_a_frame_without_a_number_is_named():
    values = frames("aab.")
    values[2, 1] = np.nan
    with pytest.raises(DataError, match="frame 2"):
        propose(values, RUNS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "peaks"}, "mode must be one of runs, threshold"),
        ({"threshold": ()}, "threshold"),
        ({"threshold": (1.5,)}, "threshold"),
        ({"smoothing": 4}, "odd number of frames, got 4"),
        ({"merge": -1}, "merge"),
        ({"min_length": 0}, "min_length"),
        ({"nms": 0.0}, "nms"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        SegmentSettings(**settings)


def test_thresholds_of_another_number_of_classes_are_refused():
    with pytest.raises(ConfigError, match="3 thresholds, but there are 2 classes"):
        propose(frames("a.b"), SegmentSettings(threshold=(0.1, 0.2, 0.3)))
