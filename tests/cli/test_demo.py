"""What the demo's report says of its figures."""

import pytest

from hitrs.cli.demo_steps import SIMPLEST, UNTRAINED, _verdict, _won


def test_differences_within_the_margin_are_called_even() -> None:
    said = _verdict({"tuned": 60.0, "scratch": 40.0, "neighbors": 58.0, "oracle": 90.0}, 6.0)
    assert "clearly better than scratch (40.0 %)" in said
    assert "about as good as neighbors (58.0 %)" in said
    assert "clearly worse than oracle (90.0 %)" in said


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (60.0, "names **60.0 %** of 256 recordings right, **20.0 points more** than the simplest method"),
        (43.0, "about as many as the simplest method, nearest neighbor on positions (40.0 %): **nothing was"),
        (20.0, "**20.0 points less** than the simplest method, nearest neighbor on positions (40.0 %): noth"),
    ],
)
def test_the_first_sentence_says_what_was_won_over_the_simplest_method(figure: float, said: str) -> None:
    told = _won({"pre-trained": figure, "scratch": 70.0, SIMPLEST: 40.0, UNTRAINED: 61.0}, 80, 256, 6.0)
    assert told.startswith("With 80 labels, an encoder that is pre-trained names")
    assert said in told
    assert told.endswith("; random convolutions, which train nothing, name 61.0 %.")
