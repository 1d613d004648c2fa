"""The parts of a protocol."""

import numpy as np
import pytest

from factories import small_store
from hitrs.data.protocol import protocol_split
from hitrs.errors import DataError


def test_the_parts_are_those_of_the_store_without_what_is_not_usable(tmp_path):
    store = small_store(tmp_path / "s", 12)
    split = protocol_split(store)
    assert split.protocol == "subjects"
    assert split.test.tolist() == store.split("subjects", "test").tolist() == [9, 10, 11]
    usable = np.arange(12) != 10
    assert protocol_split(store, "subjects", usable).test.tolist() == [9, 11]


def test_a_protocol_without_labeled_test_recordings_is_refused(tmp_path):
    store = small_store(tmp_path / "s", 3)  # only one subject, who trains
    with pytest.raises(DataError, match="no labeled recording in its test part"):
        protocol_split(store)
