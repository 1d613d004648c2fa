"""The report of a run: what was won over what costs next to nothing, and all its figures, as one page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hitrs import __version__

if TYPE_CHECKING:
    from hitrs.experiments.runs import Run
    from hitrs.tasks.base import Metrics, Task


def write_run_report(run: Run, task: Task, title: str, command: str, followed: Collection[str] = ()) -> Path:
    """Write ``report.html`` into the folder of a run that was tested, with the pictures in its ``plots``.

    Args:
        command: what made the run.
        followed: of what could be tried where a floor is better, what the model has behind it.
    """
    from hitrs.viz import Report

    assert run.results is not None
    metrics, floors = run.results["metrics"], run.results["floors"]
    report = Report(title, f"hitrs {__version__}, {task.name}, {run.results['tested_on']}")
    report.text(won(task, metrics, floors))
    if behind := task.behind(metrics, floors, followed):
        report.text(f"{behind[0].upper()}{behind[1:]}.")
    for head, rows in task.report(run.results["tested_on"], metrics, floors):
        report.table(head, rows)
    plots = run.folder / "plots"
    for name, caption in (
        ("confusion.png", "Which classes the model takes for which."),
        ("training.png", "Training: the loss, and what was measured on the way."),
    ):
        if (plots / name).is_file():
            report.figure(plots / name, caption)
    report.text("## Do it again")
    report.code(command)
    return report.write(run.folder / "report.html")


def won(task: Task, metrics: Metrics, floors: Mapping[str, Metrics]) -> str:
    """What the model has over the first of the floors, the simplest, in the figure in which that is least.

    >>> won(get_task("recognition"), {"all": {"top1": 80.0}}, {"guessing": {"all": {"top1": 10.0}}})
    'The model is **70.0 better** than the simplest method, guessing: top-1, all is 80.0 against 10.0.'
    """
    simplest = next(iter(floors), None)
    if simplest is None:
        return "Nothing simpler was measured beside the model."
    name, told = task.floor_titles.get(simplest, simplest), {}
    for column in task.columns:
        own, other = column.value(metrics), column.value(floors[simplest])
        if column.headline and own is not None and other is not None:
            gain = (other - own) if column.lower_is_better else (own - other)
            told[gain / max(abs(other), 1e-9)] = (gain, column, own, other)
    if not told:
        return f"There is no figure in which the model can be held against the simplest method, {name}."
    gain, column, own, other = told[min(told)]
    figures = f"{column.title} is {own:.1f} against {other:.1f}"
    least = ", the figure with the least gain" if len(told) > 1 and gain > 0 else ""
    if round(gain, 1) > 0:
        return f"The model is **{gain:.1f} better** than the simplest method, {name}: {figures}{least}."
    return f"**Nothing was won** over the simplest method, {name}: {figures}."
