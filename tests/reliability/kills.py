"""Kills at any time and before any change of a file: the same command goes on, and the result is the same."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from campaign import Report
from commands import Command, Process, Workshop, run
from events import Trap

COUNT = 50
NAMES = ("import", "import, 2 processes", "pretrain", "finetune", "table", "probe")
_POLITE = (signal.SIGINT, signal.SIGTERM)


def reports(count: int, seed: int, folder: Path) -> Iterator[Report]:
    workshop = Workshop(folder)
    for name in NAMES:
        yield from command_reports(workshop, name, count, seed)


def command_reports(
    workshop: Workshop, name: str, count: int, seed: int, most_events: int | None = None
) -> list[Report]:
    """Kills at any time, before each change of a file (at most so many, evenly), and signals that ask."""
    command = workshop.commands[name]
    expected, seconds, events = workshop.whole(command)
    dice = random.Random(f"{seed} {name}")
    timed = Report(f"`hitrs {name}` killed (SIGKILL) at any time")
    for number in range(count):
        moment = dice.uniform(0, seconds)
        with workshop.place() as out:
            process = Process(command.words(out), workshop.log)
            time.sleep(moment)
            process.signal(signal.SIGKILL)
            code = process.end().code
            timed.add("killed" if code < 0 else "finished before")
            _check(
                workshop,
                command,
                out,
                expected,
                timed,
                f"{name}, seed {seed}, kill {number} at {moment:.3f} s",
            )
    at_events = Report(f"`hitrs {name}` killed before a change of a file")
    if name == "import, 2 processes":  # the workers' files are theirs
        at_events.tried += " of its first process"
    step = 1 if most_events is None else max(1, events // most_events)
    for at in range(1, events + 1, step):
        with workshop.place() as out:
            ended = run(command.words(out), workshop.log, Trap(out, at))
            at_events.add("killed" if ended.code < 0 else "finished before")
            _check(workshop, command, out, expected, at_events, f"{name}, kill at change {at} of {events}")
    asked = Report(f"`hitrs {name}` ended by SIGINT or SIGTERM at any time")
    for number in range(max(2, count // 5)):
        which, moment = _POLITE[number % 2], dice.uniform(0, seconds)
        with workshop.place() as out:
            process = Process(command.words(out), workshop.log)
            time.sleep(moment)
            process.signal(which)
            ended = process.end()
            title = f"{name}, seed {seed}, {which.name} {number} at {moment:.3f} s"
            asked.add("finished before" if ended.code == 0 else "stopped")
            if not ended.sentence and ended.code != -signal.SIGTERM:
                asked.fault(f"{title}: code {ended.code}, said {ended.said[-600:]}")
            _check(workshop, command, out, expected, asked, title)
    return [timed, at_events, asked]


def _check(
    workshop: Workshop, command: Command, out: Path, expected: object, report: Report, title: str
) -> None:
    """Go on, and compare."""
    ended = workshop.go_on(command, out)
    if ended.code != 0:
        report.fault(f"{title}: going on ended with {ended.code}, said {ended.said[-900:]}")
    elif (wrong := workshop.wrong(command, out, expected)) is not None:
        report.fault(f"{title}: {wrong}")
