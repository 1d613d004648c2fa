"""mAP the PASCAL-VOC way."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import recordings, spans

from hitrs.tasks.detection.metrics.average_precision import THETAS, interpolated_ap, voc_precisions
from hitrs.tasks.detection.segments import Proposal, iou


def ap(truth, proposals, theta=0.5):
    return {label: values[0] for label, values in voc_precisions(truth, proposals, [theta]).items()}


def test_overlap_by_hand():
    assert iou([(0, 10)], [(5, 15), (10, 20), (0, 10), (2, 4)]).tolist() == [[5 / 15, 0, 1, 0.2]]
    assert iou([(3, 3)], [(3, 3), (4, 4)]).tolist() == [[1, 0]]  # points, as one frame is in PKU-MMD's scorer
    assert iou([], [(1, 2)]).shape == (0, 1)


def test_average_precision_by_hand():
    """Right, wrong, right, wrong of three truths: recall 1/3 at precision 1, 2/3 at 2/3, never 1."""
    truth = [[Proposal(0, 10, 0), Proposal(20, 30, 0), Proposal(40, 50, 0)]]
    proposals = [
        [
            Proposal(0, 9, 0, 0.9),
            Proposal(32, 38, 0, 0.8),
            Proposal(21, 30, 0, 0.7),
            Proposal(60, 70, 0, 0.6),
        ]
    ]
    assert ap(truth, proposals) == {0: pytest.approx((1 + 2 / 3) / 3)}


def test_a_better_precision_at_higher_recall_counts_backwards():
    """Wrong, right, right: precision 1/2, then 2/3, which then also stands at the first recall."""
    assert interpolated_ap(np.array([False, True, True]), 2) == pytest.approx(2 / 3)


def test_a_truth_is_taken_once_and_the_next_best_free_one_is_used():
    truth = [[Proposal(0, 10, 0)]]
    twice = [[Proposal(0, 10, 0, 0.9), Proposal(0, 10, 0, 0.8)]]
    assert ap(truth, twice) == {0: 1.0}  # the second is wrong, but recall is complete by then
    assert ap([*truth, [Proposal(0, 5, 0)]], [*twice, [Proposal(0, 5, 0, 0.1)]]) == {
        0: pytest.approx((1 + 2 / 3) / 2)
    }
    overlapping = [[Proposal(0, 10, 0), Proposal(2, 12, 0)]]
    both = [[Proposal(0, 10, 0, 0.9), Proposal(1, 10, 0, 0.8)]]
    assert ap(overlapping, both) == {0: 1.0}


def test_recordings_and_classes_do_not_mix():
    truth = [[Proposal(0, 10, 0)], [Proposal(0, 10, 1)]]
    assert ap(truth, [[Proposal(0, 10, 1)], [Proposal(0, 10, 0)]]) == {0: 0.0, 1: 0.0}
    assert ap(truth, [[Proposal(0, 10, 0)], [Proposal(0, 10, 2)]]) == {0: 1.0, 1: 0.0}  # no class 2: left out


def test_overlap_equal_to_theta_is_enough():
    truth, proposals = [[Proposal(0, 10, 0)]], [[Proposal(0, 3, 0)]]
    assert ap(truth, proposals, 0.3) == {0: 1.0}
    assert ap(truth, proposals, 0.35) == {0: 0.0}


def slow_ap(truth, proposals, theta):
    """One class: at each number of proposals match anew, then integrate over recall in steps of one truth."""
    ranked = sorted(
        ((p.score, index, p) for index, found in enumerate(proposals) for p in found),
        key=lambda entry: (-entry[0], entry[1], entry[2].start, entry[2].stop),
    )
    total = sum(map(len, truth))
    points = []
    for count in range(1, len(ranked) + 1):
        free = [list(true) for true in truth]
        right = 0
        for _, index, p in ranked[:count]:
            best = None
            for t in free[index]:
                frames = set(range(p.start, p.stop)), set(range(t.start, t.stop))
                overlap = len(frames[0] & frames[1]) / len(frames[0] | frames[1])
                if overlap >= theta and (best is None or overlap > best[0]):
                    best = overlap, t
            if best is not None:
                free[index].remove(best[1])
                right += 1
        points.append((right / total, right / count))
    return sum(
        max((precision for recall, precision in points if recall >= level / total - 1e-12), default=0) / total
        for level in range(1, total + 1)
    )


@given(recordings, st.sampled_from(THETAS))
def test_same_as_slow_version(pairs, theta):
    truth, proposals = [true for true, _ in pairs], [found for _, found in pairs]
    for label, value in ap(truth, proposals, theta).items():
        own = [
            [[p for p in segments if p.label == label] for segments in side] for side in (truth, proposals)
        ]
        assert value == pytest.approx(slow_ap(*own, theta))


@given(st.lists(spans(), min_size=1, max_size=3).filter(any))
def test_perfect_proposals_have_ap_1_at_every_overlap(truth):
    for values in voc_precisions(truth, truth, THETAS).values():
        assert values == pytest.approx([1.0] * len(THETAS))


@given(recordings, st.data())
def test_order_within_a_recording_does_not_matter(pairs, data):
    mixed = [tuple(data.draw(st.permutations(side)) for side in pair) for pair in pairs]
    assert ap(*zip(*pairs, strict=True)) == ap(*zip(*mixed, strict=True))


@given(recordings)
def test_a_wider_tolerance_never_costs_with_one_truth_of_a_class(pairs):
    truth, proposals = [[Proposal(5, 15, 0)]], [[p for _, found in pairs for p in found]]
    values = voc_precisions(truth, proposals, THETAS)[0]
    assert all(a >= b - 1e-12 for a, b in pairwise(values))
