"""Subsets of the labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import small_store, untrimmed_store
from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.experiments.label_subsets import (
    read_label_subset,
    select_subjects,
    stratified_subset,
    write_label_subsets,
)


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    fraction=st.floats(0.01, 1.0),
    number=st.integers(0, 3),
)
def test_every_class_gives_its_share_and_at_least_one(counts, fraction, number):
    labels = np.repeat(np.arange(len(counts)), counts)
    chosen = stratified_subset(labels, fraction, number)
    assert len(np.unique(chosen)) == len(chosen)
    for label, count in enumerate(counts):
        assert (labels[chosen] == label).sum() == max(1, round(fraction * count))
    assert np.array_equal(chosen, stratified_subset(labels, fraction, number))


def test_subsets_are_those_of_earlier_releases():
    assert stratified_subset(np.repeat([0, 1], 20), 0.1, 2).tolist() == [10, 18, 23, 38]


def test_subsets_differ_and_leave_out_what_has_no_label():
    labels = np.array([-1] * 10 + [0] * 100)
    first, second = stratified_subset(labels, 0.1, 0), stratified_subset(labels, 0.1, 1)
    assert (labels[first] == 0).all()
    assert not np.array_equal(first, second)


def test_a_fraction_outside_0_to_1_is_refused():
    with pytest.raises(DataError, match="fraction of the labels"):
        stratified_subset(np.zeros(3, int), 0.0, 0)


def test_lists_are_written_and_read_by_name(tmp_path):
    store = small_store(tmp_path / "store", 24)
    path = tmp_path / "label_subsets" / "list.json"
    train = store.split("subjects", "train")
    labels = np.asarray(store.labels)[train]
    write_label_subsets(store, train, labels, [0.5], 2, path)
    for number in range(2):
        expected = train[stratified_subset(labels, 0.5, number)]
        assert np.array_equal(read_label_subset(store, train, 0.5, number, path), expected)
    with pytest.raises(DataError, match="no subset 2"):
        read_label_subset(store, train, 0.5, 2, path)
    path.write_text('{"0.5": [["nobody"]]}')
    with pytest.raises(DataError, match="nobody"):
        read_label_subset(store, train, 0.5, 0, path)
    path.write_text("[]")
    with pytest.raises(DataError, match="no subset 0"):
        read_label_subset(store, train, 0.5, 0, path)


def test_labels_of_some_subjects(tmp_path):
    store: Store = untrimmed_store(tmp_path / "store")
    train = store.split("subjects", "train")
    assert select_subjects(store, train, []).tolist() == train.tolist()
    assert select_subjects(store, train, ["0"]).tolist() == train.tolist()
    with pytest.raises(DataError, match="shows subject '1'; they show 0"):
        select_subjects(store, train, ["1"])
