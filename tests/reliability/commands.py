"""Commands of hitrs in processes of their own: to be killed, started twice, or run on a disk that fills.

The processes are forked from one that has imported what takes seconds: a command takes the time of its work.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from events import Trap

from factories import QUICK, small_store, untrimmed_store
from hitrs.cli.main import main
from hitrs.data import Store, write_npz

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "torch._dynamo",
        "tyro",
        "hitrs.viz",
        "matplotlib.backends.backend_agg",
        "sklearn.neighbors",
        "hitrs.cli.main",
        "hitrs.data.importing",
        "hitrs.experiments.runner",
        "hitrs.experiments.runs",
        "hitrs.experiments.tables",
    ]
)
_PLAN = """
name: small-table
set: {model.width: 8, model.layers: 1, pretrain.optim.steps: 3, pretrain.optim.batch_size: 4,
      recognize.optim.steps: 3, recognize.optim.batch_size: 4}
cells:
  - {do: pretrain, id: encoder, store: store, protocol: subjects}
  - {do: finetune, id: recognizer, store: store, protocol: subjects, from: encoder}
  - {do: knn, store: store, protocol: subjects}
"""
_FILES = 130
"""To import: five shards."""
LIMIT = 300.0
"""Seconds after which a command counts as one that hangs."""


@dataclass(frozen=True)
class Command:
    """A command that makes something in a folder of its own."""

    words: Callable[[Path], list[str]]
    """Given that folder."""
    made: Callable[[Path], Mapping[str, Any]]
    """What has to come out alike, however it was disturbed."""
    resumes: bool = False
    """Whether --resume goes on with what is there already; else the same command does."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    """Negative: by that signal."""
    said: str
    events: int
    """Changes of files below the folder; 0 if it was killed."""

    @property
    def sentence(self) -> bool:
        """Whether it succeeded, or refused with a message for people."""
        last = self.said.rstrip().rpartition("\n")[2] if self.code == 0 else self.said
        return "Traceback" not in self.said and (
            self.code in (0, 130) or (self.code == 1 and "error: " in last)
        )


class Process:
    """A command that runs; ``words`` as in a shell."""

    def __init__(self, words: list[str], log: Path, trap: Trap | None = None) -> None:
        self.log = log
        self._process = _CONTEXT.Process(target=_child, args=(words, log, trap))
        self._process.start()

    def signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def end(self) -> Ended:
        """Wait for it; one that hangs is killed, and its code is that."""
        self._process.join(LIMIT)
        self.signal(signal.SIGKILL)
        self._process.join()
        counted = self.log.with_suffix(".events")
        events = int(counted.read_text()) if counted.exists() else 0
        said = self.log.read_text(errors="replace") if self.log.exists() else ""
        return Ended(self._process.exitcode or 0, said, events)


def run(words: list[str], log: Path, trap: Trap | None = None) -> Ended:
    return Process(words, log, trap).end()


def _child(words: list[str], log: Path, trap: Trap | None) -> None:
    counted = log.with_suffix(".events")
    counted.unlink(missing_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.argv = ["hitrs", *words]
    with trap.armed() if trap is not None else Trap.none() as events:
        code = main(words)
    counted.write_text(str(events()))
    sys.exit(code)


class Workshop:
    """Small stores, files and models, and the commands that are disturbed."""

    def __init__(self, folder: Path, names: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.store = small_store(folder / "stores" / "store", count=24).path
        self.config, self.plan, self.log = folder / "quick.yaml", folder / "plan.yaml", folder / "log.txt"
        training = "steps: 4, checkpoint_seconds: 0, batch_size: 4, accumulation_steps"
        self.config.write_text(QUICK.replace("steps: 4, batch_size: 4, accumulation_steps", training))
        self.plan.write_text(_PLAN)
        store = Store.open(self.store)
        (folder / "files").mkdir()
        for number in range(_FILES):
            write_npz(store[number % len(store)], folder / "files" / f"{number:03}.npz")
        self.pretrained, self.detector = folder / "pretrained", folder / "detector"
        settings = ["--config", str(self.config), "--out"]
        untrimmed = untrimmed_store(folder / "untrimmed").path
        self._well(["pretrain", str(self.store), *settings, str(self.pretrained)])
        self._well(["finetune", str(untrimmed), "--task", "detection", *settings, str(self.detector)])
        for number, recording in enumerate(Store.open(untrimmed)):
            (folder / "long").mkdir(exist_ok=True)
            write_npz(recording, folder / "long" / f"{number}.npz")
        source, weights = str(folder / "files"), str(self.pretrained)

        def to(*words: str, place: str) -> Callable[[Path], list[str]]:
            return lambda out: [*words, str(out / place)]

        train = [str(self.store), "--config", str(self.config)]
        table = ["table", str(self.plan), "--stores", str(folder / "stores")]
        everything = {
            "import": Command(to("import", source, "--workers", "1", place="store"), _files),
            "import, 2 processes": Command(to("import", source, "--workers", "2", place="store"), _files),
            "pretrain": Command(to("pretrain", *train, "--out", place="run"), _run, resumes=True),
            "finetune": Command(
                to("finetune", *train, "--from", weights, "--out", place="run"), _run, resumes=True
            ),
            "table": Command(
                lambda out: [*table, "--runs", str(out / "runs"), "--results", str(out / "results")], _table
            ),
            "probe": Command(to("probe", *train[:1], weights, *train[1:], "--out", place="model"), _files),
            "detect": Command(
                to("detect", str(self.detector), str(folder / "long"), "--out", place="found.json"), _files
            ),
        }
        self.commands = {name: each for name, each in everything.items() if name in (names or everything)}

    def _well(self, words: list[str]) -> None:
        ended = run(words, self.log)
        assert ended.code == 0, ended.said

    def whole(self, command: Command) -> tuple[Mapping[str, Any], float, int]:
        """What an undisturbed run makes, the seconds that it takes, and how often it changes files."""
        with self.place() as out:
            began = time.monotonic()
            ended = run(command.words(out), self.log, Trap(out))
            seconds = time.monotonic() - began
            assert ended.code == 0, ended.said
            return command.made(out), seconds, ended.events

    def place(self) -> Place:
        """A new folder, removed at the end."""
        return Place(self.folder / "out")

    def go_on(self, command: Command, out: Path) -> Ended:
        """The same command again, with --resume where that is the way."""
        ended = run(command.words(out), self.log)
        if ended.code == 1 and "exists already" in ended.said:
            if not command.resumes:
                return Ended(0, ended.said, 0)  # it was finished
            ended = run([*command.words(out), "--resume"], self.log)
        return ended

    def wrong(self, command: Command, out: Path, expected: Mapping[str, Any]) -> str | None:
        """What is not as after an undisturbed run, or None: what was made, and that nothing else is left."""
        left = [
            path.relative_to(out).as_posix()
            for path in out.rglob("*")
            if path.name.endswith((".part", ".old", ".importing", ".probing"))
        ]
        if left:
            return f"left over: {', '.join(left[:5])}"
        try:
            made = command.made(out)
        except (OSError, ValueError) as error:
            return f"not there: {error}"
        other = [name for name in {*made, *expected} if made.get(name) != expected.get(name)]
        return f"not as undisturbed: {', '.join(sorted(other)[:5])}" if other else None


@dataclass(frozen=True)
class Place:
    """A folder to work in."""

    folder: Path

    def __enter__(self) -> Path:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        return self.folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


def _files(out: Path) -> dict[str, Any]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def _run(out: Path) -> dict[str, Any]:
    """Weights, and what was measured; the rest of a run folder tells times."""
    made: dict[str, Any] = {"weights": (out / "run" / "model" / "model.safetensors").read_bytes()}
    results = out / "run" / "results.json"
    if results.exists():
        made["metrics"] = json.loads(results.read_text())["metrics"]
    return made


def _table(out: Path) -> dict[str, Any]:
    made: dict[str, Any] = {
        path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("model/model.safetensors")
    }
    for path in out.glob("results/*/*.json"):
        made[path.name] = json.loads(path.read_text())["metrics"]
    return made
