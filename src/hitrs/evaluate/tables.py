"""Tables from the JSON files of finished cells: mean and deviation over draws and seeds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hitrs.errors import DataError
from hitrs.evaluate.metrics import mean_deviation


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
    """Top-1 accuracy of every row, on all test recordings and on those without a twin in training.

    Minutes are those of one run, others running beside it, without the pre-training that it starts from.
    """
    groups: dict[tuple, list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for result in results:
        for method, report in result.get("metrics", {}).items():
            groups[_row(result, method)].append((result, report))
    head = [
        "store",
        "stream",
        "labels",
        "method",
        "start",
        "top-1, all",
        "top-1, clean",
        "runs",
        "updates",
        "minutes",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for key in sorted(groups, key=_order):
        runs, reports = zip(*groups[key], strict=True)
        minutes = sum(run["seconds"] for run in runs) / len(runs) / 60
        cells = [*key[:2], f"{100 * key[2]:g}%", *key[3:], _figure(reports, "all"), _figure(reports, "clean")]
        cells += [str(len(runs)), str(runs[0].get("updates", "-")), f"{minutes:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


METHODS = {
    "knn": "1-NN",
    "linear": "linear probe",
    "knn, all levels": "1-NN, all levels",
    "linear, all levels": "linear probe, all levels",
    "scratch": "supervised",
    "ensemble": "sum of streams",
}


def _row(result: dict[str, Any], method: str) -> tuple:
    if result["do"] in ("neighbors", "ensemble"):
        start = "-"
    else:
        how, store, *_ = (result["source"] or "scratch-").split("-")
        words = {"pretrain": "pre-trained on ", "finetune": "fine-tuned on "}
        start = f"{words[how]}{store}" if how in words else how
    stream = " + ".join(name.split("-")[2] for name in result["of"]) if result["of"] else result["stream"]
    name = "1-NN on positions" if result["do"] == "neighbors" else METHODS.get(method, method)
    name = f"{name} ({result['label']})" if result["label"] else name
    return (result["store"], stream, result["fraction"], name, start)


def _order(key: tuple) -> tuple:
    return (key[0], key[2], key[1].count("+"), key[1], key[3], key[4])


def _figure(reports: Sequence[dict[str, Any]], part: str) -> str:
    values = [report[part]["top1"] for report in reports if part in report]
    if not values:
        return "-"
    mean, deviation = mean_deviation(values)
    return f"{mean:.1f}" if deviation is None else f"{mean:.1f} ± {deviation:.1f}"
