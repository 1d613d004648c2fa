"""The engine of a Ray cluster gives what that of one machine gives, whatever is lost on the way."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import work
from ntu_files import write_corpus

from hitrs.cli.main import main
from hitrs.data import Store, import_dataset
from hitrs.data.importing.plan import working_folder
from hitrs.engine import Engine
from hitrs.engine import cluster as module
from hitrs.engine.cluster import RayEngine
from hitrs.errors import DataError, EngineError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, 100)
    (folder / "S001C001P001R009A001.skeleton").write_text("1\n1\nbroken")
    return folder


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset(corpus, tmp_path_factory.mktemp("whole") / "store")


def files(store: Path) -> dict[str, bytes]:
    found = sorted(path for path in store.rglob("*") if path.is_file())
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in found}


def test_results_come_in_order_and_items_are_taken_as_they_are_needed(cluster: RayEngine) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    steps: list[int] = []
    results = cluster.map(work.double, items(), progress=steps.append)
    assert next(results) == 0
    assert len(taken) <= 16
    assert list(results) == list(range(2, 200, 2))
    assert steps == sorted(steps)
    assert steps[-1] == 200


def test_an_error_is_raised_as_it_was(cluster: RayEngine) -> None:
    with pytest.raises(DataError) as caught:
        list(cluster.map(work.refuse_three, range(10)))
    assert str(caught.value) == "three is refused"


def test_what_runs_is_given_up_and_tidies_up(cluster: RayEngine, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="refused"):
        list(cluster.map(work.leave_mark, [tmp_path / "long", tmp_path / "refused"]))
    assert not list(tmp_path.iterdir())


def test_work_is_done_where_the_command_was_given(
    cluster: RayEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths may be relative."""
    monkeypatch.chdir(tmp_path)
    assert set(cluster.map(work.folder_of, range(4))) == {str(tmp_path)}


def test_an_item_that_ends_every_process_is_named(cluster: RayEngine) -> None:
    with pytest.raises(EngineError, match=r"^17: the process that worked on it was lost 4 times"):
        list(cluster.map(work.die, [17]))


def test_a_file_that_a_machine_does_not_see(cluster: RayEngine, tmp_path: Path) -> None:
    missing = tmp_path / "elsewhere"
    with pytest.raises(EngineError, match=f"{socket.gethostname()}.* does not see {missing}.*share"):
        list(cluster.map(work.double, [1], needs=[missing]))


def test_another_version_there(cluster: RayEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hitrs.engine.cluster.__version__", "0.0.1")
    with pytest.raises(EngineError, match=r"cluster has hitrs \d.*, this one 0\.0\.1"):
        list(cluster.map(work.double, [1]))


def test_an_import_gives_the_same_store(
    cluster: RayEngine, corpus: Path, whole: Store, tmp_path: Path
) -> None:
    assert main(["import", str(corpus), str(tmp_path / "store"), "--engine", "ray"]) == 0
    assert files(tmp_path / "store") == files(whole.path)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


class Killing(Engine):
    """An engine whose processes are killed while they work on an item for the first time."""

    def __init__(self, engine: Engine, moment: str, marks: Path) -> None:
        self.engine, self.moment, self.marks = engine, moment, marks

    def map(self, function: Callable[..., Any], items: Iterable[Any], **more: Any) -> Iterator[Any]:
        function = partial(work.killed_once, self.moment, self.marks, function)
        return self.engine.map(function, items, **more)


@pytest.mark.parametrize("moment", work.MOMENTS)
def test_a_lost_process_costs_nothing_but_time(
    cluster: RayEngine, corpus: Path, whole: Store, tmp_path: Path, moment: str
) -> None:
    (tmp_path / "marks").mkdir()
    store = import_dataset(corpus, tmp_path / "store", engine=Killing(cluster, moment, tmp_path / "marks"))
    assert len(list((tmp_path / "marks").iterdir())) == 4  # each shard's process was killed
    assert files(store.path) == files(whole.path)


def test_a_killed_command_goes_on(cluster: RayEngine, corpus: Path, whole: Store, tmp_path: Path) -> None:
    command = ["import", str(corpus), str(tmp_path / "store"), "--engine", "ray", "--ray-address", "local"]
    shards = working_folder(tmp_path / "store") / "shards"
    with subprocess.Popen([sys.executable, "-m", "hitrs", *command, "--workers", "1"]) as process:
        while process.poll() is None and not (shards / "00000").exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert main([*command[:3], "--engine", "ray"]) == 0
    assert files(tmp_path / "store") == files(whole.path)


def test_a_strict_import_leaves_nothing(cluster: RayEngine, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"R009A001\.skeleton.*line 3"):
        import_dataset(corpus, tmp_path / "store", strict=True, engine=cluster)
    assert not list(tmp_path.iterdir())


def test_without_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"pip install 'hitrs\[ray\]'"):
        RayEngine()


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:port"])
def test_no_address(address: str) -> None:
    with pytest.raises(EngineError, match="expected HOST:PORT"):
        module._check_reachable(address)


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(EngineError, match=f"no Ray cluster at {address}.*ray start --head"):
            module._check_reachable(address)
