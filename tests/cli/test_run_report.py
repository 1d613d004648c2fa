"""The report of a run: its first sentence, and that all figures are in it."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hitrs.cli.run_report import won, write_run_report
from hitrs.experiments.runs import Run
from hitrs.tasks.base import get_task


def top1(figure: float) -> dict[str, Any]:
    """Metrics of a recognizer, as far as they are told."""
    return {"all": {"top1": figure, "top5": None, "recordings": 40}}


FLOORS = {"knn on positions": top1(45.0), "random convolutions": top1(87.5)}


def test_what_was_won_is_told_in_figures() -> None:
    said = won(get_task("recognition"), top1(60.25), FLOORS)
    assert said == (
        "The model is **15.2 better** than the simplest method, 1-NN on positions: "
        "top-1, all is 60.2 against 45.0."
    )


@pytest.mark.parametrize("figure", [45.0, 44.96, 20.0])
def test_where_nothing_was_won_that_is_told(figure: float) -> None:
    said = won(get_task("recognition"), top1(figure), FLOORS)
    assert said.startswith("**Nothing was won** over the simplest method, 1-NN on positions")
    assert f"{figure:.1f} against 45.0" in said


def test_less_is_better_for_an_error_and_the_least_gain_counts() -> None:
    floor = {"zero velocity": {"all": {"mpjpe@2": 25.0, "mpjpe@10": 100.0}}}
    said = won(get_task("prediction"), {"all": {"mpjpe@2": 24.0, "mpjpe@10": 50.0}}, floor)
    assert "**1.0 better**" in said
    assert "mm at frame 2 is 24.0 against 25.0, the figure with the least gain" in said
    assert "Nothing" in won(get_task("prediction"), {"all": {"mpjpe@2": 26.0, "mpjpe@10": 50.0}}, floor)


def test_without_anything_simpler() -> None:
    assert won(get_task("recognition"), top1(50.0), {}) == "Nothing simpler was measured beside the model."
    said = won(get_task("recognition"), top1(50.0), {"random convolutions": {"all": {}}})
    assert "no figure in which" in said


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A report of a run, with a wide picture and a wide table."""
    results = {
        "tested_on": "cross-subject",
        "metrics": top1(60.0),
        "floors": FLOORS,
        "classes": ("nod", "wave"),
    }
    (tmp_path / "plots").mkdir()
    Image.new("RGB", (3000, 900), "gray").save(tmp_path / "plots" / "confusion.png")
    return write_run_report(
        Run(tmp_path, results), get_task("recognition"), "Recognition", "hitrs finetune " + "x" * 200
    )


def test_the_report_of_a_run_begins_with_what_was_won_and_holds_all_figures(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    body = html[html.index("</h1>") :]
    assert body.index("<strong>15.0 better</strong>") < body.index("<table>") < body.index("<img")
    assert "The model is no better than random convolutions" in body
    assert "hitrs finetune xxx" in body
