"""Tables from the JSON files of finished cells: mean and deviation over draws and seeds."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hitrs.errors import DataError
from hitrs.evaluate.downstream import DOWNSTREAM
from hitrs.evaluate.metrics import mean_deviation
from hitrs.evaluate.plan import origin


def read_results(folder: Path) -> list[dict[str, Any]]:
    """All finished cells in a folder, by name.

    Raises:
        DataError: if a file is not a result.
    """
    rows = []
    for path in sorted(folder.glob("*.json")):
        try:
            rows.append(json.loads(path.read_text(encoding="utf-8")))
        except json.JSONDecodeError as error:
            raise DataError(f"{path} is not a result: {error}; remove it and run its cell again") from error
    return rows


def markdown_table(results: list[dict[str, Any]]) -> str:
    """A table for each task: the figures of every row, all and clean test recordings, runs and their cost.

    Minutes are those of one run, others running beside it, without the pre-training that it starts from.
    """
    tables = []
    for task in DOWNSTREAM:
        own = [result for result in results if result.get("task", "recognition") == task]
        if any("metrics" in result for result in own):
            tables.append((DOWNSTREAM[task].tables or partial(_task_table, task))(own))
    return "\n".join(tables)


def _task_table(task: str, results: list[dict[str, Any]]) -> str:
    groups: dict[tuple, list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for result in results:
        for method, report in result.get("metrics", {}).items():
            groups[_row(result, method)].append((result, report))
    figures = DOWNSTREAM[task].figures
    known = ["store", "stream"] if task == "recognition" else ["store", "protocol"]
    head = [*known, "labels", "method", "start", *(f.title for f in figures), "runs", "updates", "minutes"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for key in sorted(groups, key=_order):
        runs, reports = zip(*groups[key], strict=True)
        minutes = sum(run["seconds"] for run in runs) / len(runs) / 60
        labels = key[2] if isinstance(key[2], str) else f"{100 * key[2]:g}%"
        cells = [*key[:2], labels, *key[3:], *(_figure(reports, f.part, f.key) for f in figures)]
        cells += [str(len(runs)), str(runs[0].get("updates", "-")), f"{minutes:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def described(task: str, report: dict[str, Any]) -> str:
    """The figures of one report in a line."""
    return ", ".join(
        f"{f.title} {report[f.part][f.key]}"
        for f in DOWNSTREAM[task].figures
        if f.key in report.get(f.part, {})
    )


METHODS = {
    "knn": "1-NN",
    "linear": "linear probe",
    "knn, all levels": "1-NN, all levels",
    "linear, all levels": "linear probe, all levels",
    "scratch": "supervised",
    "ensemble": "sum of streams",
}


def _row(result: dict[str, Any], method: str) -> tuple:
    start = "-" if result["do"] in ("neighbors", "ensemble") else origin(result["source"])
    second = " + ".join(name.split("-")[2] for name in result["of"]) if result["of"] else result["stream"]
    name = "1-NN on positions" if result["do"] == "neighbors" else METHODS.get(method, method)
    name = f"{name} ({result['label']})" if result["label"] else name
    if result.get("task", "recognition") != "recognition":
        # the folds of a protocol share a row
        second = re.sub(r"-\d+-", "-each-", result["protocol"])
    subjects = len(result.get("subjects", "").split())
    labels = f"{subjects} subject{'s' * (subjects > 1)}" if subjects else result["fraction"]
    return (result["store"], second, labels, name, start)


def _order(key: tuple) -> tuple:
    return (key[0], isinstance(key[2], float | int), key[2], key[1].count("+"), key[1], key[3], key[4])


def _figure(reports: Sequence[dict[str, Any]], part: str, key: str) -> str:
    values = [report[part][key] for report in reports if report.get(part, {}).get(key) is not None]
    if not values:
        return "-"
    mean, deviation = mean_deviation(values)
    return f"{mean:.1f}" if deviation is None else f"{mean:.1f} ± {deviation:.1f}"
