"""PKU-MMD skeletons and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ntu_files import person, pku_text

from hitrs.data.formats.pku_mmd import Instance, read_labels, read_pku_mmd, write_labels
from hitrs.errors import DataError


def test_bodies_that_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "0002-L.txt"
    one, two = person(range(30)), person(range(10, 20), (1, 0, 3))
    path.write_text(pku_text([one, two], 30))
    found = read_pku_mmd(path)
    assert found.positions.shape == (30, 2, 25, 3)
    assert found.valid[:, 0].all()
    assert np.flatnonzero(found.valid[:, 1].any(-1)).tolist() == list(range(10, 20))
    np.testing.assert_allclose(found.positions[15, 1], two[15], rtol=1e-6)
    path.write_text(pku_text([one], 30))
    assert read_pku_mmd(path).n_persons == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty sequence"),
        ("1 2 3\n", "line 1"),
        (pku_text([person(range(3))], 3) + "x\n", "line 4"),
        (pku_text([person(range(3))], 3).replace("0.0", "nan", 1), "line 1"),
    ],
)
def test_bad_skeletons(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "0002-L.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_pku_mmd(path)
    assert str(path) in str(caught.value)


@given(
    st.lists(
        st.builds(
            lambda label, start, length, confidence: Instance(str(label), start, start + length, confidence),
            st.integers(1, 51),
            st.integers(0, 5000),
            st.integers(1, 300),
            st.floats(0, 1),
        )
    )
)
def test_labels_round_trip(tmp_path_factory: pytest.TempPathFactory, instances: list[Instance]) -> None:
    path = tmp_path_factory.mktemp("labels") / "0002-L.txt"
    write_labels(path, instances)
    assert read_labels(path) == instances


def test_frames_of_labels_count_from_one(tmp_path: Path) -> None:
    path = tmp_path / "0002-L.txt"
    path.write_text("12, 1, 30, 2\n\n03,31,31\n")
    assert read_labels(path) == [Instance("12", 0, 30, 2.0), Instance("3", 30, 31, None)]


@pytest.mark.parametrize(
    "line",
    [
        "a,1,2,1",
        "1,2",
        "1,0,4,1",
        "1,5,4,1",
        "1,2,3,x",
        "1,2,3,4,5",
        "1,2.5,3,1",
        "1,2,3,nan",
        "9" * 5000 + ",1,2",
    ],
)
def test_bad_labels(tmp_path: Path, line: str) -> None:
    path = tmp_path / "0002-L.txt"
    path.write_text(f"1,1,2,1\n{line}\n")
    with pytest.raises(DataError, match=r"0002-L\.txt, line 2"):
        read_labels(path)
