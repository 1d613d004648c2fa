"""pyskl pickles: what is plain is read as Python would, what is not is refused and does not run."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitrs.data import Store, import_dataset
from hitrs.data.formats.plain_pickle import as_array, load_plain
from hitrs.data.formats.pyskl import read_pyskl
from hitrs.errors import DataError


def annotation(name: str, label: int, persons: int = 1, frames: int = 6) -> dict[str, object]:
    rng = np.random.default_rng(label)
    return {
        "frame_dir": name,
        "label": label,
        "keypoint": rng.uniform(1, 100, (persons, frames, 17, 2)).astype(np.float16),
        "keypoint_score": np.ones((persons, frames, 17), np.float16),
        "img_shape": (480, 640),
        "total_frames": frames,
    }


def content() -> dict[str, object]:
    rows = [annotation(f"v{n}", n % 3, 1 + n % 2) for n in range(6)]
    return {
        "split": {"xsub_train": ["v0", "v1"], "xsub_val": ["v2", "v3"], "odd": ["v1"]},
        "annotations": rows,
    }


def save(path: Path, value: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_recordings(tmp_path: Path, protocol: int) -> None:
    value = content()
    value["annotations"][1]["keypoint_score"][0, 2, 3] = 0  # type: ignore[index]
    found = list(read_pyskl(save(tmp_path / "a.pkl", value, protocol)))
    assert [(r.name, r.label, r.n_persons) for r in found] == [
        (f"v{n}", str(n % 3), 1 + n % 2) for n in range(6)
    ]
    expected = value["annotations"][1]["keypoint"].transpose(1, 0, 2, 3).astype(np.float32)  # type: ignore[index]
    expected[2, 0, 3] = 0
    np.testing.assert_array_equal(found[1].positions, expected)
    assert np.argwhere(~found[1].valid).tolist() == [[2, 0, 3]]


def test_import_with_its_splits(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    save(tmp_path / "src" / "set.pkl", content())
    store = import_dataset(tmp_path / "src", tmp_path / "store", strict=True)
    assert isinstance(store, Store)
    assert (len(store), store.protocols, store.classes) == (6, ("xsub",), ("0", "1", "2"))
    assert store.split("xsub", "train").tolist() == [0, 1]
    assert store.split("xsub", "test").tolist() == [2, 3]
    assert any("the lists odd make no pair" in note for note in store.meta["notes"])


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner)
    ),
    max_leaves=20,
)


@given(PLAIN, st.integers(2, 5))
def test_plain_values_are_read_as_python_reads_them(value: object, protocol: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert load_plain(save(Path(folder) / "a.pkl", value, protocol)) == value


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", "u1", "bool", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays(tmp_path: Path, dtype: str, order: str, protocol: int) -> None:
    values = np.asarray(np.arange(24).reshape(2, 3, 4) % 7, dtype, order=order)  # type: ignore[call-overload]
    shared = OrderedDict(a=values, b=values, c=np.float32(1.5))
    found = load_plain(save(tmp_path / "a.pkl", shared, protocol))
    for key in "ab":
        back = as_array(found[key])
        assert back is not None
        assert back.dtype == values.dtype
        np.testing.assert_array_equal(back, values)
    assert found["c"] == 1.5


class Runs:
    """Makes a file when a pickle of it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_code_does_not_run(tmp_path: Path, protocol: int) -> None:
    evil = tmp_path / "evil"
    path = save(tmp_path / "a.pkl", {"annotations": [annotation("a", 0), Runs(evil)]}, protocol)
    with pytest.raises(DataError, match=r"mkdir|could run code"):
        list(read_pyskl(path))
    assert not evil.exists()
    pickle.loads(path.read_bytes())
    assert evil.exists()  # it would have run


@pytest.mark.parametrize(
    "value",
    [
        np.array([Runs(Path("x"))], object),
        np.array(["text"]),
        {(1, 2): 3},
        {1, 2},
        np.zeros(2, "f4,i2"),
        1j,
        Path,
    ],
)
def test_what_is_not_plain_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(DataError, match="only plain containers"):
        load_plain(save(tmp_path / "a.pkl", value))


def test_hostile_sizes(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    whole = pickle.dumps(np.zeros((3, 4), "<f4"), protocol=2)
    for data in (
        b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b"x.",  # bytes of 4 exabytes
        b"\x80\x04\x8b\xff\xff\xff\x7f.",  # a number of two billion bytes
        whole.replace(b"K\x03K\x04", b"K\xffK\xff"),  # a larger array than its bytes
        b"\x80\x02" + b"(" * 5000 + b".",
        b"\x80\x02" + b"]" + b"]a" * 3,
        b"",
        b"\x80\x04K\x01",
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"a\.pkl"):
            load_plain(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "annotation 0 has no array 'keypoint'"),
        ({"annotations": 3}, "no list 'annotations'"),
        ({"annotations": [], "split": {"a": 1}}, "lists of names"),
        ({"annotations": [{"keypoint": np.zeros((1, 2, 3))}]}, "annotation 0 has no array 'keypoint'"),
        ({"annotations": [{"keypoint": np.zeros((1, 2, 3, 2))}]}, "3 joints with 2 coordinates"),
        ({"annotations": [{**annotation("a", 0), "keypoint_score": np.zeros(3)}]}, "does not fit"),
    ],
)
def test_bad_content(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(read_pyskl(save(tmp_path / "a.pkl", value)))
