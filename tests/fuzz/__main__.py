"""``python tests/fuzz --files 20000``: spoiled files of every format, over all cores, and a summary.

``--case 0:123`` reads a single one again, as a failure names it.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "data" / "formats"), str(HERE.parent / "data")]

from fuzz_run import Tally, run  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--case")
    arguments = parser.parse_args()
    total = Tally()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.case:
            seed, number = map(int, arguments.case.split(":"))
            total = run(number + 1, seed, Path(folder), only=arguments.case)
        else:
            workers = arguments.workers
            with ProcessPoolExecutor(workers, get_context("spawn"), faulthandler.enable) as pool:
                jobs = [
                    pool.submit(run, arguments.files, arguments.seed, Path(folder), part, workers)
                    for part in range(workers)
                ]
                try:
                    for job in jobs:
                        total.add(job.result())
                except BrokenProcessPool:
                    left = ", ".join(each.name.replace("-", ":") for each in Path(folder).iterdir())
                    print(f"a process crashed or was stuck in one of these cases: {left}")
                    return 1
    for failure in total.failures:
        print(failure)
    print("files per format:", ", ".join(f"{name} {count}" for name, count in sorted(total.files.items())))
    print("outcomes:", ", ".join(f"{name} {count}" for name, count in total.outcomes.most_common()))
    print(f"slowest: {total.slowest[0]:.2f} s, {total.slowest[1]}")
    print(f"most memory above the start: {total.largest[0]:.0f} MB, {total.largest[1]}")
    print(f"{total.files.total()} files, {len(total.failures)} failures")
    return bool(total.failures)


if __name__ == "__main__":
    sys.exit(main())
