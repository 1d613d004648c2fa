"""Tables from the results of finished cells: mean and deviation over folds, label subsets and seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from hitrs.errors import counted
from hitrs.experiments.results import Result
from hitrs.tasks.base import Metrics, Task, get_task
from hitrs.tasks.markdown import markdown, mean_text
from hitrs.tasks.recognition.floors import TITLES
from hitrs.tasks.registry import TASKS

METHODS = {
    **TITLES,
    "knn": "1-NN",
    "linear": "linear probe",
    "knn, all levels": "1-NN, all levels",
    "linear, all levels": "linear probe, all levels",
    "ridge": "ridge, pooled features",
    "ridge with convolutions": "ridge, pooled features, with random convolutions",
    "fine-tuned with convolutions": "fine-tuned, with random convolutions",
    "scratch": "supervised",
    "scratch with convolutions": "supervised, with random convolutions",
    "ensemble": "sum of streams",
}
"""What tables call a method of a result; others by their name."""


def markdown_table(results: Sequence[Result]) -> str:
    """A table for each task: the figures of every row, the number of runs, steps and minutes.

    Minutes are those of one run, others running beside it, without the pre-training that it starts from.

    Raises:
        ConfigError: for a task that is not known here.
    """
    measured = [result for result in results if result.metrics]
    tasks = {str(result.task) for result in measured}
    tables = []
    for name in sorted(tasks, key=[*TASKS.names(), *sorted(tasks)].index):
        task = get_task(name)
        own = [result for result in measured if result.task == name]
        own_form = task.tables([result.to_dict() for result in own])
        tables.append(_task_table(task, own) if own_form is None else own_form)
    return "\n".join(tables)


def describe_metrics(task: Task, metrics: Metrics) -> str:
    """The figures of one method in a line.

    >>> describe_metrics(get_task("recognition"), {"all": {"top1": 50.0}})
    'top-1, all 50.0'
    """
    return ", ".join(
        f"{column.title} {metrics[column.part][column.key]}"
        for column in task.columns
        if column.key in metrics.get(column.part, {})
    )


@dataclass(frozen=True)
class _Row:
    """What runs have in common that share a row."""

    columns: tuple[str, ...]
    """Of the task's ``store_columns``."""
    members: int
    """Models that were evaluated together."""
    subjects: int
    """Whose labels were used alone; 0: all."""
    label_fraction: float
    method: str
    start: str

    @property
    def labels(self) -> str:
        if self.subjects:
            return counted(self.subjects, "subject")
        return f"{100 * self.label_fraction:g}%"

    @property
    def order(self) -> tuple:
        """Few labels first, single models before several."""
        first, *others = self.columns
        labels = (not self.subjects, self.labels if self.subjects else self.label_fraction)
        return (first, labels, self.members, others, self.method, self.start)


def _task_table(task: Task, results: Sequence[Result]) -> str:
    groups: dict[_Row, list[tuple[Result, Metrics]]] = defaultdict(list)
    for result in results:
        for method, metrics in result.metrics.items():
            groups[_row(task, result, method)].append((result, metrics))
    titles = [column.title for column in task.columns]
    rows = []
    for row in sorted(groups, key=lambda row: row.order):
        runs, figures_of_runs = zip(*groups[row], strict=True)
        minutes = sum(run.seconds for run in runs) / len(runs) / 60
        steps = "-" if runs[0].steps is None else str(runs[0].steps)
        figures = [mean_text([column.value(values) for values in figures_of_runs]) for column in task.columns]
        rows.append(
            [
                *row.columns,
                row.labels,
                row.method,
                row.start,
                *figures,
                str(len(runs)),
                steps,
                f"{minutes:.1f}",
            ]
        )
    return markdown(
        [*task.store_columns, "labels", "method", "start", *titles, "runs", "steps", "minutes"], rows
    )


def _row(task: Task, result: Result, method: str) -> _Row:
    name = METHODS.get(method, method)
    return _Row(
        columns=tuple(_column(result, column) for column in task.store_columns),
        members=len(result.of),
        subjects=len(result.subjects),
        label_fraction=result.label_fraction,
        method=f"{name} ({result.label})" if result.label else name,
        start=result.start,
    )


def _column(result: Result, name: str) -> str:
    """A field of a result as a row shows it: folds under the name of their group, streams that are added."""
    if name == "protocol":
        return result.fold_group
    if name == "stream" and result.of:
        return " + ".join(member.stream for member in result.of)
    return str(getattr(result, name))
