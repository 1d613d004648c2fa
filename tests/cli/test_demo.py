"""What the demo's report says of its figures."""

from hitrs.cli.demo_steps import _verdict


def test_differences_within_the_margin_are_called_even() -> None:
    said = _verdict({"tuned": 60.0, "scratch": 40.0, "neighbors": 58.0, "oracle": 90.0}, 6.0)
    assert "clearly better than scratch (40.0 %)" in said
    assert "about as good as neighbors (58.0 %)" in said
    assert "clearly worse than oracle (90.0 %)" in said
