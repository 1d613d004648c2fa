"""The run folder: what was asked for, so that it can be done again or go on."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from hitrs import __version__
from hitrs.cli.configfile import differences, dump_config, load_config
from hitrs.cli.console import command_line, is_main_process
from hitrs.data.files import atomic_file, explained_writes
from hitrs.errors import ConfigError, DataError
from hitrs.evaluate.cells import commit
from hitrs.train.checkpoint import list_checkpoints
from hitrs.train.config import Config
from hitrs.train.loop import Interrupted


@contextmanager
def run_folder(out: Path, config: Config, facts: Mapping[str, Any], resume: bool) -> Iterator[None]:
    """A folder for a run, with ``config.yaml`` and ``run.json``; inside the block the training takes place.

    A run that fails before its first checkpoint leaves nothing behind. One that is interrupted says how to
    go on.

    Args:
        facts: what determines the result beside the configuration (data, protocol, ...); a continued run must
            have the same.

    Raises:
        ConfigError: if the folder is in use and the run is not to be continued, or is to be continued with
            other settings or data.
        KeyboardInterrupt: with the command to go on with, after the training was interrupted.
    """
    if not is_main_process():  # the main one does the writing
        yield
        return
    known = json.loads(json.dumps(facts))
    if resume:
        run = _read_run(out)
        _check_same(out, config, known, run)
        _write_json(out / "run.json", {**run, "resumed": [*run.get("resumed", []), _moment()]})
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(
            f"{out} exists already; choose another --out, or go on with the run in it by --resume"
        )
    finished = False
    try:
        if not resume:
            dump_config(config, out / "config.yaml", comment=f"Written by: {command_line()}")
            _write_json(out / "run.json", {**known, "command": command_line(), **_moment(), **machine()})
        yield
        finished = True
    except Interrupted as stop:
        again = command_line() if resume else f"{command_line()} --resume"
        raise KeyboardInterrupt(f"{str(stop).split(';')[0]}; go on with: {again}") from stop
    finally:
        if not (finished or resume or list_checkpoints(out / "checkpoints")):
            shutil.rmtree(out, ignore_errors=True)


def write_results(out: Path, results: Mapping[str, Any]) -> None:
    """Write ``results.json`` of a run."""
    _write_json(out / "results.json", results)


def _check_same(out: Path, config: Config, facts: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    changed = differences(load_config(out / "config.yaml"), config)
    # where the store lies does not matter: its fingerprint tells whether it is the same
    changed += [(k, run.get(k), value) for k, value in facts.items() if k != "store" and run.get(k) != value]
    if changed:
        what = "; ".join(f"{name} was {before}, not {after}" for name, before, after in changed)
        raise ConfigError(
            f"{out} cannot go on with other settings ({what}); leave them as they were or start another run"
        )


def _read_run(out: Path) -> dict[str, Any]:
    try:
        run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{out} is not a run that could go on: it has no run.json; leave out --resume to start"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{out / 'run.json'} cannot be read: {error}; start another run") from error
    if not isinstance(run, dict):
        raise DataError(f"{out / 'run.json'} does not describe a run; start another one")
    return run


def _moment() -> dict[str, str]:
    return {"started": datetime.now(timezone.utc).isoformat(timespec="seconds")}


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


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    with atomic_file(path) as part, explained_writes(path):
        part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
