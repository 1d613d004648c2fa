"""What commands print, and the command line that was given."""

from __future__ import annotations

import json
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from hitrs.errors import DataError, LayoutError, printable
from hitrs.files import atomic_file, explained_writes
from hitrs.process import is_main_process

if TYPE_CHECKING:
    from rich.progress import Progress

_LISTED = 10
"""Inputs that were left out, of which so many are named."""
_argv: ContextVar[tuple[str, ...]] = ContextVar("argv", default=())


def set_command(argv: Sequence[str]) -> None:
    """Remember the arguments that ``hitrs`` was called with."""
    _argv.set(tuple(argv))


def command_line() -> str:
    """The command that runs, as one could type it again."""
    return shlex.join(["hitrs", *_argv.get()])


def print_line(line: str = "", style: str = "") -> None:
    """A line on standard output, never wrapped, no markup in it; once where several processes run."""
    if is_main_process():
        _console().print(Text(printable(line), style=style), soft_wrap=True)


def print_nothing(line: str = "") -> None:
    """In place of ``print_line`` where only JSON is to be printed."""


def note_to(notes: list[str]) -> Callable[[str], None]:
    """In place of ``print_line`` where only JSON is to be printed that holds the notes."""

    def keep(line: str) -> None:
        if line.startswith("note: "):
            notes.append(line)

    return keep


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Warnings of this package are sentences for people: without the place in its code."""
    package, before = str(Path(__file__).parents[1]), warnings.formatwarning

    def shown(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if filename.startswith(package):
            return f"note: {printable(str(message))}\n"
        return before(message, category, filename, lineno, line)

    warnings.formatwarning = shown
    try:
        yield
    finally:
        warnings.formatwarning = before


def print_json(value: Any) -> None:
    """JSON on standard output, in which control characters of data are escaped as JSON has it."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    if is_main_process():
        shown = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
        _console().print(Text(shown), soft_wrap=True)


def print_error(line: str) -> None:
    """A line in red on standard error."""
    Console(stderr=True, highlight=False).print(Text(printable(line), style="red"), soft_wrap=True)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; the first column is text, the others are numbers."""
    if not is_main_process():
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for place, header in enumerate(headers):
        table.add_column(header, justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    _console().print(table)


def progress_bar(what: str) -> Progress:
    """A bar with counts and an estimate, on standard error where that is a terminal; it has one task."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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


@contextmanager
def frames_progress(bar: Progress) -> Iterator[None]:
    """A second line of a bar: the frames of the video that is looked at."""
    from hitrs.data.video.track import watch_frames

    task = bar.add_task("", total=None, visible=False)

    def show(name: str, done: int, of: int | None) -> None:
        bar.update(task, description=name, completed=done, total=of, visible=done != of)

    with watch_frames(show):
        yield


def print_findings(results: Sequence[Any], print_line: Callable[[str], None] = print_line) -> None:
    """How many of the model's joints recordings have and show, and what was noted on them, each thing once.

    Args:
        results: with ``joints`` and ``notes``, of the tasks' classes for applications.
    """
    matched: dict[tuple[int, int], list[float]] = {}
    notes: dict[str, int] = {}
    for result in results:
        joints = result.joints
        matched.setdefault((joints.matched, joints.joints), []).append(joints.seen)
        for note in dict.fromkeys(result.notes):
            notes[note] = notes.get(note, 0) + 1
    for (count, joints), seen in matched.items():
        low, high = f"{min(seen):.3g}", f"{max(seen):.3g}"
        print_line(
            f"joints      {count} of {joints} matched, {low if low == high else f'{low} to {high}'} "
            "seen on average"
        )
    for note, count in notes.items():
        of = f" ({count} of {len(results)} recordings)" if len(results) > 1 else ""
        print_line(f"note        {note}{of}")


class Skipped:
    """Inputs that were left out, and why: one that cannot be used must not cost the others their result.

    Args:
        file: where all reasons are written to, a line each; None: nowhere.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._reasons: list[str] = []
        self._file = file

    @contextmanager
    def one(self) -> Iterator[None]:
        """A DataError or LayoutError inside is kept for later."""
        try:
            yield
        except (DataError, LayoutError) as error:
            self.add(str(error))

    def add(self, reason: str) -> None:
        """Something was left out elsewhere."""
        self._reasons.append(reason)

    def raise_if_any(self, used: int) -> None:
        """To be called when the result of the others is out.

        Raises:
            DataError: with the first reasons, and where all are, if anything was left out.
        """
        reasons, file = self._reasons, self._file
        if not reasons:
            return
        if file is not None:
            with atomic_file(file) as part, explained_writes(file):
                part.write_text("".join(f"{reason}\n" for reason in reasons), encoding="utf-8")
        elif not used and len(reasons) == 1:
            raise DataError(reasons[0])
        lines = [f"{len(reasons)} of {used + len(reasons)} recordings were left out:", *reasons[:_LISTED]]
        if file is not None:
            lines.append(f"all of them stand in {file}")
        elif len(reasons) > _LISTED:
            lines.append(f"and {len(reasons) - _LISTED} more; --left-out FILE writes all of them to a file")
        raise DataError("\n  ".join(lines))


def _console() -> Console:
    # made anew, because standard output may have been replaced since; a pipe gets lines as long as they are
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)
