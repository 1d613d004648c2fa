"""A store gives back what was written, notices damage, and is either complete or not there."""

from __future__ import annotations

import contextlib
import errno
import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import LABELS, assert_same, make, recordings
from hypothesis import given, settings
from hypothesis import strategies as st

from hitrs.data import Recording, Store, write_store
from hitrs.data import store as store_module
from hitrs.data.writer import header_checksum
from hitrs.errors import DataError, LayoutError
from hitrs.files import HashedWriter, sha256_of
from hitrs.skeleton import get_layout
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

KINECT = get_layout("kinect20")
NTU = Recording(np.ones((1, 1, 25, 3)), np.ones((1, 1, 25), bool), get_layout("ntu25"), "b")


def odd_even(recording: Recording) -> str:
    return "train" if int(recording.subject or 0) % 2 else "test"


def write(path: Path, items: Iterable[Recording], **options: object) -> Store:
    arguments: dict[str, object] = {"layout": KINECT, "classes": LABELS, "protocols": {}, "meta": {}}
    return write_store(path, items, **{**arguments, **options})  # type: ignore[arg-type]


@pytest.fixture
def small(tmp_path: Path) -> Store:
    """Six recordings of 1 to 6 frames; subjects 0, 1, 2 in turn; odd subjects train."""
    items = [
        make(f"r{n}", n + 1, 1 + n % 2, seed=n, label=LABELS[n % 3], subject=str(n % 3), camera="c")
        for n in range(6)
    ]
    return write(tmp_path / "small", items, protocols={"odd-even": odd_even}, meta={"dataset": "test"})


def test_arrays_and_their_labels(tmp_path: Path) -> None:
    array = np.ones((4, 20, 3))
    array[1, 2] = np.nan
    store = write_store(tmp_path / "arrays", [array, np.ones((2, 3, 20, 3))], layout="kinect20")
    assert [store.name(n) for n in range(2)] == ["0", "1"]
    assert store.persons.tolist() == [1, 3]
    assert not store.valid(0)[1, 0, 2]
    assert (store.classes, store.protocols, list(store.meta)) == ((), (), ["space"])
    with pytest.raises(DataError, match="'0' needs a layout"):
        write_store(tmp_path / "no layout", [array])
    items = [make(label, label=label) for label in ("class 10", "class 2")]
    store = write_store(tmp_path / "recordings", items)
    assert (store.layout, store.classes) == (KINECT, ("class 2", "class 10"))
    with pytest.raises(DataError, match="no recording to write"):
        write_store(tmp_path / "none", [])
    assert leftovers(tmp_path) == ["arrays", "recordings"]


def test_a_category_that_nobody_has_takes_no_column(tmp_path: Path) -> None:
    """So that such a store is, byte for byte, what earlier versions wrote and read."""
    old = write(tmp_path / "old", [make("a", subject="1")])
    header = json.loads((old.path / "store.json").read_text())
    assert "session_names" not in header
    assert "sessions.npy" not in header["files"]
    assert {"subjects.npy", "cameras.npy"} <= header["files"].keys()
    assert (old[0].camera, old[0].session) == (None, None)
    new = write(tmp_path / "new", [make("a", session="monday"), make("b"), make("c", session="friday")])
    assert new.categories["session"][0] == ("monday", "friday")
    assert new.categories["session"][1].tolist() == [0, -1, 1]
    assert [recording.session for recording in new] == ["monday", None, "friday"]


@settings(max_examples=25)
@given(st.lists(recordings(), min_size=1, max_size=4))
def test_round_trip(items: list[Recording]) -> None:
    for number, item in enumerate(items):
        item.name = f"{number} näme"
    with tempfile.TemporaryDirectory() as folder:
        store = write(Path(folder) / "store", items)
        assert len(store) == len(items)
        for item, back in zip(items, store, strict=True):
            assert_same(item, back)
        for number, item in enumerate(items):
            assert_same(item, store[number - len(items)])
            np.testing.assert_array_equal(store.positions(number), item.positions)
            np.testing.assert_array_equal(store.valid(number), item.valid)
            assert store.name(number) == item.name
        assert store.joints_total == sum(item.valid.size for item in items)
        assert store.joints_seen == sum(item.valid.sum() for item in items)
        del store, back  # Windows cannot remove files that are still mapped


def test_columns(small: Store) -> None:
    assert small.frames.tolist() == [1, 2, 3, 4, 5, 6]
    assert small.persons.tolist() == [1, 2, 1, 2, 1, 2]
    assert [small.classes[k] for k in small.labels] == [LABELS[n % 3] for n in range(6)]
    assert [small.subject_names[k] for k in small.subjects] == ["0", "1", "2", "0", "1", "2"]
    assert small.camera_names == ("c",)
    assert np.isnan(small.fps).all()
    assert small.meta == {"dataset": "test", "space": small.space.to_dict()}
    assert small.layout == KINECT


def test_positions_are_mapped_read_only(small: Store) -> None:
    positions = small.positions(3)
    assert positions.shape == (4, 2, 20, 3)
    assert not positions.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        positions[:] = 0


@pytest.mark.parametrize("index", [6, -7])
def test_there_is_no_recording_beyond_the_end(small: Store, index: int) -> None:
    for access in (small.__getitem__, small.name, small.positions, small.valid, small.segments):
        with pytest.raises(IndexError):
            access(index)


def test_split(small: Store) -> None:
    assert small.protocols == ("odd-even",)
    assert small.split("odd-even", "train").tolist() == [1, 4]
    assert small.split("odd-even", "test").tolist() == [0, 2, 3, 5]
    with pytest.raises(DataError, match="no protocol 'cross-view'"):
        small.split("cross-view", "train")
    with pytest.raises(DataError, match="not 'validation'"):
        small.split("odd-even", "validation")


def test_a_protocol_may_leave_recordings_out(tmp_path: Path) -> None:
    parts = {"a": "train", "b": None, "c": "test"}
    store = write(tmp_path / "s", [make(n) for n in parts], protocols={"some": lambda r: parts[r.name]})
    assert (store.split("some", "train").tolist(), store.split("some", "test").tolist()) == ([0], [2])
    with pytest.raises(DataError, match="puts 'a' into 'val'"):
        write(tmp_path / "t", [make("a")], protocols={"wrong": lambda r: "val"})


def test_duplicates_are_exact_copies(tmp_path: Path) -> None:
    original = make("a", subject="1")
    copy = make("b", subject="2")
    touched = make("c", subject="2")
    touched.positions[0, 0, 0, 0] += 1e-6
    seen = np.ones((5, 1, 20), bool)
    seen[0, 0, 0] = False
    hidden = replace(original, name="d", subject="2", valid=seen)
    folded = Recording(  # the same numbers in another shape
        original.positions.reshape(1, 5, 20, 3), original.valid.reshape(1, 5, 20), KINECT, "e", subject="2"
    )
    within_test = make("f", seed=9, subject="2")
    within_test_too = make("g", seed=9, subject="2")
    items = [original, copy, touched, hidden, folded, within_test, within_test_too]
    store = write(tmp_path / "s", items, protocols={"odd-even": odd_even})
    assert store.duplicates("odd-even").tolist() == [1]


def test_validity_is_content_too(tmp_path: Path) -> None:
    """A joint at the origin and one that was not seen hold the same zeros, but are not the same."""
    origin = Recording(np.zeros((2, 1, 20, 3)), np.ones((2, 1, 20), bool), KINECT, "a", subject="1")
    nothing = replace(origin, name="b", subject="2", valid=np.zeros((2, 1, 20), bool))
    store = write(tmp_path / "s", [origin, nothing], protocols={"odd-even": odd_even})
    assert store.duplicates("odd-even").tolist() == []


def test_the_same_content_has_the_same_fingerprint(tmp_path: Path) -> None:
    one, two = (write(tmp_path / name, [make("a")]) for name in ("one", "two"))
    other = write(tmp_path / "other", [make("a", seed=1)])
    assert one.fingerprint == two.fingerprint != other.fingerprint


# Damage


def test_not_a_store(tmp_path: Path, small: Store) -> None:
    with pytest.raises(DataError, match="does not exist"):
        Store.open(tmp_path / "nowhere")
    with pytest.raises(DataError, match="hitrs import SRC DST"):
        Store.open(tmp_path)
    with pytest.raises(DataError, match="is not a store"):
        Store.open(small.path / "store.json")
    (tmp_path / "store.json").write_text("[1, 2]")
    with pytest.raises(DataError, match="is something else"):
        Store.open(tmp_path)


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
def test_damage_is_noticed_in_each_file(small: Store, damage: Callable[[Path], None]) -> None:
    for file in sorted(path for path in small.path.rglob("*") if path.is_file()):
        if file.stat().st_size < 3:
            continue
        broken = small.path.parent / f"broken-{file.name}"
        shutil.copytree(small.path, broken)
        damage(broken / file.relative_to(small.path))
        with pytest.raises(DataError, match=r"cut short|damaged|lacks|is not a store") as caught:
            Store.open(broken)
        assert "broken" in str(caught.value)


def test_an_edited_header_is_noticed(small: Store) -> None:
    file = small.path / "store.json"
    file.write_text(file.read_text(encoding="utf-8").replace("walk", "talk"), encoding="utf-8")
    with pytest.raises(DataError, match=r"store\.json does not match its checksum"):
        Store.open(small.path)


def test_every_content_file_is_covered(small: Store) -> None:
    header = json.loads((small.path / "store.json").read_text(encoding="utf-8"))
    assert {file.relative_to(small.path).as_posix() for file in small.path.rglob("*") if file.is_file()} == {
        "store.json",
        *header["files"],
    }


def test_bulk_data_may_go_unhashed(small: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(small.path / "shards/00000/positions.f32")
    assert len(Store.open(small.path, verify=False)) == 6
    monkeypatch.setattr(store_module, "BULK_LIMIT", 100)  # as if the data were large
    assert len(Store.open(small.path)) == 6
    with pytest.raises(DataError, match=r"positions\.f32 does not match its checksum"):
        Store.open(small.path, verify=True)
    flip(small.path / "labels.npy")
    with pytest.raises(DataError, match=r"labels\.npy does not match"):
        Store.open(small.path, verify=False)


def test_another_version(small: Store) -> None:
    file = small.path / "store.json"
    header = json.loads(file.read_text(encoding="utf-8"))
    header["version"] = 99
    header["sha256"] = header_checksum(header)
    file.write_text(json.dumps(header), encoding="utf-8")
    with pytest.raises(DataError, match="format version 99, this version of hitrs reads 2"):
        Store.open(small.path)


def forge(store: Store, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the header as somebody would who knows the checksums."""
    header = json.loads((store.path / "store.json").read_text(encoding="utf-8"))
    change(header)
    for name, facts in header["files"].items() if isinstance(header.get("files"), dict) else ():
        if isinstance(facts, dict) and (store.path / name).is_file():
            facts.update(bytes=(store.path / name).stat().st_size, sha256=sha256_of(store.path / name))
    header["sha256"] = header_checksum(header)
    (store.path / "store.json").write_text(json.dumps(header), encoding="utf-8")


HOSTILE: list[Any] = [
    None,
    True,
    -1,
    10**30,
    7.5,
    float("nan"),
    "",
    "x",
    [],
    {},
    [[]],
    [None],
    ["a", "a"],
    {"a": {}},
]


def test_a_hostile_header_is_refused_in_words(small: Store) -> None:
    original = (small.path / "store.json").read_text(encoding="utf-8")
    for key in [key for key in json.loads(original) if key != "sha256"]:
        for value in HOSTILE:
            forge(small, methodcaller("__setitem__", key, value))
            with contextlib.suppress(DataError, LayoutError):
                for recording in Store.open(small.path):
                    assert recording.n_frames
            (small.path / "store.json").write_text(original, encoding="utf-8")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_in_place_of_a_file_is_refused(small: Store) -> None:
    (empty,) = small.path.glob("notes.utf8")
    empty.unlink()
    os.mkfifo(empty)
    with pytest.raises(DataError, match=r"lacks its file notes.utf8: not an ordinary file"):
        Store.open(small.path)


@pytest.mark.parametrize(
    "name", ["../outside.npy", "/etc/passwd", "shards/../../outside.npy", "a/b/c.npy", ""]
)
def test_no_file_outside_of_the_store(small: Store, name: str) -> None:
    """A cleaned store links the files that the header names."""
    forge(small, lambda header: header["files"].update({name: {"bytes": 0, "sha256": ""}}))
    with pytest.raises(DataError, match=f"'{name}' is no file of a store"):
        Store.open(small.path)


@pytest.mark.parametrize(
    ("column", "values", "what"),
    [
        ("frames", [1, 2, 3, 4, 5, -6], "frames do not fit"),
        ("frames", [1, 2, 3, 4, 6, 5], "rows do not fit"),
        ("persons", [1, 2, 1, 2, 1, 2**31 - 1], "rows do not fit"),
        ("rows", [0, 1, 5, 8, 16, 1 << 60], "rows do not fit"),
        ("labels", [0, 0, 0, 0, 0, 99], "labels do not fit"),
        ("subjects", [0, 0, 0, 0, 0, 3], "categories do not fit"),
        ("split0", [0, 0, 0, 0, 0, 2], "splits do not fit"),
        ("names_offsets", [0, 2, 4, 6, 8, 10, 1 << 40], "offsets do not fit"),
        ("segments_offsets", [0, 0, 0, 0, 0, 0, 5], "offsets do not fit"),
        ("segments", [[-3, 2, 0]], "do not fit"),
        ("fps", [30.0], "lengths do not fit"),
        ("fps", [b"x"] * 6, "is no column of <f8"),
        ("fps", [None] * 6, "cannot read fps.npy"),
    ],
)
def test_columns_that_do_not_fit(small: Store, column: str, values: list[Any], what: str) -> None:
    """They end in a slice of something else, or in a traceback."""
    file = small.path / f"{column}.npy"
    before = np.load(file)
    odd = np.array(values)
    np.save(file, odd if odd.dtype.kind in "SO" else odd.astype(before.dtype))
    forge(small, lambda header: None)
    with pytest.raises(DataError, match=what):
        Store.open(small.path)


def test_a_header_that_is_nested_too_deeply(small: Store) -> None:
    (small.path / "store.json").write_text("[" * 200_000)
    with pytest.raises(DataError, match="nested too deeply"):
        Store.open(small.path)


@pytest.mark.skipif(os.name == "nt", reason="a mapped file cannot be cut there")
@pytest.mark.parametrize("name", ["positions.f32", "valid.bits"])
def test_a_store_that_is_cut_short_while_it_is_open(small: Store, name: str) -> None:
    """Reading behind the end of a mapped file ends the process (SIGBUS)."""
    store = Store.open(small.path)
    dataset = SkeletonDataset(store, range(6), KINECT, PreprocessingConfig())
    assert dataset.batch([5]).positions.shape[2] == 6
    os.truncate(store.path / "shards" / "00000" / name, 0)
    for use in (lambda: dataset.batch([5]), lambda: store.positions(0), lambda: store[2]):
        with pytest.raises(
            DataError, match=f"was cut short while it was open: shards/00000/{name} has 0 bytes"
        ):
            use()
    (store.path / "shards" / "00000" / name).unlink()
    with pytest.raises(DataError, match="has lost its file"):
        dataset.batch([5])


# Writing


def raising(error: BaseException) -> Iterator[Recording]:
    """One good recording, then an error, as when reading the second file fails."""
    yield make("good")
    raise error


def leftovers(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_nothing_is_left_of_a_failed_write(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="second file"):
        write(tmp_path / "s", raising(DataError("the second file is damaged")))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "s", raising(KeyboardInterrupt()))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "no recording to write"),
        ([make("a"), make("a")], "two recordings are named 'a'"),
        ([make("a", label="swim")], "label 'swim', which is not one of the classes: walk"),
        ([make("a"), NTU], "layout 'ntu25', but the store is for 'kinect20'"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, items: list[Recording], message: str) -> None:
    with pytest.raises(DataError, match=message):
        write(tmp_path / "s", items)
    assert leftovers(tmp_path) == []


def test_what_was_changed_after_it_was_made_is_checked_again(tmp_path: Path) -> None:
    spoiled = make("spoiled")
    spoiled.positions[1, 0, 2] = np.nan
    with pytest.raises(DataError, match="'spoiled': frame 1, person 0, joint 'spine_shoulder'"):
        write(tmp_path / "s", [spoiled])
    hidden = make("hidden")
    hidden.valid[1, 0, 2] = False
    assert not write(tmp_path / "s", [hidden]).positions(0)[1, 0, 2].any()


@pytest.mark.parametrize("file", ["positions.f32", "names.utf8", "frames.npy"])
@pytest.mark.parametrize(
    ("code", "message"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "cannot write .*[Pp]ermission")]
)
def test_a_write_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, code: int, message: str
) -> None:
    real = HashedWriter.__init__

    class Failing:
        def write(self, data: bytes) -> int:
            raise OSError(code, "Permission denied")

        def close(self) -> None:
            raise OSError(code, "Permission denied")

    def init(self: HashedWriter, path: Path, target: Path) -> None:
        real(self, path, target)
        if path.name == file:
            self._file.close()
            self._file = Failing()  # type: ignore[assignment]

    monkeypatch.setattr(HashedWriter, "__init__", init)
    with pytest.raises(DataError, match=message) as caught:
        write(tmp_path / "s", [make("a")])
    assert str(tmp_path / "s") in str(caught.value)
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit on file sizes")
def test_a_real_write_error(tmp_path: Path) -> None:
    """The system refuses to let files grow beyond 4,000 bytes: a write fails half-way, as on a full disk."""
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
import numpy as np
from hitrs.data import Recording, write_store
from hitrs.errors import DataError
from hitrs.skeleton import get_layout
layout = get_layout("kinect20")
items = (Recording(np.ones((9, 1, 20, 3)), np.ones((9, 1, 20), bool), layout, str(n)) for n in range(50))
try:
    write_store({str(tmp_path / "s")!r}, items, layout=layout, classes=(), protocols={{}}, meta={{}})
except DataError as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-B", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("refused: cannot write"), done.stderr
    assert leftovers(tmp_path) == []


def test_an_existing_store_is_kept_unless_told_otherwise(tmp_path: Path, small: Store) -> None:
    with pytest.raises(DataError, match="exists already"):
        write(small.path, [make("new")])
    assert len(Store.open(small.path)) == 6
    with pytest.raises(DataError, match="is damaged, really"):
        write(small.path, raising(DataError("is damaged, really")), overwrite=True)
    assert len(Store.open(small.path)) == 6
    path = small.path
    del small
    assert len(write(path, [make("new")], overwrite=True)) == 1
    assert leftovers(tmp_path) == ["small"]


def test_a_rename_that_fails_keeps_the_old_store(
    tmp_path: Path, small: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.replace, []

    def refuse_the_second(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 2:  # the old store is aside, now the new one should take its place
            raise PermissionError(errno.EACCES, "used by another program")
        real(source, target)

    monkeypatch.setattr("hitrs.files.os.replace", refuse_the_second)
    with pytest.raises(DataError, match="used by another program"):
        write(small.path, [make("new")], overwrite=True)
    assert len(Store.open(small.path)) == 6
    assert leftovers(tmp_path) == ["small"]


def test_a_kill_between_the_renames_keeps_the_old_store(tmp_path: Path, small: Store) -> None:
    path = small.path
    pickled = pickle.dumps(small)
    del small
    for reopen in (lambda: Store.open(path), lambda: pickle.loads(pickled)):
        path.rename(tmp_path / ".small.old")  # what a kill leaves, beside the new store's temporary folder
        assert len(reopen()) == 6
        assert leftovers(tmp_path) == ["small"]
    path.rename(tmp_path / ".small.old")
    with pytest.raises(DataError, match="exists already"):
        write(path, [make("new")])


def test_what_is_not_a_store_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    (tmp_path / "file").write_text("text")
    for name in ("photos", "file"):
        with pytest.raises(DataError, match="is not a store; it will not be replaced"):
            write(tmp_path / name, [make("a")], overwrite=True)
    assert (tmp_path / "photos" / "cat.jpg").read_text() == "meow"
    (tmp_path / "empty").mkdir()
    assert len(write(tmp_path / "empty", [make("a")])) == 1
    assert len(write(tmp_path / "new" / "parents" / "store", [make("a")])) == 1


# Other processes


def test_a_pickled_store_opens_again(small: Store) -> None:
    copy = pickle.loads(pickle.dumps(small))
    assert len(pickle.dumps(small)) < 1000  # the data does not travel
    for one, other in zip(small, copy, strict=True):
        assert_same(one, other)


def test_a_replaced_store_is_noticed(small: Store) -> None:
    pickled, path = pickle.dumps(small), small.path
    del small
    write(path, [make("new")], overwrite=True)
    with pytest.raises(DataError, match="was replaced"):
        pickle.loads(pickled)


@pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # Python 3.12 on: the tests' process has threads
@pytest.mark.parametrize("method", sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods())))
def test_worker_processes(small: Store, method: str) -> None:
    with multiprocessing.get_context(method).Pool(1) as pool:
        (positions,) = pool.map(methodcaller("positions", 3), [small])
    np.testing.assert_array_equal(positions, small.positions(3))


# Memory


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    """19 MB of positions are written and read with less than 2 MB at a time."""
    length, count = 400, 200
    kept = 2_000_000
    assert length * count * 20 * 3 * 4 > 9 * kept
    tracemalloc.start()
    write(tmp_path / "s", (make(str(n), length) for n in range(count)))
    _, most = tracemalloc.get_traced_memory()
    assert most < kept
    tracemalloc.reset_peak()
    store = Store.open(tmp_path / "s", verify=True)
    total = sum(float(store.positions(i)[0, 0, 0, 0]) + store.valid(i).sum() for i in range(count))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < kept
    assert total > 0


def test_a_store_without_some_classes(small: Store) -> None:
    left_out = LABELS[1]
    without = small.without_classes([left_out])
    assert without.classes == tuple(name for name in small.classes if name != left_out)
    for before, after in zip(small, without, strict=True):
        assert after.label == (None if before.label == left_out else before.label)
        assert after.segments == tuple(s for s in before.segments if s.label != left_out)
        np.testing.assert_array_equal(after.positions, before.positions)
    assert pickle.loads(pickle.dumps(without)).classes == without.classes
    with pytest.raises(DataError, match="every class of"):
        without.without_classes(without.classes)


def test_only_so_many_shards_stay_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hitrs.data.store.SHARD_RECORDINGS", 2)
    monkeypatch.setattr("hitrs.data.store.MAPPED_SHARDS", 2)
    store = write_store(tmp_path / "store", [make(f"r{number}", frames=4 + number) for number in range(9)])
    assert len(store.shards) == 5
    first = store.positions(0)
    expected = first.copy()
    for index in (0, 8, 3, 5, 0, 7, 1):
        again = Store.open(store.path)
        assert np.array_equal(store.positions(index), again.positions(index))
        assert np.array_equal(store.valid(index), again.valid(index))
        assert len(store._bulk) <= 2
    assert np.array_equal(first, expected)  # what was handed out stays
