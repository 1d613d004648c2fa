"""Files and folders are complete or not there, also after a kill at the worst moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hitrs.errors import DataError
from hitrs.files import add_folder, atomic_file, atomic_folder, recover_folder, temporary_folder, write_json

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
