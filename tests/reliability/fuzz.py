"""Spoiled files of every format: read or told, in bounded time and memory, and nothing is carried out."""

from __future__ import annotations

import faulthandler
import shutil
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
    for start in range(0, count, _BLOCK):
        block = range(start, min(start + _BLOCK, count))
        # a process of its own for each, because what crashes takes all that it knows with it
        with ProcessPoolExecutor(1, get_context("spawn"), faulthandler.enable) as pool:
            try:
                total.add(pool.submit(run, block, seed, folder).result())
            except BrokenProcessPool:
                left = ", ".join(each.name for each in folder.iterdir())
                report.fault(f"the process crashed or was stuck in {left}, one of files {block}")
                shutil.rmtree(folder)
        print(f"{total.files.total()} files, {total.outcomes}", file=sys.stderr, flush=True)
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
