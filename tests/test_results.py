"""The tables in the docs are those that the kept results give, and every result belongs to a plan."""

import re
from pathlib import Path

import pytest

from hitrs.evaluate.plan import read_plan
from hitrs.evaluate.tables import markdown_table, read_results

ROOT = Path(__file__).parents[1]
TABLES = re.findall(
    r"<!-- table: (\S+) -->\n(.*?)<!-- end -->",
    (ROOT / "docs" / "results.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_the_docs_show_what_the_results_say(name, table):
    results = read_results(ROOT / "results" / name)
    assert table.strip() == markdown_table(results).strip()
    planned = {cell.name for cell in read_plan(ROOT / "benchmarks" / f"{name}.yaml").cells}
    assert {result["cell"] for result in results} <= planned


def test_there_is_a_table():
    assert TABLES
