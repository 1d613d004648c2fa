"""Frame accuracy, IoU, edit score and segmental F1; how long after its start an action is named."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.errors import ConfigError, DataError
from hitrs.tasks.detection.metrics.frames import (
    accuracy,
    edit_score,
    frame_iou,
    labeled_segments,
    latency,
    levenshtein,
    naming_delays,
    segment_f1,
)
from hitrs.tasks.detection.segments import Proposal

K = 2  # classes 0 and 1; 2 is background
NAMED = np.array([2, 2, 0, 2, 0, 0, 0, 1, 1, 2])
ACTIONS = [Proposal(1, 7, 0), Proposal(7, 9, 1), Proposal(9, 10, 1)]
labelings = st.lists(st.integers(0, K), min_size=1, max_size=30).map(np.array)


def segments(*labelings):
    return [labeled_segments(np.array(labels), K) for labels in labelings]


def test_segments_leave_background_out():
    assert segments([2, 0, 0, 1, 2, 2, 0]) == [[Proposal(1, 3, 0), Proposal(3, 4, 1), Proposal(6, 7, 0)]]
    assert segments([2, 2]) == [[]]


def test_accuracy_is_over_all_frames_and_counts_background():
    truth = [np.array([2, 2, 0, 0]), np.array([1])]
    assert accuracy(truth, [np.array([2, 0, 0, 1]), np.array([1])]) == pytest.approx(3 / 5)


def test_frame_iou_by_hand():
    """Class 0: 1 shared of 3 frames; class 1 has no true frame and is left out."""
    assert frame_iou([np.array([0, 0, 2, 2])], [np.array([2, 0, 0, 1])], K) == pytest.approx(1 / 3)
    assert math.isnan(frame_iou([np.array([2])], [np.array([0])], K))


def test_edit_score_by_hand():
    """0 1 0 becomes 0 0 by leaving one out: 1 - 1/3; an empty pair counts as 1."""
    truth, found = segments([0, 2, 1, 0], [2]), segments([0, 2, 2, 0], [2])
    assert edit_score(truth, found) == pytest.approx((2 / 3 + 1) / 2)
    assert edit_score(segments([0, 0]), segments([1, 1])) == 0


def test_f1_by_hand():
    """The first piece hits (overlap 2/5), the second of the same truth comes too late, class 1 is missed."""
    truth, found = segments([0, 0, 0, 0, 0, 2, 1]), segments([0, 0, 1, 0, 0, 2, 2])
    assert segment_f1(truth, found, 0.4) == pytest.approx(2 * 1 / (2 + 3))
    assert segment_f1(truth, found, 0.5) == 0
    assert segment_f1([[]], [[]], 0.5) == 1
    assert segment_f1([[]], found, 0.5) == 0


@given(st.lists(st.integers(0, 3), max_size=7), st.lists(st.integers(0, 3), max_size=7))
def test_levenshtein_same_as_its_recursion(first, second):
    @cache
    def distance(i, j):
        if not i or not j:
            return i + j
        change = distance(i - 1, j - 1) + (first[i - 1] != second[j - 1])
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, change)

    assert levenshtein(first, second) == distance(len(first), len(second))


@given(labelings, st.data(), st.sampled_from([0.1, 0.25, 0.5]))
def test_f1_same_as_slow_version(truth, data, theta):
    found = data.draw(st.lists(st.integers(0, K), min_size=len(truth), max_size=len(truth)).map(np.array))
    (true,), (predicted,) = segments(truth), segments(found)
    hit = [False] * len(true)
    right = wrong = 0
    for p in predicted:
        best, overlap = 0, 0.0
        for number, t in enumerate(true):
            frames = set(range(p.start, p.stop)), set(range(t.start, t.stop))
            value = len(frames[0] & frames[1]) / len(frames[0] | frames[1]) * (p.label == t.label)
            if value > overlap:
                best, overlap = number, value
        if overlap >= theta and not hit[best]:
            hit[best] = True
            right += 1
        else:
            wrong += 1
    missed = len(true) - sum(hit)
    expected = 2 * right / (2 * right + wrong + missed) if right + wrong + missed else 1.0
    assert segment_f1([true], [predicted], theta) == pytest.approx(expected)


@given(st.lists(labelings, min_size=1, max_size=3))
def test_the_truth_itself_scores_1(truth):
    own = segments(*truth)
    assert (accuracy(truth, truth), edit_score(own, own), segment_f1(own, own, 1.0)) == (1, 1, 1)
    if any(own):
        assert frame_iou(truth, truth, K) == 1


def test_delays_by_hand():
    assert naming_delays(ACTIONS, NAMED) == [1, 0, None]
    assert naming_delays(ACTIONS, NAMED, confirm=2) == [4, 1, None]
    assert naming_delays(ACTIONS, NAMED, confirm=3) == [5, None, None]


def test_only_frames_of_the_action_itself_name_it():
    """The same label before its start is a false alarm, and after its end it comes too late."""
    assert naming_delays([Proposal(2, 4, 0)], np.array([0, 0, 2, 2, 0]), 1) == [None]
    assert naming_delays([Proposal(1, 4, 0)], np.array([0, 0, 0, 2]), 3) == [None]


def test_latency_by_hand():
    assert latency([ACTIONS, [Proposal(0, 2, 1)]], [NAMED, np.array([2, 1])]) == {
        "latency/named": 3 / 4,
        "latency/median_frames": 1.0,
        "latency/mean_frames": pytest.approx(2 / 3),
    }
    assert set(latency([[]], [NAMED]).values()) == {None}
    assert latency([ACTIONS[2:]], [NAMED]) == {
        "latency/named": 0.0,
        "latency/median_frames": None,
        "latency/mean_frames": None,
    }


@given(st.lists(st.integers(0, 1), min_size=1, max_size=15), st.data())
def test_delays_same_as_frame_by_frame(labels, data):
    start = data.draw(st.integers(0, len(labels) - 1))
    stop = data.draw(st.integers(start + 1, len(labels)))
    confirm = data.draw(st.integers(1, 4))
    count, expected = 0, None
    for frame in range(start, stop):
        count = count + 1 if labels[frame] == 0 else 0
        if count >= confirm and expected is None:
            expected = frame - start
    assert naming_delays([Proposal(start, stop, 0)], np.array(labels), confirm) == [expected]


def test_refusals():
    with pytest.raises(ConfigError, match="at least 1 frame"):
        naming_delays(ACTIONS, NAMED, confirm=0)
    with pytest.raises(DataError, match="over the 5 frames"):
        naming_delays(ACTIONS, NAMED[:5])
