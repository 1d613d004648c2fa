"""Test windows are those of the literature, and zero velocity on them has the published errors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from factories import small_store
from hitrs.data import Store, write_store
from hitrs.data.catalog.human36m import CLASSES
from hitrs.data.formats.expmap import read_expmap
from hitrs.data.recording import Recording
from hitrs.data.synthetic import make_synthetic
from hitrs.errors import DataError
from hitrs.skeleton import get_layout
from hitrs.tasks.prediction.config import Span
from hitrs.tasks.prediction.metrics import prediction_metrics
from hitrs.tasks.prediction.poses import zero_velocity
from hitrs.tasks.prediction.windows import (
    cmu_windows,
    cut_out,
    human36m_windows,
    protocol_windows,
    spread_windows,
)

ZERO_VELOCITY = {  # millimeters at frames 2, 4, 8, 10, 14, 25; every 2nd frame, 38 joints
    "walking": [20.7, 39.2, 73.0, 88.1, 113.9, 154.9],
    "running": [44.7, 84.2, 148.4, 177.3, 222.4, 213.8],
    "basketball": [26.5, 49.2, 92.9, 112.8, 148.5, 199.5],
    "soccer": [25.4, 49.2, 90.0, 109.4, 142.5, 207.5],
    "jumping": [24.0, 46.4, 92.0, 113.0, 144.2, 185.5],
    "washwindow": [14.2, 28.4, 56.6, 70.1, 85.5, 110.6],
}


def standing(path: Path, frames: dict[str, int], layout: str, dataset: str) -> Store:
    """A store of recordings without motion; a label is the name up to the last underscore and behind S5_."""
    known = get_layout(layout)
    labels = {name: name.removeprefix("S5_").removeprefix("test_").rpartition("_")[0] for name in frames}
    recordings = [
        Recording(
            np.zeros((count, 1, known.n_joints, 3)), np.ones((count, 1, known.n_joints), bool), known, name,
            label=labels[name],
        )
        for name, count in frames.items()
    ]  # fmt: skip
    return write_store(
        path,
        recordings,
        layout=known,
        classes=sorted(set(labels.values())),
        protocols={"p": lambda recording: "test"},
        meta={"dataset": dataset},
    )


def test_cmu_windows_are_drawn_anew_for_each_action(tmp_path: Path) -> None:
    frames = {"test_running_1": 163, "test_walking_1": 359, "test_extra_walking_1": 359}
    store = standing(tmp_path / "s", frames, "cmu38", "cmu-motion")
    parts = protocol_windows(store, store.split("p", "test"), Span(50, 25, 2))
    assert [(w.recording, w.action) for w in parts["all"]] == [(0, "running")] * 8 + [(1, "walking")] * 8
    draw = np.random.RandomState(1234567890)
    assert [w.cut - 50 for w in parts["all"][8:]] == [draw.randint(0, 180 - 75) for _ in range(8)]
    assert [w.cut for w in parts["walking extra"]] == [w.cut for w in parts["all"][8:]]
    # ten observed frames end where fifty do
    few = protocol_windows(store, store.split("p", "test"), Span(10, 25, 2))
    assert [w.cut for w in few["all"]] == [w.cut for w in parts["all"]]


def test_human36m_windows_take_turns(tmp_path: Path) -> None:
    frames = {f"S5_{action}_{take}": 1000 + 100 * take for action in CLASSES for take in (1, 2)}
    store = standing(tmp_path / "s", frames, "h36m32", "human36m")
    parts = protocol_windows(store, store.split("p", "test"), Span(50, 25, 2))
    assert (len(parts["all"]), len(parts["256"])) == (15 * 8, 15 * 256)
    draw = np.random.RandomState(1234567890)
    expected = []
    for _ in range(4):
        expected += [(0, draw.randint(16, 550 - 150)), (1, draw.randint(16, 600 - 150))]
    first = [w for w in parts["all"] if w.action == "directions"]
    assert [(store.name(w.recording)[-1], w.cut - 50) for w in first] == [
        (str(take + 1), start) for take, start in expected
    ]
    with pytest.raises(DataError, match="two takes of an action"):
        human36m_windows(store, [0])


def test_windows_of_other_stores_lie_inside_their_recordings(tmp_path: Path) -> None:
    store = small_store(tmp_path / "s")
    span = Span(6, 4, 2)
    windows = spread_windows(store, np.arange(len(store)), span)
    assert windows
    for window in windows:
        past, _, future, _ = cut_out(store, window, span)
        assert (len(past), len(future)) == (6, 4)
        every = store.positions(window.recording)[::2]
        start = window.cut - 6
        np.testing.assert_array_equal(np.concatenate([past, future]), every[start : start + 10])
    with pytest.raises(DataError, match="100 frames"):
        protocol_windows(store, np.arange(len(store)), Span(90, 10))


def test_too_short_recordings_and_other_frame_steps_are_refused(tmp_path: Path) -> None:
    store = standing(tmp_path / "s", {"test_running_1": 140}, "cmu38", "cmu-motion")
    with pytest.raises(DataError, match="70 frames"):
        cmu_windows(store, [0])
    with pytest.raises(DataError, match="every 2nd frame"):
        protocol_windows(store, np.array([0]), Span(50, 25, 1))


def test_zero_velocity_on_cmu(hitrs_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = hitrs_data("cmu_expmap") / "test"
    read = [read_expmap(folder / action / f"{action}_1.txt") for action in ZERO_VELOCITY]
    store = write_store(
        tmp_path / "cmu",
        [replace(each, name=f"test_{each.name}", label=each.name.removesuffix("_1")) for each in read],
        layout=read[0].layout,
        classes=tuple(ZERO_VELOCITY),
        protocols={"train-test": lambda recording: "test"},
        meta={"dataset": "cmu-motion"},
    )
    span = Span(50, 25, 2)
    parts = protocol_windows(store, store.split("train-test", "test"), span)
    metrics = prediction_metrics(
        store, parts["all"], span, lambda windows: [zero_velocity(*window, 25) for window in windows]
    )
    for action, expected in ZERO_VELOCITY.items():
        assert list(metrics["actions"][action].values()) == pytest.approx(expected, abs=0.051)
    assert metrics["baselines"]["zero velocity"]["actions"] == metrics["actions"]
    assert metrics["ms"][-1] == pytest.approx(1000 * 25 / 60, abs=0.1)


def test_errors_are_millimeters_whatever_the_unit(tmp_path: Path) -> None:
    """Those of a store in centimeters were a hundred times too large."""
    meters = make_synthetic(tmp_path / "meters", size="tiny")
    scaled = [replace(meters[number], positions=100 * meters[number].positions) for number in range(12)]
    centimeters = write_store(tmp_path / "centimeters", scaled, layout=meters.layout)
    span = Span(10, 5, 1)
    windows = spread_windows(meters, range(12), span)
    own, other = (
        prediction_metrics(store, windows, span, lambda given: [zero_velocity(*each, 5) for each in given])
        for store in (meters, centimeters)
    )
    assert centimeters.space.unit == "centimeters"
    assert other["mpjpe@5"] == pytest.approx(own["mpjpe@5"], abs=0.02)
    assert own["mpjpe@5"] > 1
