"""The tables in the docs are those that the kept results give, and every result belongs to a plan."""

import dataclasses
import re
from pathlib import Path

import pytest

from hitrs.experiments.plan import read_plan
from hitrs.experiments.results import Result, read_results
from hitrs.experiments.tables import markdown_table

ROOT = Path(__file__).parents[1]
TABLES = re.findall(
    r"<!-- table: (\S+) -->\n(.*?)<!-- end -->",
    (ROOT / "docs" / "results.md").read_text(encoding="utf-8"),
    re.DOTALL,
)

OUTCOME = (
    *("seconds", "data", "version", "commit", "machine"),
    *("steps", "labels", "last", "online_knn", "metrics"),
)
"""Fields of a result that its plan does not know."""


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_the_docs_show_what_the_results_say(name, table):
    results = read_results(ROOT / "results" / name)
    assert table.strip() == markdown_table(results).strip()
    cells = {cell.name: cell for cell in read_plan(ROOT / "benchmarks" / f"{name}.yaml").cells}
    for result in results:
        planned = Result.of_cell(cells[result.cell], **{key: getattr(result, key) for key in OUTCOME})
        # some ran when what the cell sets now was set for the whole plan
        assert dataclasses.replace(result, settings=planned.settings) == planned


def test_there_is_a_table():
    assert TABLES
