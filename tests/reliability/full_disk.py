"""A disk that fills: told in a sentence, nothing half-written under a final name, and going on when there is
room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from campaign import Report
from commands import Command, Workshop, run
from events import Trap

COUNT = 20
NAMES = ("import", "pretrain", "finetune", "table", "probe", "detect")


def reports(count: int, seed: int, folder: Path) -> Iterator[Report]:
    workshop = Workshop(folder)
    for name in NAMES:
        yield refused_report(workshop, name, count)
        if small_disk_works(folder):
            yield small_disk_report(workshop, name, count)


def refused_report(workshop: Workshop, name: str, count: int) -> Report:
    """From one of the changes of files on, evenly chosen, the system refuses to write."""
    command = workshop.commands[name]
    expected, _, events = workshop.whole(command)
    report = Report(f"`hitrs {name}`: from a change of a file on the disk is full")
    for number in range(count):
        at = 1 + number * events // count
        with workshop.place() as out:
            title = f"{name}, full at change {at} of {events}"
            _full_then_free(workshop, command, out, expected, Trap(out, at, "full"), report, title)
    return report


def small_disk_report(workshop: Workshop, name: str, count: int) -> Report:
    """A file system of its own, that ends at one of as many sizes, evenly up to what the command needs."""
    command = workshop.commands[name]
    with workshop.place() as out, _disk(out, "64m"):
        ended = run(command.words(out), workshop.log)
        assert ended.code == 0, ended.said
        expected, needed = command.made(out), _used(out)
    report = Report(f"`hitrs {name}` on a file system too small for it")
    for number in range(count):
        pages = 1 + number * (needed // 4096) // count
        with workshop.place() as out, _disk(out, str(pages * 4096)):
            title = f"{name}, {pages} of {needed // 4096} pages"
            _full_then_free(workshop, command, out, expected, None, report, title)
    return report


def _full_then_free(
    workshop: Workshop,
    command: Command,
    out: Path,
    expected: object,
    trap: Trap | None,
    report: Report,
    title: str,
) -> None:
    ended = run(command.words(out), workshop.log, trap)
    report.add("finished" if ended.code == 0 else "told")
    if not ended.sentence or (ended.code and not {"full", "space"} & set(ended.said.lower().split())):
        report.fault(f"{title}: code {ended.code}, said {ended.said[-1200:]}")
    if trap is None:
        _resize(out, "64m")
    again = workshop.go_on(command, out)
    if again.code != 0:
        report.fault(f"{title}: going on ended with {again.code}, said {again.said[-900:]}")
    elif (wrong := workshop.wrong(command, out, expected)) is not None:
        report.fault(f"{title}: {wrong}")


def small_disk_works(folder: Path) -> bool:
    """Whether this process may mount one (root on Linux)."""
    place = folder / "mounted"
    place.mkdir(exist_ok=True)
    try:
        with _disk(place, "64k"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextmanager
def _disk(place: Path, size: str) -> Iterator[None]:
    _call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    try:
        yield
    finally:
        _call("umount", str(place))


def _resize(place: Path, size: str) -> None:
    _call("mount", "-o", f"remount,size={size}", str(place))


def _call(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _used(place: Path) -> int:
    state = os.statvfs(place)
    return (state.f_blocks - state.f_bfree) * state.f_frsize
