"""Confusion matrix, bars and embedding map."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from hitrs.errors import DataError
from hitrs.viz.bars import plot_comparison, plot_label_shares
from hitrs.viz.confusion import plot_confusion
from hitrs.viz.embedding import _heart, _separate, plot_embedding


def test_confusion_shows_rows_in_per_cent(tmp_path, texts):
    matrix = np.array([[3, 1, 0], [0, 10, 0], [0, 0, 0]])
    plot_confusion(matrix, ["sit down", "cost $5 or $6", "never"], tmp_path / "matrix.svg", title="Test")
    shown = texts(tmp_path / "matrix.svg")
    assert {"Test", "sit down", "cost $5 or $6", "never", "75", "25", "100"} <= set(shown)
    assert [text for text in shown if text in ("4", "10", "0")] == ["4", "10", "0"]  # sequences of each class


def test_confusion_colors_hits_blue_mistakes_orange_absent_gray(tmp_path):
    plot_confusion(np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0]]), ["a", "b", "c"], tmp_path / "matrix.png")
    with Image.open(tmp_path / "matrix.png") as picture:
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 20)}
    assert {(0, 114, 178), (213, 94, 0), (237, 237, 237)} <= colors


@pytest.mark.parametrize("count", [1, 10, 17, 60])
def test_confusion_of_many_classes_names_each(tmp_path, texts, count):
    classes = [f"action number {index} of many" for index in range(count)]
    plot_confusion(np.eye(count), classes, tmp_path / "matrix.svg")
    shown = texts(tmp_path / "matrix.svg")
    assert all(any(name in text for text in shown) for name in classes)
    plot_confusion(np.eye(count), classes, tmp_path / "matrix.png")
    with Image.open(tmp_path / "matrix.png") as picture:
        assert picture.height >= 30 * count  # room for a line of text in each row


@pytest.mark.parametrize(
    "matrix", [np.ones((2, 3)), np.ones((3, 3)), [[1, -1], [0, 1]], [[1, np.nan], [0, 1]]]
)
def test_confusion_refuses_what_is_none(tmp_path, matrix):
    with pytest.raises(DataError, match="confusion matrix"):
        plot_confusion(np.array(matrix), ["a", "b"], tmp_path / "matrix.png")
    assert not list(tmp_path.iterdir())


def test_comparison_writes_values_with_their_deviation(tmp_path, texts):
    rows = [("nearest neighbor", 48.13, None), ("pre-trained", 81.26, 1.24)]
    plot_comparison(rows, tmp_path / "bars.svg", "Few labels")
    assert {"Few labels", "nearest neighbor", "pre-trained", "48.1%", "81.3 ± 1.2%"} <= set(
        texts(tmp_path / "bars.svg")
    )
    plot_comparison(rows, tmp_path / "bars.svg", "Speed", unit="sequences/s")
    assert {"48.1 sequences/s", "sequences/s"} <= set(texts(tmp_path / "bars.svg"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "nothing to compare"),
        ([("scratch", float("nan"), None)], "'scratch'"),
        ([("scratch", 1.0, -1.0)], "'scratch'"),
    ],
)
def test_comparison_refuses_missing_values(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        plot_comparison(rows, tmp_path / "bars.png", "Few labels")


def test_label_shares_name_each_line_and_share(tmp_path, texts):
    methods = {
        "pre-trained": [(100, 88.0, None), (1, 35.0, 4.0)],
        "from scratch": [(1, 22.0, 5.0), (5, 40.0, 1.0)],
    }
    plot_label_shares(methods, tmp_path / "shares.svg", "Few labels", chance=10)
    shown = texts(tmp_path / "shares.svg")
    assert {"pre-trained", "from scratch", "1%", "5%", "100%", "chance"} <= set(shown)


@pytest.mark.parametrize("methods", [{}, {"a": []}, {"a": [(0, 1.0, None)]}, {"a": [(1, np.inf, None)]}])
def test_label_shares_refuse_missing_values(tmp_path, methods):
    with pytest.raises(DataError):
        plot_label_shares(methods, tmp_path / "shares.png", "Few labels")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def groups():
    """(60, 8) features in four groups, and their labels; the first three are not labeled."""
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 4
    features = 5 * generator.normal(size=(4, 8))[labels] + generator.normal(size=(60, 8))
    return features, np.where(np.arange(60) < 3, -1, labels)


@pytest.fixture
def on_map(monkeypatch) -> list[str]:
    """Texts written on the map itself; for their white rims they stand as mere shapes in a file."""
    written: list[str] = []
    write = Axes.text
    monkeypatch.setattr(
        Axes, "text", lambda axes, x, y, s, **rest: (written.append(s), write(axes, x, y, s, **rest))[1]
    )
    return written


def test_the_map_names_its_classes_and_is_the_same_each_time(tmp_path, texts, groups, on_map):
    for name in ("one.svg", "two.svg"):
        plot_embedding(*groups, ["walk", "sit", "throw", "carry", "not there"], tmp_path / name, title="Map")
    shown = texts(tmp_path / "one.svg")
    assert on_map == ["walk", "sit", "throw", "carry"] * 2
    assert "Map" in shown
    assert any(text.startswith("60 sequences") for text in shown)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_the_map_of_many_classes_has_numbers_and_a_key(tmp_path, texts, groups, on_map):
    features, _ = groups
    classes = [f"action {chr(97 + index)}" for index in range(20)]
    plot_embedding(features, np.arange(60) % 20, classes, tmp_path / "map.svg")
    shown = texts(tmp_path / "map.svg")
    assert on_map == [str(number) for number in range(1, 21)]
    assert {"1  action a", "20  action t"} <= set(shown)


def test_a_large_map_shows_a_choice_and_says_so(tmp_path, texts, groups, monkeypatch):
    monkeypatch.setattr("hitrs.viz.embedding._MOST_POINTS", 40)
    maps = [tmp_path / name for name in ("one.svg", "same.svg", "other.svg")]
    for path, seed in zip(maps, (3, 3, 4), strict=True):
        plot_embedding(*groups, ["a", "b", "c", "d"], path, seed=seed)
    assert any(text.startswith("40 of 60 sequences") for text in texts(maps[0]))
    assert maps[0].read_bytes() == maps[1].read_bytes() != maps[2].read_bytes()


@pytest.mark.parametrize("shape", [(3, 1), (5, 2), (4, 100)])
def test_the_map_of_very_few_features(tmp_path, shape):
    features = np.random.default_rng(0).normal(size=shape)
    plot_embedding(features, np.zeros(shape[0], dtype=int), ["a"], tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.width > 500


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.ones((5, 4)), np.zeros(5, int), "collapsed"),
        (np.ones((2, 4)), np.zeros(2, int), "at least three"),
        (np.full((5, 4), np.nan), np.zeros(5, int), "5 of 5 features are not finite"),
        (np.eye(5), np.zeros(4, int), "as many labels"),
        (np.eye(5), np.full(5, 2), "labels must lie in"),
    ],
)
def test_the_map_refuses_what_it_cannot_show(tmp_path, features, labels, message):
    with pytest.raises(DataError, match=message):
        plot_embedding(features, labels, ["a", "b"], tmp_path / "map.png")
    assert not list(tmp_path.iterdir())


def test_a_class_of_two_groups_is_named_above_the_denser_one():
    generator = np.random.default_rng(0)
    dense, loose = generator.uniform(-1, 1, (15, 2)), generator.uniform(-9, 9, (45, 2)) + 50
    x, y = _heart(np.concatenate([loose, dense]))
    assert abs(x) < 1
    assert abs(y) < 1


def test_labels_on_the_map_do_not_cover_each_other():
    generator = np.random.default_rng(0)
    sizes = np.tile([80.0, 14.0], (12, 1))
    placed = _separate(generator.uniform(300, 400, (12, 2)), sizes, np.array([0.0, 0.0, 800.0, 600.0]))
    apart = np.abs(placed[:, None] - placed[None]) + 1e3 * np.eye(12)[..., None]
    assert (apart > sizes[0] - 1).any(axis=-1).all()
