"""``hitrs table``: run the cells of a plan that are not finished yet, and print the table."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import print_line
from hitrs.cli.signals import telling

Folder = Annotated[Path, arg(metavar="DIR")]


def run(
    plan: Annotated[Positional[Path], arg(metavar="PLAN")],
    *,
    stores: Folder = Path("stores"),
    runs: Folder = Path("runs"),
    results: Folder = Path("results"),
    only: tuple[str, ...] = (),
    show: bool = False,
) -> None:
    """Run the cells of a table one by one; each finished cell is a JSON file, and is not run again.

    Several of these commands may share a table: give each its cells with --only.

    Args:
        plan: a plan file, for example benchmarks/nw-ucla.yaml.
        stores: folder that holds the plan's stores.
        runs: folder for weights, logs and scores.
        results: folder for the JSON files of finished cells.
        only: names of cells (wildcards allowed) to run, in this order; all by default.
        show: run nothing, print the table of what is there.
    """
    from hitrs.experiments.plan import read_plan
    from hitrs.experiments.results import read_results
    from hitrs.experiments.runner import Runner
    from hitrs.experiments.tables import describe_metrics, markdown_table
    from hitrs.tasks.base import get_task

    table = read_plan(plan)
    runner = Runner(table, stores, runs, results)
    patterns = () if show else only or ("*",)
    wanted = [cell for p in patterns for cell in table.cells if fnmatch.fnmatch(cell.name, p)]
    for number, cell in enumerate(wanted, 1):
        if runner.finished(cell):
            print_line(f"{cell.name}: finished before")
            continue
        print_line(f"{cell.name}: running, {number} of {len(wanted)}")
        with telling("stopped; finished cells are kept, the same command goes on"):
            result = runner.run(cell)
        for method, metrics in result.metrics.items():
            print_line(f"{cell.name}: {method}: {describe_metrics(get_task(cell.task), metrics)}")
    finished = read_results(runner.results)
    print_line(markdown_table(finished))
    missing = {cell.name for cell in table.cells} - {result.cell for result in finished}
    if missing:
        print_line(f"{len(missing)} of {len(table.cells)} cells have no result in {runner.results}")
