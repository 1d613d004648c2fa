"""Means and deviations of runs, as tables show them."""

import numpy as np
import pytest

from hitrs.tasks.markdown import markdown, mean_deviation, mean_text


def test_deviation_is_that_of_a_sample():
    assert mean_deviation([1.0, 3.0]) == pytest.approx((2.0, np.sqrt(2)))
    assert mean_deviation([4.0]) == (4.0, None)


def test_what_is_not_known_is_left_out_of_the_mean():
    assert mean_text([1.0, 3.0, None]) == "2.0 ± 1.4"
    assert mean_text([4.0, None]) == "4.0"
    assert mean_text([None]) == "-"


def test_markdown_has_a_line_for_each_row():
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
