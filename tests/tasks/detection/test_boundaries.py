"""Named segments to labels of frames, and labels that are wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.data import Segment
from hitrs.errors import DataError
from hitrs.tasks.detection import Proposal, frame_labels, numbered

CLASSES = ("wave", "nod")


def test_frames_outside_of_segments_are_background():
    segments = [Segment(4, 6, "nod"), Segment(0, 2, "wave")]
    assert frame_labels(segments, 7, CLASSES).tolist() == [0, 0, 2, 2, 1, 1, 2]
    assert numbered(segments, 7, CLASSES) == [Proposal(0, 2, 0), Proposal(4, 6, 1)]
    assert frame_labels([], 2, CLASSES).tolist() == [2, 2]


def test_where_segments_overlap_the_later_start_wins_then_the_shorter():
    assert frame_labels([Segment(2, 4, "nod"), Segment(0, 6, "wave")], 6, CLASSES).tolist() == [
        0,
        0,
        1,
        1,
        0,
        0,
    ]
    assert frame_labels([Segment(0, 2, "nod"), Segment(0, 4, "wave")], 4, CLASSES).tolist() == [1, 1, 0, 0]


@given(
    st.lists(
        st.tuples(st.integers(0, 19), st.integers(1, 9), st.sampled_from(CLASSES)).map(
            lambda s: Segment(s[0], min(s[0] + s[1], 20), s[2])
        ),
        max_size=6,
        unique_by=lambda s: (s.start, s.stop),
    ),
    st.randoms(use_true_random=False),
)
def test_same_frame_by_frame_in_any_order(segments, random):
    expected = []
    for frame in range(20):
        here = [s for s in segments if s.start <= frame < s.stop]
        winner = max(here, key=lambda s: (s.start, -s.stop), default=None)
        expected.append(len(CLASSES) if winner is None else CLASSES.index(winner.label))
    random.shuffle(segments)
    np.testing.assert_array_equal(frame_labels(segments, 20, CLASSES), expected)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        (Segment(3, 12, "wave"), "'wave', frames 3 to 12: the recording ends at frame 10.*frame rate"),
        (Segment(-1, 4, "wave"), "the recording ends"),
        (Segment(5, 3, "nod"), "'nod', frames 5 to 3: the first frame must come before the last"),
        (Segment(5, 5, "nod"), "must come before"),
        (Segment(0, 3, "wawe"), "no such class; did you mean 'wave'"),
        (Segment(0, 3, "jump"), "no such class; known are wave, nod"),
    ],
)
def test_wrong_labels_are_told(segment, message):
    with pytest.raises(DataError, match=message):
        frame_labels([segment], 10, CLASSES)
