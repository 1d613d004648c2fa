"""What commands print, and the command line that was given."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

_argv: ContextVar[tuple[str, ...]] = ContextVar("argv", default=())


def set_command(argv: Sequence[str]) -> None:
    """Remember the arguments that ``hitrs`` was called with."""
    _argv.set(tuple(argv))


def command_line() -> str:
    """The command that runs, as one could type it again."""
    return shlex.join(["hitrs", *_argv.get()])


def is_main_process() -> bool:
    """False in all but one of the processes that ``accelerate launch`` or ``torchrun`` start."""
    return int(os.environ.get("RANK", "0")) == 0


def say(line: str = "", style: str = "") -> None:
    """A line on standard output, never wrapped, no markup in it; once where several processes run."""
    if is_main_process():
        _console().print(Text(line, style=style), soft_wrap=True)


def complain(line: str) -> None:
    """A line in red on standard error."""
    Console(stderr=True, highlight=False).print(Text(line, style="red"), soft_wrap=True)


def show_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; the first column is text, the others are numbers."""
    if not is_main_process():
        return
    table = Table(box=None, pad_edge=False)
    for place, header in enumerate(headers):
        table.add_column(header, justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    _console().print(table)


def bar_for_files(what: str) -> Progress:
    """A bar with counts and an estimate, on standard error where that is a terminal; it has one task."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not (is_main_process() and sys.stderr.isatty()),
    )
    bar.add_task(what, total=None)
    return bar


def _console() -> Console:
    # made anew, because standard output may have been replaced since; a pipe gets lines as long as they are
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)
