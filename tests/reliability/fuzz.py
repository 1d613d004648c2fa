"""Spoiled files of every format: read or told, in bounded time and memory, and nothing is carried out."""

from __future__ import annotations

import faulthandler
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from campaign import Report
from fuzz_lines import lines_of, reader_modules
from fuzz_run import Tally, run

COUNT = 200_000
_BLOCK = 4000
"""Files that a process reads before it is replaced by another one."""


def reports(count: int, seed: int, folder: Path) -> list[Report]:
    total = Tally()
    report = Report("files of every format, spoiled, then read")
    with ProcessPoolExecutor(1, get_context("spawn"), faulthandler.enable, max_tasks_per_child=1) as pool:
        blocks = [range(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK)]
        jobs = [pool.submit(run, block, seed, folder) for block in blocks]
        try:
            for job in jobs:
                total.add(job.result())
                print(f"{total.files.total()} files, {total.outcomes}", file=sys.stderr, flush=True)
        except BrokenProcessPool:
            left = ", ".join(each.name.replace("-", ":") for each in folder.iterdir())
            report.fault(f"the process crashed or was stuck in {left}")
    report.count, report.outcomes = total.files.total(), total.outcomes
    report.faults += total.failures
    behind = total.behind.total() / max(1, total.traced.total())
    (seconds, slowest), (memory, largest) = total.slowest, total.largest
    report.measured = (
        f"past the header: {behind:.0%}; slowest {seconds:.1f} s ({slowest}); "
        f"most memory {memory:.0f} MB ({largest})"
    )
    report.details = f"{_formats(total)}\n\n{_modules(total)}"
    return [report]


def _formats(total: Tally) -> str:
    rows = ["| format | files | read | past the header |", "|---|---|---|---|"]
    for name in sorted(total.files):
        behind = total.behind[name] / max(1, total.traced[name])
        rows.append(
            f"| {name} | {total.files[name]:,} | {total.read[name] / total.files[name]:.0%} | {behind:.0%} |"
        )
    return "\n".join(rows)


def _modules(total: Tally) -> str:
    rows = ["| module | lines of functions | run |", "|---|---|---|"]
    for name, module in reader_modules().items():
        lines = lines_of(str(module.__file__))
        rows.append(f"| `{name}` | {len(lines)} | {len(lines & total.lines) / max(1, len(lines)):.0%} |")
    return "\n".join(rows)
