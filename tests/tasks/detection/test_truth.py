"""Named segments to labels of frames, labels from files, and labels that are wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import CLASSES as NAMES
from factories import JOINTS, LAYOUT
from hitrs.data import Recording, Segment
from hitrs.errors import DataError
from hitrs.tasks.detection.segments import Proposal
from hitrs.tasks.detection.truth import frame_labels, read_truth, to_proposals

CLASSES = ("wave", "nod")


def test_frames_outside_of_segments_are_background():
    segments = [Segment(4, 6, "nod"), Segment(0, 2, "wave")]
    assert frame_labels(segments, 7, CLASSES).tolist() == [0, 0, 2, 2, 1, 1, 2]
    assert to_proposals(segments, 7, CLASSES) == [Proposal(0, 2, 0), Proposal(4, 6, 1)]
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


def test_truth_from_files(tmp_path: Path) -> None:
    given = Recording(np.zeros((60, 1, JOINTS, 3)), np.ones((60, 1, JOINTS), bool), LAYOUT, name="scene")
    table, text = tmp_path / "segments.csv", tmp_path / "labels.txt"
    table.write_text("file,label,start,stop\nscene.npz,nod,3,9\n", encoding="utf-8")
    text.write_text("2,4,9,1\n", encoding="utf-8")
    for path in (table, text):
        assert read_truth(path, NAMES)(given).segments == (Segment(3, 9, "nod"),)
    with pytest.raises(DataError, match="has no labels for the recording 'other'"):
        read_truth(table, NAMES)(replace(given, name="other"))
    table.write_text("file,label,start,stop\nscene,nod,3,61\n", encoding="utf-8")
    late = read_truth(table, NAMES)(given)
    assert late.segments == (Segment(3, 60, "nod"),)
    assert "ended at frame 61" in late.notes[0]
    for line, words in [
        ("nodd,3,9", "did you mean 'nod'"),
        ("nod,3,99", "ends at frame 99, but 'scene' has 60 frames"),
    ]:
        table.write_text(f"file,label,start,stop\nscene,{line}\n", encoding="utf-8")
        with pytest.raises(DataError, match=words):
            read_truth(table, NAMES)(given)
