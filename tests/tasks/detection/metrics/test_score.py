"""All scores at once, and what they refuse."""

import numpy as np
import pytest

from hitrs.errors import DataError
from hitrs.tasks.detection.metrics.score import score_detection
from hitrs.tasks.detection.segments import Proposal

CLASSES = ("wave", "nod", "bow")
TRUTH = [[Proposal(0, 4, 0), Proposal(6, 10, 1)], [Proposal(2, 8, 0)]]
FRAMES = [np.array([0] * 4 + [3] * 2 + [1] * 4), np.array([3] * 2 + [0] * 6)]


def test_perfect_proposals():
    scores = score_detection(TRUTH, TRUTH, FRAMES, FRAMES, CLASSES)
    assert scores.pop("voc/ap@0.5") == {"wave": 1.0, "nod": 1.0, "bow": None}
    assert [scores.pop(name) for name in ("recordings", "segments", "proposals")] == [2, 3, 3]
    assert set(scores.values()) == {1.0}
    for key in ("voc/map@0.1", "pku/map_action@0.95", "pku/map_video@0.5", "pku/2d_ap", "frame/f1@50"):
        assert key in scores


def test_each_scorer_keeps_its_own_rule():
    """A truth cut in two: VOC calls the second half wrong, PKU-MMD lets both go to it; frames do not mind."""
    halves = [[Proposal(0, 2, 0, 0.9), Proposal(2, 4, 0, 0.8), Proposal(6, 10, 1, 0.5)], TRUTH[1]]
    scores = score_detection(TRUTH, halves, FRAMES, FRAMES, CLASSES)
    # By score: class 0 has 1 (right), 0.9 (right at 0.25), 0.8 (wrong).
    assert scores["voc/map@0.25"] == 1
    assert scores["voc/map@0.75"] == pytest.approx((0.5 + 1) / 2)
    # As numbers a half is [1, 2] in [1, 4]: 1/3.
    assert scores["pku/f1@0.3"] == pytest.approx(2 * 3 / (4 + 3))
    assert scores["pku/f1@0.35"] == pytest.approx(2 * 2 / (4 + 3))
    assert scores["frame/accuracy"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"truth": [[], []]}, "no labeled segment"),
        ({"proposals": TRUTH[:1]}, "same recordings; there are 2, 1, 2, 2"),
        ({"frame_prediction": [FRAMES[0], FRAMES[1][:5]]}, "recording 1 has 8 true frames, but 5 predicted"),
        ({"proposals": [[Proposal(0, 4, 3)], []]}, "recording 0.*outside 0 to 2"),
        ({"proposals": [[], [Proposal(5, 9, 0)]]}, "recording 1, of 8 frames"),
        ({"proposals": [[Proposal(0, 4, 0, float("nan"))], []]}, "recording 0"),
    ],
)
def test_what_does_not_belong_together_is_refused(changes, message):
    given = {"truth": TRUTH, "proposals": TRUTH, "frame_truth": FRAMES, "frame_prediction": FRAMES, **changes}
    with pytest.raises(DataError, match=message):
        score_detection(**given, classes=CLASSES)
