"""The run folder: what was asked for, so that it can be done again or go on.

``config.yaml`` is the whole configuration, ``run.json`` what else determines the result (data, protocol,
seed) and
what was around (command, commit, versions, machine), ``results.json`` what came out.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from hitrs import __version__
from hitrs.errors import ConfigError, DataError
from hitrs.files import HOLDER, LOCK, locked, read_json, write_json
from hitrs.process import is_main_process
from hitrs.training.checkpoint import list_checkpoints
from hitrs.training.loop import Interrupted

CONFIG = "config.yaml"
WRITTEN_BY = "Written by: "
"""How the comment begins on top of the configuration in a run folder, in front of the command."""
VERSION = 2
"""Of the format; 1 (before 0.2) had other names for settings and none written down."""


@contextmanager
def run_folder(
    out: Path,
    facts: Mapping[str, Any],
    *,
    command: str,
    again: str,
    resume: bool,
    write_config: Callable[[], None],
    changed: Callable[[], list[tuple[str, Any, Any]]],
) -> Iterator[None]:
    """A folder for a run; inside the block the training takes place.

    A run that fails before its first checkpoint leaves nothing behind. One that is interrupted says how to
    go on. No other process can work in the folder meanwhile.

    Args:
        facts: what determines the result beside the configuration (data, protocol, ...), JSON values; a
            continued run must have the same.
        command: what was called, as one could type it again.
        again: the same to go on with the run.
        write_config: writes the configuration into the folder.
        changed: name, value before and value now of settings in which a continued run differs.

    Raises:
        ConfigError: if the folder is in use and the run is not to be continued, or is to be continued with
            other settings or data.
        DataError: if another process works in it.
        KeyboardInterrupt: with the command to go on with, after the training was interrupted.
    """
    if not is_main_process():  # the main one does the writing
        yield
        return
    facts = json.loads(json.dumps(facts))
    # torchrun gives a command that it starts again the same words
    resume = resume and not ("TORCHELASTIC_RUN_ID" in os.environ and not (out / "run.json").exists())
    if not (out / LOCK).exists():  # nobody works in it: no lock is put into a folder that is of no use
        read_run(out) if resume else _check_free(out)
    with locked(out, f"the run folder {out}"):
        if resume:
            run = read_run(out)
            _check_same(out, facts, run, changed())
            write_json(out / "run.json", {**run, "resumed": [*run.get("resumed", []), _moment()]})
        else:
            _check_free(out)
        finished = False
        try:
            if not resume:
                write_config()
                about = {"format_version": VERSION, "command": command, **_moment(), **machine()}
                write_json(out / "run.json", {**facts, **about})
            yield
            finished = True
        except Interrupted as stop:
            raise KeyboardInterrupt(f"{str(stop).split(';')[0]}; go on with: {again}") from stop
        finally:
            if not (finished or resume or list_checkpoints(out / "checkpoints")):
                shutil.rmtree(out, ignore_errors=True)


def _check_free(out: Path) -> None:
    """ConfigError unless a run can begin there: nothing, an empty folder, or the first file of a run that was
    killed before it had written the second.
    """
    names: set[str] = set()
    if out.is_dir():
        names = {path.name for path in out.iterdir() if not path.name.endswith(".part")} - {LOCK, HOLDER}
    if names == {CONFIG}:
        with suppress(OSError, UnicodeDecodeError):
            if (out / CONFIG).read_text(encoding="utf-8").startswith(f"# {WRITTEN_BY}"):
                return
    if names or (out.exists() and not out.is_dir()):
        raise ConfigError(
            f"{out} exists already; choose another --out, or go on with the run in it by --resume"
        )


def write_results(out: Path, results: Mapping[str, Any]) -> None:
    """Write ``results.json`` of a run."""
    write_json(out / "results.json", results)


def read_run(out: Path) -> dict[str, Any]:
    """The record of a run that could go on.

    Raises:
        ConfigError: if there is no run in this folder, or one of an older format.
        DataError: if its record cannot be read.
    """
    try:
        run = read_json(out / "run.json")
    except FileNotFoundError:
        raise ConfigError(
            f"{out} is not a run that could go on: it has no run.json; leave out --resume to start"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{out / 'run.json'} cannot be read: {error}; start another run") from error
    if not isinstance(run, dict):
        raise DataError(f"{out / 'run.json'} does not describe a run; start another one")
    if run.get("format_version") != VERSION:
        raise ConfigError(
            f"{out} is a run of format {run.get('format_version', 1)}, this release goes on with {VERSION} "
            "only: parameters and settings had other names. A model that it has finished can be used; start "
            "another run"
        )
    return run


def machine() -> dict[str, Any]:
    """What the numbers of a run may depend on beside its settings."""
    return {
        "hitrs": __version__,
        "commit": commit(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
    }


def commit() -> str | None:
    """The commit of the source tree that runs, if it is one."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):  # installed from a wheel, or no git
        return None
    return done.stdout.strip()


def _check_same(
    out: Path, facts: Mapping[str, Any], run: Mapping[str, Any], changed: list[tuple[str, Any, Any]]
) -> None:
    # where the store lies does not matter: its fingerprint tells whether it is the same
    others = [(k, run.get(k), value) for k, value in facts.items() if k != "store" and run.get(k) != value]
    differences = [*changed, *others]
    if differences:
        what = "; ".join(f"{name} was {before}, not {after}" for name, before, after in differences)
        raise ConfigError(
            f"{out} cannot go on with other settings ({what}); leave them as they were or start another run"
        )


def _moment() -> dict[str, str]:
    return {"started": datetime.now(timezone.utc).isoformat(timespec="seconds")}
