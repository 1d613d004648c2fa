"""Timelines of untrimmed recordings."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from hitrs.errors import DataError
from hitrs.tasks.detection.segments import Proposal
from hitrs.viz.canvas import BLUE, RED
from hitrs.viz.timeline import Timeline, class_style, plot_timelines

CLASSES = ("wave", "nod")
TRUTH, FOUND = [Proposal(0, 50, 0)], [Proposal(50, 100, 1, 0.7)]


def test_truth_stands_above_what_was_found(tmp_path, where):
    plot_timelines([Timeline("morning", 100, FOUND, TRUTH)], CLASSES, tmp_path / "line.png")
    with Image.open(tmp_path / "line.png") as picture:
        blue, red = (where(picture, color) for color in (BLUE, RED))
        middle = picture.width / 2
    bars = [points[points[:, 1] < 150] for points in (blue, red)]  # without the legend
    assert bars[0][:, 1].max() < bars[1][:, 1].min()
    assert bars[0][:, 0].max() < bars[1][:, 0].min()
    assert abs(bars[0][:, 0].max() - middle) < 60


def test_seconds_where_the_rate_is_known_else_frames(tmp_path, texts):
    out = tmp_path / "line.svg"
    plot_timelines([Timeline("morning", 100, FOUND, TRUTH, fps=20.0)], CLASSES, out, title="Day")
    assert {"Day", "morning", "seconds", "truth", "found", "wave", "nod", "5"} <= set(texts(out))
    plot_timelines([Timeline("morning", 100, FOUND, TRUTH)], CLASSES, out)
    assert {"frames", "100"} <= set(texts(out))
    mixed = [Timeline("morning", 100, FOUND, fps=20.0), Timeline("evening", 100, FOUND)]
    plot_timelines(mixed, CLASSES, out)
    assert {"seconds", "frames"} <= set(texts(out))
    assert "truth" not in texts(out)


def test_probabilities_make_a_band_and_bring_their_classes_to_the_legend(tmp_path, texts):
    values = np.full((100, 3), [0.6, 0.0, 0.4])
    out = tmp_path / "line.svg"
    plot_timelines([Timeline("morning", 100, [], probabilities=values)], CLASSES, out)
    assert "probability" in texts(out)
    assert "wave" in texts(out)
    assert "nod" not in texts(out)


def test_the_band_is_never_empty(tmp_path, texts):
    values = np.full((100, 3), [0.02, 0.08, 0.9], dtype=np.float32)
    out = tmp_path / "line.svg"
    plot_timelines([Timeline("morning", 100, [], probabilities=values)], CLASSES, out)
    assert "nod" in texts(out)
    assert "wave" not in texts(out)


@pytest.mark.parametrize("count", [8, 20, 51])
def test_many_classes_differ_and_are_named(tmp_path, texts, count):
    looks = {(to_hex(style["facecolor"]), style["hatch"]) for style in map(class_style, range(count))}
    assert len(looks) == count
    classes = [f"action {index}" for index in range(count)]
    found = [Proposal(10 * index, 10 * index + 9, index) for index in range(count)]
    plot_timelines([Timeline("all", 10 * count, found)], classes, tmp_path / "line.svg")
    shown = texts(tmp_path / "line.svg")
    assert all(any(text.endswith(name) for text in shown) for name in classes)
    assert (f"{count}  action {count - 1}" in shown) == (count > 8)


def test_nothing_found_is_a_picture_too(tmp_path):
    plot_timelines([Timeline("empty", 30, [], [])], CLASSES, tmp_path / "line.png")
    assert (tmp_path / "line.png").exists()


@pytest.mark.parametrize(
    ("timelines", "message"),
    [
        ([], "nothing to draw"),
        ([Timeline("morning", 80, FOUND)], "'morning'.*80 frames"),
        ([Timeline("morning", 100, [Proposal(0, 5, 2)])], "2 classes"),
        ([Timeline("morning", 10, [], probabilities=np.ones((9, 3)))], r"\(10, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, timelines, message):
    with pytest.raises(DataError, match=message):
        plot_timelines(timelines, CLASSES, tmp_path / "line.png")
    assert not list(tmp_path.iterdir())
