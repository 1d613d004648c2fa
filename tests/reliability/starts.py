"""Two starts of a command into one place: one works, the other is refused and told who is at work there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from campaign import Report
from commands import Process, Workshop

COUNT = 11
NAMES = ("import", "pretrain", "finetune", "table", "probe")
REFUSALS = ("is in use by", "exists already", "finished before")
"""What may be said to who comes second: while the first one works, and when that is done."""


def reports(count: int, seed: int, folder: Path) -> Iterator[Report]:
    workshop = Workshop(folder)
    for name in NAMES:
        yield command_report(workshop, name, count)


def command_report(workshop: Workshop, name: str, count: int) -> Report:
    """The second start is 0.0 to 1.0 s after the first one, in even steps."""
    command = workshop.commands[name]
    expected, _, _ = workshop.whole(command)
    report = Report(f"`hitrs {name}` started twice, 0.0 to 1.0 s apart")
    for number in range(count):
        apart = number / max(1, count - 1)
        title = f"{name}, {apart:.1f} s apart"
        with workshop.place() as out:
            one = Process(command.words(out), workshop.log)
            time.sleep(apart)
            two = Process(command.words(out), workshop.log.with_name("log2.txt"))
            ended = sorted(
                (one.end(), two.end()), key=lambda each: (each.code, "finished before" in each.said)
            )
            said = " ".join(ended[1].said.split())
            reason = next((each for each in REFUSALS if each in said), "another reason")
            report.add(f"second: {reason}")
            if ended[0].code != 0 or reason == "another reason" or not ended[1].sentence:
                codes = [each.code for each in ended]
                report.fault(f"{title}: {codes}, said {ended[0].said[-300:]!r} and {said[-600:]!r}")
            wrong = workshop.wrong(command, out, expected)
            if wrong is not None:
                report.fault(f"{title}: {wrong}")
    return report
