"""How long after its start an action is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.errors import ConfigError, DataError
from hitrs.tasks.detection import Proposal, latency
from hitrs.tasks.detection.latency import naming_delays

LABELS = np.array([2, 2, 0, 2, 0, 0, 0, 1, 1, 2])
TRUTH = [Proposal(1, 7, 0), Proposal(7, 9, 1), Proposal(9, 10, 1)]


def test_delays_by_hand():
    assert naming_delays(TRUTH, LABELS) == [1, 0, None]
    assert naming_delays(TRUTH, LABELS, confirm=2) == [4, 1, None]
    assert naming_delays(TRUTH, LABELS, confirm=3) == [5, None, None]


def test_only_frames_of_the_action_itself_name_it():
    """The same label before its start is a false alarm, and after its end it comes too late."""
    assert naming_delays([Proposal(2, 4, 0)], np.array([0, 0, 2, 2, 0]), 1) == [None]
    assert naming_delays([Proposal(1, 4, 0)], np.array([0, 0, 0, 2]), 3) == [None]


def test_summary():
    assert latency([TRUTH, [Proposal(0, 2, 1)]], [LABELS, np.array([2, 1])]) == {
        "latency/named": 3 / 4,
        "latency/median_frames": 1.0,
        "latency/mean_frames": pytest.approx(2 / 3),
    }
    assert set(latency([[]], [LABELS]).values()) == {None}
    assert latency([TRUTH[2:]], [LABELS]) == {
        "latency/named": 0.0,
        "latency/median_frames": None,
        "latency/mean_frames": None,
    }


@given(st.lists(st.integers(0, 1), min_size=1, max_size=15), st.data())
def test_same_frame_by_frame(labels, data):
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
        naming_delays(TRUTH, LABELS, confirm=0)
    with pytest.raises(DataError, match="over the 5 frames"):
        naming_delays(TRUTH, LABELS[:5])
