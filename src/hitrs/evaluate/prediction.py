"""Motion prediction under a protocol: training, errors on its test windows, and their tables."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from hitrs.data.store import Store
from hitrs.evaluate.metrics import mean_deviation
from hitrs.evaluate.plan import origin
from hitrs.evaluate.protocol import Split
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.tasks.prediction.predict import predict_bodies
from hitrs.tasks.prediction.score import score
from hitrs.tasks.prediction.windows import protocol_windows
from hitrs.train.config import Config
from hitrs.train.prediction import train_predictor
from hitrs.transforms.source import check_layouts

Rows: TypeAlias = dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]
"""Name of a row -> (result, its part of the report) of every run."""
train = train_predictor
load = PredictionModel.from_pretrained


def usable(store: Store) -> np.ndarray:
    """(N,) bool: all recordings; the future needs no labels."""
    return np.ones(len(store), bool)


def measure(
    model: PredictionModel, split: Split, config: Config | None = None, keep: Path | None = None
) -> dict[str, dict[str, Any]]:
    """Errors on the test windows of the store's protocol, part by part, beside the baselines'.

    Raises:
        DataError: if no test recording is long enough, or the protocol takes other frames than the model.
        LayoutError: if the model cannot read the store.
    """
    check_layouts(split.store.layout, model.card.layout, f"the store {split.store.path}")
    span, layout = model.settings.span, split.store.layout
    return {
        part: score(split.store, windows, span, lambda observed: predict_bodies(model, observed, layout))
        for part, windows in protocol_windows(split.store, split.test, span).items()
    }


def prediction_tables(results: list[dict[str, Any]]) -> str:
    """A table for each store and part of its test windows, and one for each action.

    Every table has the rows of zero and constant velocity. A row is the mean over seeds, with the deviation
    of the mean over actions.
    """
    tables: dict[tuple[str, str, str], Rows] = defaultdict(lambda: defaultdict(list))
    known = set()
    for result in results:
        folds = re.sub(r"-\d+-", "-each-", result["protocol"])  # of a protocol, in one table
        for report in result.get("metrics", {}).values():
            for part, found in report.items():
                rows = tables[(result["store"], folds, part)]
                rows[_row(result)].append((result, found))
                for name, figures in found["baselines"].items():
                    which = (result["store"], result["protocol"], part, name)
                    if which not in known:  # the same in every result
                        rows[name].append(({}, {**figures, "horizons": found["horizons"], "ms": found["ms"]}))
                    known.add(which)
    texts = []
    for (store, folds, part), rows in sorted(tables.items()):
        where = f"{store}, {folds}" if part == "all" else f"{store}, {part}"
        texts.append(f"**{where}**, MPJPE in mm, mean over actions\n\n{_table(rows, None)}")
        first = next(iter(rows.values()))[0][1]
        if len(first["actions"]) > 1:
            texts += [f"**{where}: {action}**\n\n{_table(rows, action)}" for action in first["actions"]]
    return "\n".join(texts)


def report_rows(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a report of :func:`score`: the model, the baselines, the model action by action."""
    horizons = found["horizons"]
    rows = [["model", *_values(found, horizons)]]
    rows += [[name, *_values(figures, horizons)] for name, figures in found["baselines"].items()]
    if len(found["actions"]) > 1:
        rows += [[f"model: {name}", *_values(each, horizons)] for name, each in found["actions"].items()]
    return [f"MPJPE, {found['windows']} windows", *_titles(found)], rows


def _titles(found: dict[str, Any]) -> list[str]:
    if found["ms"] is None:
        return [f"frame {h}" for h in found["horizons"]]
    return [f"frame {h} ({ms:.0f} ms)" for h, ms in zip(found["horizons"], found["ms"], strict=True)]


def _values(figures: dict[str, Any], horizons: list[int]) -> list[str]:
    values = [figures.get(f"mpjpe@{h}") for h in horizons]
    return ["-" if value is None else f"{value:.1f}" for value in values]


def _table(rows: Rows, action: str | None) -> str:
    first = next(iter(rows.values()))[0][1]
    horizons = first["horizons"]
    last = horizons[-1]
    head = ["prediction", *_titles(first)]
    head += [] if action else [f"bone drift, frame {last}", "runs", "updates", "minutes"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name in sorted(rows, key=_order):
        runs, reports = zip(*rows[name], strict=True)
        chosen = [report["actions"][action] if action else report for report in reports]
        cells = [name, *(_figure([report.get(f"mpjpe@{h}") for report in chosen]) for h in horizons)]
        if not action:
            cells.append(_figure([report.get(f"bone_drift@{last}") for report in reports]))
            if runs[0]:
                minutes = sum(run["seconds"] for run in runs) / len(runs) / 60
                cells += [str(len(runs)), str(runs[0]["updates"]), f"{minutes:.1f}"]
            else:
                cells += ["-"] * 3
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _figure(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    mean, deviation = mean_deviation(known)
    return f"{mean:.1f}" if deviation is None else f"{mean:.1f} ± {deviation:.1f}"


def _row(result: dict[str, Any]) -> str:
    start = origin(result["source"])
    name = result["label"] or f"encoder {'from scratch' if start == 'scratch' else start}"
    return f"{name}, {100 * result['fraction']:g}% of the recordings" if result["fraction"] < 1 else name


def _order(name: str) -> tuple[int, str]:
    first = ("zero velocity", "constant velocity")
    return (first.index(name) if name in first else len(first), name)
