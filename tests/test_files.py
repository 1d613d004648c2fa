"""Files and folders are complete or not there, also after a kill at the worst moment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from hitrs.errors import DataError
from hitrs.files import (
    add_folder,
    atomic_file,
    atomic_folder,
    file_name,
    locked,
    recover_folder,
    temporary_folder,
    walk_files,
    write_json,
)

# Replaces folder/model, and ends as kill -9 would at the given call of os.replace, without any cleaning up.
KILLED = """
import os, sys
from pathlib import Path
from hitrs.files import atomic_folder
real, calls, last = os.replace, [], int(sys.argv[2])
def counted(source, target):
    calls.append(target)
    if len(calls) == last:
        os._exit(9)
    real(source, target)
os.replace = counted
with atomic_folder(Path(sys.argv[1])) as part:
    (part / "weights").write_text("new")
"""


def make(target: Path, content: str) -> None:
    with atomic_folder(target) as part:
        (part / "weights").write_text(content)


def content(target: Path) -> str:
    return (target / "weights").read_text()


def kill_while_replacing(target: Path, call: int) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(target), str(call)], check=False)
    assert done.returncode == 9


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".part"))


@pytest.mark.parametrize("call", [1, 2])
def test_a_kill_loses_neither_folder(tmp_path: Path, call: int) -> None:
    target = tmp_path / "model"
    make(target, "old")
    kill_while_replacing(target, call)
    assert target.exists() == (call == 1)  # at the second call the old folder has been moved aside
    recover_folder(target)
    assert content(target) == "old"
    assert visible(tmp_path) == ["model"]


def test_the_next_write_after_a_kill(tmp_path: Path) -> None:
    target = tmp_path / "model"
    make(target, "old")
    kill_while_replacing(target, 2)

    def look_and_give_up() -> None:
        assert content(target) == "old"  # put back before anything else
        raise KeyError

    with pytest.raises(KeyError), atomic_folder(target):
        look_and_give_up()
    assert content(target) == "old"
    make(target, "newer")
    assert content(target) == "newer"
    assert visible(tmp_path) == ["model"]


def test_a_kill_while_the_old_folder_is_removed(tmp_path: Path) -> None:
    """Both are there then, and the new one is complete."""
    target, aside = tmp_path / "model", tmp_path / ".model.old"
    make(target, "new")
    make(aside, "half of the old one")
    recover_folder(target)
    assert content(target) == "new"
    make(target, "newer")
    assert content(target) == "newer"
    assert visible(tmp_path) == ["model"]


@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
def test_a_second_move_that_fails_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    target = tmp_path / "model"
    make(target, "old")
    real, calls = os.replace, []

    def replace(source: Path, destination: Path) -> None:
        calls.append(destination)
        if len(calls) == 2:
            raise kind("in use")
        real(source, destination)

    monkeypatch.setattr("hitrs.files.os.replace", replace)
    with pytest.raises(DataError if kind is OSError else kind, match="in use"):
        make(target, "new")
    assert content(target) == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_nothing_to_recover(tmp_path: Path) -> None:
    recover_folder(tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_a_link_to_a_folder_is_replaced_itself(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    make(real, "old")
    try:
        link.symlink_to(real, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make links")
    make(link, "new")
    make(link, "newer")
    assert (content(real), content(link)) == ("old", "newer")
    assert sorted(os.listdir(tmp_path)) == ["link", "real"]


def test_a_folder_that_another_process_made_stays(tmp_path: Path) -> None:
    target = tmp_path / "shard"
    for text, added in (("first", True), ("second", False)):
        with temporary_folder(target) as part:
            (part / "weights").write_text(text)
            assert add_folder(part, target) is added
    assert content(target) == "first"
    assert os.listdir(tmp_path) == ["shard"]


def test_add_folder_says_why_it_cannot(tmp_path: Path) -> None:
    with temporary_folder(tmp_path / "shard") as part, pytest.raises(FileNotFoundError):
        add_folder(part, tmp_path / "missing" / "shard")
    assert os.listdir(tmp_path) == []


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "values.json"
    write_json(path, {"a": [1, 2]})
    assert json.loads(path.read_text()) == {"a": [1, 2]}
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})

    def write_half(part: Path) -> None:
        part.write_text("half")
        raise KeyError

    with pytest.raises(KeyError), atomic_file(path) as part:
        write_half(part)
    assert json.loads(path.read_text()) == {"a": [1, 2]}
    assert os.listdir(path.parent) == ["values.json"]


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(DataError, match="cannot write"):
        write_json(tmp_path / "file" / "values.json", {})


HOLDS = """
import sys
from pathlib import Path
from hitrs.files import locked
with locked(Path(sys.argv[1]), "the run"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """And a lock whose process was killed is none."""
    folder = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(
                DataError, match=rf"the run is in use by process {other.pid} on .* wait until"
            ) as no,
            locked(folder, "the run"),
        ):
            pass
        assert "since 20" in str(no.value)
        other.kill()
    assert (folder / ".holder").exists()  # nobody could remove it
    with locked(folder, "the run"):
        assert json.loads((folder / ".holder").read_text())["process"] == os.getpid()
        with pytest.raises(DataError, match=f"in use by process {os.getpid()}"), locked(folder, "the run"):
            pass
    assert not (folder / ".holder").exists()


def test_a_folder_that_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file is a file"), locked(tmp_path / "file" / "run", "the run"):
        pass


def test_leftovers_of_killed_processes_are_cleared(tmp_path: Path) -> None:
    target = tmp_path / "model"
    make(target, "old")
    kill_while_replacing(target, 1)
    (left,) = (path for path in tmp_path.iterdir() if path.suffix == ".part")
    alive = tmp_path / re.sub(r"-\d+-", f"-{os.getppid()}-", left.name)
    elsewhere = tmp_path / re.sub(r"\.[0-9a-f]{8}-", ".00000000-", left.name)
    others = [alive, elsewhere, tmp_path / ".notes.part"]
    for path in others:
        path.write_text("of somebody else")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "other"), "9"], check=False
    )  # the next start, whatever it writes into the same folder
    assert done.returncode == 0
    assert not left.exists()
    assert all(path.exists() for path in others)


@pytest.mark.parametrize(
    "name",
    ["S001C001P001R001A001", "wave (2), left hand", "été", "finetune-utd_mhad-joint-scratch-s0", "a.b"],
)
def test_ordinary_names_are_file_names(name: str) -> None:
    assert file_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "../x", "/etc/passwd", "a/b", "C:\\x", "..\\x", "", ".", "..", ".bashrc", "con", "AUX.txt", "a\0b",
        "a\nb", "\x1b[31mred", "a" * 300, "é" * 150, "trailing. ", "a:b", "\udcff",
    ],
)  # fmt: skip
def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    found = file_name(name)
    (tmp_path / f"{found}.json").write_text("")
    assert [path.name for path in tmp_path.iterdir()] == [f"{found}.json"]
    assert found.isprintable()
    assert not re.fullmatch(r"(con|aux)(\..*)?", found, re.IGNORECASE)
    assert found not in (name, file_name(f"{name}!"), file_name("other"))
    assert file_name(found) == found


def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("open/a.npz", "closed/b.npz", "c.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    real = os.scandir

    def scandir(path: str) -> object:
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr("os.scandir", scandir)
    files, left_out = walk_files(tmp_path)
    assert sorted(path.name for path in files) == ["a.npz", "c.npz"]
    assert left_out == [f"the folder {tmp_path / 'closed'} was left out: Permission denied"]


def test_links_to_folders_that_are_there_are_told(tmp_path: Path) -> None:
    """The folder itself is entered, by whatever name the link to it comes before its own."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "b" / "x.npz").write_text("")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "b", target_is_directory=True)
    (tmp_path / "above").symlink_to(".", target_is_directory=True)
    files, left_out = walk_files(tmp_path)
    assert files == [tmp_path / "b" / "x.npz"]
    why = "was left out: it is a link to one that is read already"
    assert set(left_out) == {f"the folder {tmp_path / name} {why}" for name in ("above", "a/again")}


def test_a_folder_that_is_moved_while_it_is_being_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the one of an import is, which becomes the store."""
    real, moved = FileLock.acquire, []

    def acquire(lock: FileLock) -> object:
        if not moved:
            (tmp_path / "working").rename(tmp_path / "store")
            moved.append(lock)
        return real(lock)

    monkeypatch.setattr("hitrs.files.FileLock.acquire", acquire)
    with locked(tmp_path / "working", "it"):
        assert (tmp_path / "working" / ".lock").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_lock_that_another_process_has_cleared_leaves_no_folder(tmp_path: Path) -> None:
    """Whoever moves a folder to its place clears what is at the old one, where the next may have begun."""
    folder = tmp_path / "store.importing"
    with locked(folder, "the store"):
        for path in folder.iterdir():
            path.unlink()
    assert not folder.exists()
