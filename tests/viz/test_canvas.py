from itertools import pairwise

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.errors import ConfigError, DataError
from hitrs.viz.canvas import keep_apart, sheet


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_sheet_is_the_same_file_each_time(tmp_path, suffix):
    files = [tmp_path / f"{number}{suffix}" for number in range(2)]
    for file in files:
        with sheet(file, 3, 2, "A title") as figure:
            figure.add_subplot().plot([1, 2, 3])
    assert files[0].read_bytes() == files[1].read_bytes()


def test_another_suffix_is_refused_before_drawing(tmp_path):
    with (
        pytest.raises(ConfigError, match=r"plot\.txt.*\.png, \.svg, \.pdf"),
        sheet(tmp_path / "plot.txt", 3, 2),
    ):
        pytest.fail("the figure was drawn")


def test_a_failure_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), sheet(tmp_path / "new" / "plot.png", 3, 2):
        raise ZeroDivisionError
    assert not list(tmp_path.rglob("*.*"))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DataError, match=r"cannot write .*plot\.png"),
        sheet(tmp_path / "file" / "plot.png", 3, 2),
    ):
        pass


def test_global_settings_stay_as_they_were(tmp_path):
    before = dict(matplotlib.rcParams)
    with sheet(tmp_path / "plot.png", 3, 2) as figure:
        figure.add_subplot()
    assert dict(matplotlib.rcParams) == before


@given(st.lists(st.floats(-100, 100), max_size=12), st.floats(0.1, 20))
def test_labels_are_kept_apart_in_their_order(wanted, gap):
    placed = keep_apart(wanted, gap)
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    steps = [placed[after] - placed[before] for before, after in pairwise(order)]
    assert all(step >= gap - 1e-6 for step in steps)


def test_labels_that_do_not_touch_stay():
    assert keep_apart([5.0, 1.0, 3.0], 2.0) == [5.0, 1.0, 3.0]


def test_labels_that_touch_share_the_room_evenly():
    assert keep_apart([10.0, 10.0, 50.0], 4.0) == [8.0, 12.0, 50.0]
