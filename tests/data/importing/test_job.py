"""An import gives the same store however it is run: in one go, over processes, in parts, after a kill."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from ntu_files import write_corpus

from hitrs.cli.main import main
from hitrs.data import Store, import_dataset
from hitrs.data.importing import ImportJob, ImportOptions
from hitrs.data.importing import job as job_module
from hitrs.data.importing.plan import divide, working_folder
from hitrs.data.importing.workers import ImportTask
from hitrs.errors import DataError, WriteError
from hitrs.files import HashedWriter, explained_writes


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, 150)
    (folder / "S001C001P001R009A001.skeleton").write_text("1\n1\nbroken")
    return folder


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset(corpus, tmp_path_factory.mktemp("whole") / "store")


def files(store: Path) -> dict[str, bytes]:
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }


def test_shards_are_the_same_however_often_they_are_planned(whole: Store) -> None:
    assert len(whole) + 1 == sum(map(len, divide([None] * (len(whole) + 1))))  # type: ignore[list-item]
    assert [len(part) for part in divide([None] * 100)] == [32, 32, 32, 4]  # type: ignore[list-item]
    assert {len(part) for part in divide([None] * 51200)} == {256}  # type: ignore[list-item]
    (left_out,) = whole.meta["quarantined"]
    assert left_out["source"] == "S001C001P001R009A001.skeleton"
    assert "line 3" in left_out["reason"]


def test_two_processes(corpus: Path, whole: Store, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    job = ImportJob(corpus, tmp_path / "store")
    job.run(2, progress=lambda done, of: seen.append((done, of)))
    store = job.finish()
    assert files(store.path) == files(whole.path)
    assert seen[0] == (0, job.n_files)
    assert seen == sorted(seen)


def test_parts_on_several_machines(corpus: Path, whole: Store, tmp_path: Path) -> None:
    for part in ((2, 3), (1, 3)):
        ImportJob(corpus, tmp_path / "store").run(part=part)
    with pytest.raises(DataError, match=r"shards of .* are not there yet"):
        ImportJob(corpus, tmp_path / "store").finish()
    assert main(["import", str(corpus), str(tmp_path / "store"), "--part", "3/3"]) == 0
    assert not (tmp_path / "store").exists()
    assert main(["import", str(corpus), str(tmp_path / "store")]) == 0
    assert files(tmp_path / "store") == files(whole.path)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b"])
def test_parts_that_make_no_sense(
    corpus: Path, tmp_path: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", str(corpus), str(tmp_path / "store"), "--part", part]) == 1
    assert "expected K/N" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_interrupted_import_goes_on(
    corpus: Path, whole: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, of: int) -> None:
        if done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ImportJob(corpus, tmp_path / "store").run(progress=stop)
    left = working_folder(tmp_path / "store")
    assert len(list((left / "shards").iterdir())) == 3  # of 32 files each; the fourth was given up
    first: list[int] = []
    job = ImportJob(corpus, tmp_path / "store")
    job.run(progress=lambda done, of: first.append(done))
    assert first[0] == 96
    assert files(job.finish().path) == files(whole.path)


def test_a_killed_import_goes_on(corpus: Path, whole: Store, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "hitrs",
        "import",
        str(corpus),
        str(tmp_path / "store"),
        "--workers",
        "2",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shards = working_folder(tmp_path / "store") / "shards"
    deadline = time.monotonic() + 60
    while process.poll() is None and not (shards.is_dir() and any(shards.iterdir())):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait()
    store = import_dataset(corpus, tmp_path / "store", overwrite=True)
    assert files(store.path) == files(whole.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "S001C001P001R001A001.skeleton").write_text("x"), "the files have changed"),
        (lambda folder: (folder / "S001C001P001R001A001.skeleton").unlink(), "the files have changed"),
    ],
)
def test_other_files_do_not_get_mixed_in(
    corpus: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    source = shutil.copytree(corpus, tmp_path / "src")
    ImportJob(source, tmp_path / "store").run(part=(1, 2))
    change(source)
    with pytest.raises(DataError, match=f"was interrupted, and {message} since. Delete that folder"):
        ImportJob(source, tmp_path / "store")
    with pytest.raises(DataError, match=r"delete|Delete"):
        ImportJob(corpus, tmp_path / "store", ImportOptions(strict=True))


def test_strict_stops_and_leaves_nothing(corpus: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        with pytest.raises(DataError, match="S001C001P001R009A001"):
            import_dataset(corpus, tmp_path / "store", strict=True, workers=workers)
        assert not list(tmp_path.iterdir())


def test_a_split_that_cannot_be_made_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for number in range(4):
        np.savez(
            tmp_path / "src" / f"{number}.npz",
            positions=np.ones((3, 25, 3)) * number,
            layout="ntu25",
            subject=f"s{number}",
        )
    with pytest.raises(DataError, match=r"no subject x; .* What was read is kept in"):
        import_dataset(tmp_path / "src", tmp_path / "store", test_subjects=["x"])
    assert working_folder(tmp_path / "store").is_dir()
    store = import_dataset(tmp_path / "src", tmp_path / "store", test_subjects=["s1"])
    assert store.split("by-subject", "test").tolist() == [1]
    assert not working_folder(tmp_path / "store").exists()


def test_recordings_are_mapped_on_the_way(corpus: Path, tmp_path: Path) -> None:
    store = import_dataset(corpus, tmp_path / "store", ImportOptions(to="ntu25"), to="kinect20")
    assert store.layout.name == "kinect20"
    assert "mapped from the layout 'ntu25'" in store.notes(0)


def test_a_defect_of_a_reader_is_told_and_does_not_end_the_import(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(job_module, "map_positions", broken)
    with pytest.raises(DataError, match=r"files were refused; .*its reader failed \(ZeroDivisionError"):
        import_dataset(corpus, tmp_path / "store", to="kinect20")


def test_two_imports_to_one_place(corpus: Path, whole: Store, tmp_path: Path) -> None:
    """The second is refused while the first runs, also between its reading and its end."""
    inside: list[str] = []

    def another(done: int, of: int) -> None:
        if done == 40:
            for attempt in (
                lambda: ImportJob(corpus, tmp_path / "store"),
                lambda: import_dataset(corpus, tmp_path / "store", strict=True),
            ):
                with pytest.raises(DataError, match=f"in use by process {os.getpid()}") as refused:
                    attempt()
                inside.append(str(refused.value))

    job = ImportJob(corpus, tmp_path / "store")
    job.run(progress=another)
    assert len(inside) == 2
    with pytest.raises(DataError, match="in use by"):
        ImportJob(corpus, tmp_path / "store")
    assert files(job.finish().path) == files(whole.path)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    with pytest.raises(DataError, match="exists already"):
        ImportJob(corpus, tmp_path / "store")


def test_parts_exclude_the_same_part_and_the_whole(corpus: Path, whole: Store, tmp_path: Path) -> None:
    whole_job, again = ImportJob(corpus, tmp_path / "store"), ImportJob(corpus, tmp_path / "store")
    tried: list[int] = []

    def others(done: int, of: int) -> None:
        if done == 0 or tried:
            return
        tried.append(done)
        with pytest.raises(DataError, match=r"a part of the store .* is in use by process"):
            whole_job.run()
        with pytest.raises(DataError, match=r"part 1/2 of the store .* is in use by process"):
            again.run(part=(1, 2))
        again.run(part=(2, 2))

    ImportJob(corpus, tmp_path / "store").run(part=(1, 2), progress=others)
    assert tried
    assert files(whole_job.finish().path) == files(whole.path)


@pytest.mark.parametrize("strict", [False, True])
def test_a_full_disk_keeps_what_was_read(
    corpus: Path, whole: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strict: bool
) -> None:
    source = shutil.copytree(corpus, tmp_path / "src")
    (source / "S001C001P001R009A001.skeleton").unlink()
    with monkeypatch.context() as patched:
        fill_disk(patched, shards=2)
        with pytest.raises(WriteError, match=r"the disk is full.*What was read is kept in"):
            import_dataset(source, tmp_path / "store", strict=strict)
    assert len(list((working_folder(tmp_path / "store") / "shards").iterdir())) == 2
    read: list[int] = []
    job = ImportJob(source, tmp_path / "store", ImportOptions(strict=strict))
    job.run(progress=lambda done, of: read.append(done))
    assert read[0] == 64
    assert len(job.finish()) == len(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["src", "store"]


def fill_disk(patched: pytest.MonkeyPatch, shards: int) -> None:
    """No space is left as soon as so many shards were begun and another one is."""
    begun: list[Path] = []
    real = HashedWriter.__init__

    def opened(self: HashedWriter, path: Path, target: Path) -> None:
        if path.name == "positions.f32":
            begun.append(path)
        if len(begun) > shards:
            with explained_writes(target):
                raise OSError(errno.ENOSPC, "No space left on device")
        real(self, path, target)

    patched.setattr(HashedWriter, "__init__", opened)


def test_a_process_that_is_ended_keeps_what_was_read(
    corpus: Path, whole: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the message says."""

    class Ended(Future):  # type: ignore[type-arg]
        """Of a process that the system has ended."""

        def result(self, timeout: float | None = None) -> None:
            raise BrokenProcessPool

    def submit(
        pool: ProcessPoolExecutor, call: Callable[..., None], function: Callable[..., None], task: ImportTask
    ) -> Future[None]:
        future = Ended() if task.folder.name == "00002" else Future[None]()
        if not isinstance(future, Ended):
            function(task, lambda: None)
        future.set_result(None)
        return future

    with monkeypatch.context() as patched:
        patched.setattr(ProcessPoolExecutor, "submit", submit)
        with pytest.raises(
            DataError, match=r"ended from outside.*What was read is kept in .*: the same command goes on"
        ):
            import_dataset(corpus, tmp_path / "store", workers=2)
    assert not (working_folder(tmp_path / "store") / "shards" / "00002").exists()
    read: list[int] = []
    job = ImportJob(corpus, tmp_path / "store")
    job.run(progress=lambda done, of: read.append(done))
    assert 0 < read[0] < job.n_files
    assert files(job.finish().path) == files(whole.path)


def test_a_kill_after_the_store_is_in_place(corpus: Path, whole: Store, tmp_path: Path) -> None:
    """What the import needed only for itself is cleared by the next start, which finds the store."""
    store = shutil.copytree(whole.path, tmp_path / "store")
    for name in ("plan.json", ".lock", ".lock-1-of-2", ".holder", "shards/00000/index.json"):
        (store / name).write_text("{}")
    with pytest.raises(DataError, match="exists already"):
        ImportJob(corpus, store)
    assert files(store) == files(whole.path)
