"""Functions that engines of the tests map: a module that all processes can import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hitrs.engine import Step
from hitrs.errors import DataError

MOMENTS = ("before", "first step", "half", "last step", "after")


def double(item: int, step: Step) -> int:
    time.sleep(0.2 if item == 0 else 0)  # the first is the slowest
    step()
    step()
    return 2 * item


def refuse_three(item: int, step: Step) -> int:
    if item == 3:
        raise DataError("three is refused")
    return item


def leave_mark(item: Path, step: Step) -> None:
    """A long item that is stopped, and tidies up."""
    if item.name == "refused":
        while not item.with_name("long").exists():
            time.sleep(0.01)
        raise DataError("refused")
    item.touch()
    try:
        for _ in range(6000):
            time.sleep(0.01)
            step()
    finally:
        item.unlink()


def folder_of(item: int, step: Step) -> str:
    return os.getcwd()


def die(item: int, step: Step) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_once(moment: str, marks: Path, function: Callable[[Any, Step], Any], item: Any, step: Step) -> Any:
    """The function; the first process that works on the item is killed at a moment of ``MOMENTS``."""
    mark = marks / item.folder.name
    if mark.exists():
        return function(item, step)
    mark.touch()
    if moment == "before":
        die(0, step)
    steps, fatal = 0, {"first step": 1, "half": len(item.sources) // 2, "last step": len(item.sources)}

    def counted() -> None:
        nonlocal steps
        steps += 1
        if steps == fatal.get(moment):
            die(0, step)

    function(item, counted)
    return die(0, step)
