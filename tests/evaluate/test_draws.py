"""Draws of few labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import small_store
from hitrs.errors import DataError
from hitrs.evaluate.draws import draw_labels, read_draw, write_draws


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    fraction=st.floats(0.01, 1.0),
    draw=st.integers(0, 3),
)
def test_every_class_gives_its_share_and_at_least_one(counts, fraction, draw):
    labels = np.repeat(np.arange(len(counts)), counts)
    chosen = draw_labels(labels, fraction, draw)
    assert len(np.unique(chosen)) == len(chosen)
    for label, count in enumerate(counts):
        assert (labels[chosen] == label).sum() == max(1, round(fraction * count))
    assert np.array_equal(chosen, draw_labels(labels, fraction, draw))


def test_draws_differ_and_leave_out_what_has_no_label():
    labels = np.array([-1] * 10 + [0] * 100)
    first, second = draw_labels(labels, 0.1, 0), draw_labels(labels, 0.1, 1)
    assert (labels[first] == 0).all()
    assert not np.array_equal(first, second)


def test_a_share_outside_0_to_1_is_refused():
    with pytest.raises(DataError, match="share of labels"):
        draw_labels(np.zeros(3, int), 0.0, 0)


def test_lists_are_written_and_read_by_name(tmp_path):
    store = small_store(tmp_path / "store", 24)
    path = tmp_path / "draws" / "list.json"
    write_draws(store, "subjects", [0.5], 2, path)
    train = store.split("subjects", "train")
    for draw in range(2):
        expected = train[draw_labels(np.asarray(store.labels)[train], 0.5, draw)]
        assert np.array_equal(read_draw(store, "subjects", 0.5, draw, path), expected)
    with pytest.raises(DataError, match="no draw 2"):
        read_draw(store, "subjects", 0.5, 2, path)
    path.write_text('{"0.5": [["nobody"]]}')
    with pytest.raises(DataError, match="nobody"):
        read_draw(store, "subjects", 0.5, 0, path)
