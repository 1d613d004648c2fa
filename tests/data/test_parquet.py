"""Stores as Parquet: other programs read them, the way back is exact, and bad files are refused in words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import assert_same, make, recordings
from hypothesis import given, settings
from hypothesis import strategies as st

from hitrs.cli.main import main
from hitrs.data import Recording, Segment, Store, import_dataset, write_npz, write_store
from hitrs.data import parquet as parquet_module
from hitrs.data.formats.memory import memory_limit
from hitrs.data.parquet import KEY, read_parquet, write_parquet
from hitrs.data.writer import header_checksum
from hitrs.errors import DataError

pa = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow, an extra")
pq = pytest.importorskip("pyarrow.parquet")

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


def split(recording: Recording) -> str | None:
    return {"0": "train", "1": "test"}.get(recording.name)


def items() -> list[Recording]:
    first = make("0", frames=7, persons=2, fps=30.0, label="walk", subject="anna", camera="hall")
    valid = first.valid.copy()
    valid[2, 1, 4:9] = False
    return [
        replace(first, valid=valid, notes=("one ghost, left out", "joined")),
        make("1", frames=3, seed=1, segments=(Segment(0, 2, "sit"), Segment(2, 3, "walk")), source="b/ö.csv"),
        make("2", frames=1, seed=2, session="monday"),
    ]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return write_store(
        tmp_path / "store", items(), classes=("walk", "sit", "nobody does this"),
        protocols={"by-subject": split, "other": lambda r: None}, meta={"dataset": "made up", "notes": ["a"]},
    )  # fmt: skip


@pytest.fixture
def table(store: Store, tmp_path: Path) -> Any:
    write_parquet(store, tmp_path / "store.parquet")
    return pq.read_table(tmp_path / "store.parquet")


@settings(max_examples=20)
@given(st.lists(recordings(), min_size=1, max_size=5), st.sampled_from(["float32", "int16"]))
def test_there_and_back(drawn: list[Recording], dtype: Any) -> None:
    for number, item in enumerate(drawn):
        item.name = str(number)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        store = write_store(place / "s", drawn, protocols={"p": split}, dtype=dtype, shards=(2, 1))
        write_parquet(store, place / "s.parquet")
        back = read_parquet(place / "s.parquet", place / "back")
        assert (back.fingerprint, back.dtype) == (store.fingerprint, dtype)
        for one, other in zip(store, back, strict=True):
            assert_same(one, other)
        del store, back, one, other


def test_everything_goes_along(store: Store, tmp_path: Path) -> None:
    calls = []
    write_parquet(store, tmp_path / "a.parquet", lambda done, of: calls.append((done, of)))
    back = read_parquet(tmp_path / "a.parquet", tmp_path / "b", progress=lambda *count: calls.append(count))
    assert calls == [(3, 3), (1, 3), (2, 3), (3, 3)]
    assert back.fingerprint == store.fingerprint
    for one, other in zip(store, back, strict=True):
        assert_same(one, other)
        assert (one.notes, one.source) == (other.notes, other.source)
    assert back.classes == ("walk", "sit", "nobody does this")
    assert back.protocols == ("by-subject", "other")
    assert back.split("by-subject", "test").tolist() == [1]
    assert (back.meta, back.space) == (store.meta, store.space)


def test_an_import_of_several_shards(tmp_path: Path) -> None:
    for number in range(40):
        write_npz(make(seed=number, subject=str(number % 5)), tmp_path / "files" / f"{number}.npz")
    store = import_dataset(tmp_path / "files", tmp_path / "s")
    assert store.shards == [32, 8]
    write_parquet(store, tmp_path / "s.parquet")
    assert read_parquet(tmp_path / "s.parquet", tmp_path / "t").fingerprint == store.fingerprint


def test_little_is_in_memory_at_a_time(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "GROUP_VALUES", 5 * 60)
    monkeypatch.setattr(parquet_module, "BATCH_VALUES", 60)
    write_parquet(store, tmp_path / "a.parquet")
    groups = pq.ParquetFile(tmp_path / "a.parquet").metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [1, 2]
    assert read_parquet(tmp_path / "a.parquet", tmp_path / "b").fingerprint == store.fingerprint


def documented(language: str) -> str:
    (block,) = re.findall(
        rf"```{language}\n((?:(?!```).)*\.parquet.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL
    )
    return block


def test_pandas_and_duckdb_as_the_documentation_says(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    write_parquet(store, tmp_path / "mine.parquet")
    names: dict[str, Any] = {}
    exec(documented("python"), names)
    np.testing.assert_array_equal(names["positions"], store.positions(0))
    assert names["table"].label.tolist()[0] == "walk"
    counts = {row[0]: row[1:] for row in names["seen"].fetchall()}
    assert counts["walk"] == (1, 7 / 30)
    assert names["store"].layout.name == "kinect20"
    np.testing.assert_array_equal(names["store"].positions(0), store.positions(0))


def test_a_file_of_another_program(tmp_path: Path) -> None:
    first, second = np.arange(120.0), np.arange(120.0, 240.0)
    first[3] = np.nan
    content = {
        "name": ["a", "b"],
        "positions": [first, second],
        "label": pa.array(["walk", None]).dictionary_encode(),
        "fps": [np.nan, 25],
        "split_mine": ["train", None],
        "weather": ["rain", "sun"],
        "subject": pa.nulls(2),
    }
    pq.write_table(pa.table(content), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="does not say which joints"):
        read_parquet(tmp_path / "a.parquet", tmp_path / "s")
    store = read_parquet(tmp_path / "a.parquet", tmp_path / "s", layout="kinect20")
    np.testing.assert_array_equal(store.positions(1), second.reshape(2, 1, 20, 3))
    assert np.argwhere(~store.valid(0)).tolist() == [[0, 0, 1]]
    facts = [(r.name, r.label, r.fps, r.subject) for r in store]
    assert facts == [("a", "walk", None, None), ("b", None, 25, None)]
    assert store.split("mine", "train").tolist() == [0]
    assert store.meta["notes"] == ["column 'weather' of a.parquet was left out"]


# What is wrong


def column(name: str, values: Any) -> Callable[[Any], Any]:
    def change(table: Any) -> Any:
        return table.set_column(table.schema.get_field_index(name), name, pa.array(values))

    return change


def about(change: Callable[[dict], object] | bytes) -> Callable[[Any], Any]:
    def forge(table: Any) -> Any:
        if isinstance(change, bytes):
            return table.replace_schema_metadata({KEY: change})
        values = json.loads(table.schema.metadata[KEY])
        change(values)
        values["sha256"] = header_checksum(values)
        return table.replace_schema_metadata({KEY: json.dumps(values)})

    return forge


START = {"start": 0, "stop": 2, "label": "sit"}
HALF = {**START, "stop": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["positions"]), "no column 'positions'"),
        (lambda t: t.drop_columns(["name"]), "no column 'name'; .* It has: label, subject"),
        (lambda t: t.append_column("name", t["name"]), "several columns of one name"),
        (column("name", [1, 2, 3]), "column 'name' holds int64, expected text"),
        (column("name", ["0", None, "2"]), "row 1 has no name"),
        (column("name", ["0", "0", "2"]), "two recordings are named '0'"),
        (column("positions", ["x", "y", "z"]), "'positions' holds string, expected a flat list of numbers"),
        (column("positions", [[[1.0]]] * 3), "holds list<.*list.*>, expected a flat list of numbers"),
        (column("positions", [[1.0]] * 3), "recording '0' has 1 coordinates, which are not 7 frames of 2"),
        (column("positions", [None] * 3), "'positions' holds null"),
        (column("positions", [None, [1.0], [1.0]]), "recording '0' has no positions"),
        (column("positions", [[np.inf] * 840, [1.0], [1.0]]), "'0': frame 0, person 0, joint .* finite"),
        (column("valid", [[True]] * 3), "recording '0': valid has 1 values, expected 280"),
        (column("valid", [[1]] * 3), "'valid' holds list.*, expected a flat list of bool"),
        (column("frames", [-7, 3, 1]), "which are not -7 frames"),
        (column("frames", [1 << 62, 3, 1]), "which are not 4611686018427387904 frames"),
        (column("frames", ["7", "3", "1"]), "'frames' holds string, expected whole numbers"),
        (column("persons", [0, 1, 1]), "of 0 persons"),
        (column("joints", [25, 25, 25]), "has 25 joints x 3, but layout 'kinect20' has 20 x 3"),
        (column("fps", [-1.0, 1.0, 1.0]), "frame rate of -1.0 makes no sense"),
        (column("label", ["swim", None, None]), "label 'swim', which is not one of the classes"),
        (column("split_other", ["val", None, None]), "has 'val' in column 'split_other', expected train"),
        (column("segments", [[], [{"start": 0, "stop": 99, "label": "sit"}], []]), r"\[0, 99\) does not lie"),
        (column("segments", [[START], [HALF], []]), "segment without start"),
        (column("segments", [["x"]] * 3), "'segments' holds .*, expected a list of {start, stop, label}"),
        (column("notes", ["x"] * 3), "'notes' holds string"),
        (about(b"{"), "under the key 'hitrs' is of no use"),
        (about(b"[" * 100_000), "under the key 'hitrs' is of no use"),
        (about(b"[]"), "under the key 'hitrs' is of no use"),
        (about(lambda v: v.update(version=2)), "of version 2, this release reads hitrs-parquet of version 1"),
        (about(lambda v: v.update(dtype="int8")), "not as 'int8'"),
        (about(lambda v: v.update(shards=[0])), "recordings of a shard"),
        (about(lambda v: v.update(classes="walk")), "classes must be a list"),
        (about(lambda v: v["layout"].update(parents=[99])), "layout"),
        (about(lambda v: v["meta"].update(notes=7)), "notes must be a list"),
        (about(lambda v: v.pop("meta")), "'meta'"),
        (lambda t: t.slice(0, 0), "no recording to write"),
    ],
)
def test_what_does_not_fit_is_told(
    table: Any, tmp_path: Path, change: Callable[[Any], Any], message: str
) -> None:
    pq.write_table(change(table), tmp_path / "bad.parquet")
    with pytest.raises(DataError, match=message) as caught:
        read_parquet(tmp_path / "bad.parquet", tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_a_row_group_that_is_too_large_is_refused(table: Any, tmp_path: Path) -> None:
    with (
        memory_limit(10_000),
        pytest.raises(DataError, match=r"row group 0 holds .* coordinates, more than .*row_group_size="),
    ):
        read_parquet(tmp_path / "store.parquet", tmp_path / "new")


def test_a_long_text_that_is_repeated_is_refused(tmp_path: Path) -> None:
    """10 kB that would become 12 GB."""
    count, long = 4000, "s" * 3_000_000
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([long]))
    notes = pa.ListArray.from_arrays(pa.array(range(count + 1), pa.int32()), repeated)
    for name, values in (("source", repeated), ("notes", notes)):
        content = {"name": list(map(str, range(count))), "positions": [[0.0] * 60] * count, name: values}
        pq.write_table(pa.table(content), tmp_path / "a.parquet", store_schema=False)
        assert (tmp_path / "a.parquet").stat().st_size < 200_000
        with pytest.raises(DataError, match="texts of its row group 0 are too long"):
            read_parquet(tmp_path / "a.parquet", tmp_path / "s", layout="kinect20")


def test_a_number_of_values_that_is_too_large_is_refused(tmp_path: Path) -> None:
    content = {"name": ["a"], "positions": [[0.0] * 60], "notes": [["x"] * 200]}
    pq.write_table(pa.table(content), tmp_path / "a.parquet")
    with memory_limit(64 * 150), pytest.raises(DataError, match="holds 200 values of notes, more than"):
        read_parquet(tmp_path / "a.parquet", tmp_path / "s", layout="kinect20")


def test_damage_is_told(store: Store, tmp_path: Path) -> None:
    """Bits are flipped all over the file, and it is cut: never another traceback, never other content."""
    good = tmp_path / "good.parquet"
    write_parquet(store, good)
    content = good.read_bytes()
    refused = 0
    for place in range(0, len(content), 61):
        for spoiled in (
            content[:place],
            content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :],
        ):
            (tmp_path / "bad.parquet").write_bytes(spoiled)
            try:
                back = read_parquet(tmp_path / "bad.parquet", tmp_path / "new", overwrite=True)
            except DataError as error:
                assert str(tmp_path / "bad.parquet") in str(error)  # noqa: PT017
                assert "\n" not in str(error)  # noqa: PT017
                refused += 1
            else:
                for one, other in zip(store, back, strict=True):
                    np.testing.assert_array_equal(one.positions, other.positions)
                    np.testing.assert_array_equal(one.valid, other.valid)
                del back, one, other
    assert refused > len(content) / 61


@pytest.mark.parametrize("name", ["nothing.parquet", "text.parquet", "folder.parquet"])
def test_what_is_no_parquet_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.parquet").write_text("name,positions\n")
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(DataError, match=rf"there is no file|{name} is no Parquet file that can be read"):
        read_parquet(tmp_path / name, tmp_path / "new")


# Half-written files


def test_ctrl_c_leaves_nothing_behind(store: Store, tmp_path: Path) -> None:
    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    good = tmp_path / "good.parquet"
    write_parquet(store, good)
    before, content = sorted(tmp_path.iterdir()), good.read_bytes()
    for interrupted in (
        lambda: write_parquet(store, good, stop),
        lambda: write_parquet(store, tmp_path / "new.parquet", stop),
        lambda: read_parquet(good, tmp_path / "new", progress=stop),
    ):
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    assert sorted(tmp_path.iterdir()) == before
    assert good.read_bytes() == content


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit on file sizes")
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    store = write_store(tmp_path / "s", [rng.normal(size=(900, 20, 3))], layout="kinect20")
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
from hitrs.data import Store
from hitrs.data.parquet import write_parquet
from hitrs.errors import DataError
try:
    write_parquet(Store.open({str(store.path)!r}), {str(tmp_path / "a.parquet")!r})
except DataError as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-B", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"refused: cannot write {tmp_path / 'a.parquet'}"), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


# The command


def test_the_command(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, back = str(tmp_path / "a.parquet"), str(tmp_path / "back")
    assert main(["convert", str(store.path), file]) == 0
    assert main(["convert", file, back]) == 0
    out = capsys.readouterr().out
    assert out.count(f"content     {store.fingerprint[:12]}\nrecordings  3\n") == 2
    for words, message in (
        ([str(store.path), file], "exists already"),
        ([file, str(tmp_path / "b.parquet")], "is a Parquet file already"),
        ([file, str(tmp_path / "c"), "--heads", "2"], "--heads does not apply"),
        ([str(store.path), str(tmp_path / "c.parquet"), "--layout", "kinect20"], "--layout does not apply"),
        ([file, str(tmp_path / "c"), "--layout", "ntu25"], "has layout 'kinect20', but 'ntu25' was asked"),
        ([str(tmp_path / "nothing"), str(tmp_path / "c.parquet")], "there is no store"),
    ):
        assert main(["convert", *words]) == 1
        assert message in capsys.readouterr().err
    assert main(["import", file, str(tmp_path / "d")]) == 1
    assert "`hitrs convert` makes a store of a .parquet file" in capsys.readouterr().err


def test_without_pyarrow(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'hitrs\[parquet\]'"):
        write_parquet(store, tmp_path / "a.parquet")
