"""``hitrs table``: run the cells of a plan that are not finished yet, and print the table."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.configfile import load_config
from hitrs.cli.console import say
from hitrs.evaluate.cells import Runner
from hitrs.evaluate.plan import read_plan
from hitrs.evaluate.tables import described, markdown_table, read_results

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
    table = read_plan(plan)
    if not show:
        runner = Runner(table, lambda changes: load_config(table.config, changes), stores, runs, results)
        patterns = only or ("*",)
        chosen = [cell for pattern in patterns for cell in table.cells if fnmatch.fnmatch(cell.name, pattern)]
        for cell in chosen:
            if runner.finished(cell):
                say(f"{cell.name}: finished before")
                continue
            say(f"{cell.name}: running")
            result = runner.run(cell)
            for method, report in result.get("metrics", {}).items():
                say(f"{cell.name}: {method}: {described(cell.task, report)}")
    found = read_results(results / table.name)
    say(markdown_table(found))
    missing = {cell.name for cell in table.cells} - {result["cell"] for result in found}
    if missing:
        say(f"{len(missing)} of {len(table.cells)} cells have no result in {results / table.name}")
