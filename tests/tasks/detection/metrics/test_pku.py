"""The scores of PKU-MMD, against a literal version of their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import apart, recordings

from hitrs.tasks.detection.metrics.average_precision import (
    PkuMatches,
    pku_2d_ap,
    pku_ap,
    pku_f1,
    pku_map_action,
    pku_map_video,
)
from hitrs.tasks.detection.segments import Proposal

A, B = [Proposal(0, 10, 0), Proposal(20, 30, 0)], [Proposal(5, 25, 1)]


def literal_overlap(p, t):
    """[start, end] as numbers, frames from 1, the last one included in the text."""
    (s1, e1), (s2, e2) = (p.start + 1, p.stop), (t.start + 1, t.stop)
    if (s1, e1) == (s2, e2):
        return 1.0
    shared = max(min(e1, e2) - max(s1, s2), 0)
    return shared / (e1 - s1 + e2 - s2 - shared) if shared else 0.0


def literal_state(ranked, truths, theta):
    """(precision, recall) of a list of (recording, proposal)."""
    found = set()
    for video, p in ranked:
        best = None
        for number, (of, t) in enumerate(truths):
            if of == video and t.label == p.label:
                overlap = literal_overlap(p, t)
                if overlap >= theta and (best is None or overlap > best[0]):
                    best = overlap, number
        if best is not None:
            found.add(best[1])
    return (len(found) / len(ranked) if ranked else 0.0), len(found) / len(truths)


def literal_ap(truth, proposals, theta):
    truths = [(v, t) for v, true in enumerate(truth) for t in sorted(true, key=lambda t: (t.start, t.stop))]
    ranked = [(v, p) for v, found in enumerate(proposals) for p in found]
    ranked.sort(key=lambda entry: (-entry[1].score, entry[0], entry[1].start, entry[1].stop, entry[1].label))
    best, recall = literal_state(ranked, truths, theta)
    score = 0.0
    while ranked:
        ranked.pop()
        precision, now = literal_state(ranked, truths, theta)
        best = max(best, precision)
        score += best * (recall - now)
        recall = now
    return score


def chosen(side, label):
    return [[p for p in segments if p.label == label] for segments in side]


def test_overlap_counts_the_numbers_of_the_text_not_frames():
    """Frames 1-10 and 1-6: 5 / 9 as numbers, 6 / 10 as frames."""
    matches = PkuMatches.of([[Proposal(0, 10, 0)]], [[Proposal(0, 6, 0)]])
    assert matches.overlap.tolist() == [pytest.approx(5 / 9)]


def test_two_proposals_may_go_to_one_truth_but_count_once():
    """Both overlap the first truth by more than theta: found 1 of 2 with 2 proposals."""
    matches = PkuMatches.of([A], [[Proposal(0, 9, 0, 0.9), Proposal(1, 10, 0, 0.8)]])
    assert pku_f1(matches, 0.5) == pytest.approx(0.5)  # precision 1/2, recall 1/2
    # Dropping the second keeps the recall and lifts the precision to 1, dropping the first loses recall 1/2.
    assert pku_ap(matches, 0.5) == pytest.approx(0.5)


def test_means_over_classes_and_over_videos_by_hand():
    """Class 0: both found behind a wrong one (AP 2/3). Class 1: missed in the second recording (AP 1/2)."""
    truth = [A, B, B]
    proposals = [
        [Proposal(40, 50, 0, 0.9), Proposal(0, 10, 0, 0.8), Proposal(20, 30, 0, 0.7)],
        [Proposal(30, 40, 1, 0.2)],
        [Proposal(5, 25, 1, 0.6)],
    ]
    matches = PkuMatches.of(truth, proposals)
    assert pku_map_action(matches, 0.5) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert pku_map_video(matches, 0.5) == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert pku_f1(matches, 0.5) == pytest.approx(2 * (3 / 5) * (3 / 4) / (3 / 5 + 3 / 4))
    # All at once: wrong, right, right, right, wrong of four truths.
    assert pku_ap(matches, 0.5) == pytest.approx(3 / 4 * 3 / 4)


def test_2d_ap_by_hand():
    """5 / 9 as numbers: found at theta 0.05 to 0.55, 11 of 20."""
    assert pku_2d_ap(PkuMatches.of([[Proposal(0, 10, 0)]], [[Proposal(0, 6, 0)]])) == pytest.approx(11 / 20)


def test_without_proposals_all_is_0():
    matches = PkuMatches.of([A, []], [[], []])
    assert (pku_map_action(matches, 0.5), pku_map_video(matches, 0.5), pku_f1(matches, 0.5)) == (0, 0, 0)


@given(recordings, st.sampled_from([0.05, 0.3, 0.5, 0.75, 1.0]))
def test_same_as_the_literal_version(pairs, theta):
    truth, proposals = [true for true, _ in pairs], [found for _, found in pairs]
    matches = PkuMatches.of(truth, proposals)
    assert pku_ap(matches, theta) == pytest.approx(literal_ap(truth, proposals, theta))
    labels = {t.label for true in truth for t in true}
    by_class = [literal_ap(chosen(truth, label), chosen(proposals, label), theta) for label in labels]
    assert pku_map_action(matches, theta) == pytest.approx(np.mean(by_class))
    by_video = [literal_ap([true], [found], theta) for true, found in pairs if true]
    assert pku_map_video(matches, theta) == pytest.approx(np.mean(by_video))
    truths = [(v, t) for v, true in enumerate(truth) for t in true]
    ranked = [(v, p) for v, found in enumerate(proposals) for p in found]
    precision, recall = literal_state(ranked, truths, theta)
    expected = 2 * precision * recall / (precision + recall) if precision else 0.0
    assert pku_f1(matches, theta) == pytest.approx(expected)


@given(st.lists(apart(), min_size=1, max_size=3).filter(any))
def test_perfect_proposals_score_1(truth):
    matches = PkuMatches.of(truth, truth)
    scores = [
        pku_map_action(matches, 1.0),
        pku_map_video(matches, 1.0),
        pku_f1(matches, 1.0),
        pku_2d_ap(matches),
    ]
    assert scores == pytest.approx([1, 1, 1, 1])


@given(recordings, st.data())
def test_order_within_a_recording_does_not_matter(pairs, data):
    mixed = [tuple(data.draw(st.permutations(side)) for side in pair) for pair in pairs]
    first, second = (PkuMatches.of(*zip(*side, strict=True)) for side in (pairs, mixed))
    assert pku_map_action(first, 0.5) == pku_map_action(second, 0.5)
    assert pku_2d_ap(first) == pku_2d_ap(second)
