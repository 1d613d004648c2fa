"""The report at the end of the demo."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hitrs import __version__
from hitrs.cli.runs import machine
from hitrs.data.formats import read_recording
from hitrs.deploy.recognizer import Recognizer
from hitrs.evaluate.prediction import report_rows
from hitrs.evaluate.protocol import Split, encoder_features
from hitrs.models.hitrs import HiTRS
from hitrs.tasks.levels import video_feature
from hitrs.train.log import read_metrics
from hitrs.transforms.source import Source
from hitrs.viz import (
    Report,
    animate,
    plot_comparison,
    plot_confusion,
    plot_embedding,
    plot_finetuning,
    plot_training,
)


@dataclass(frozen=True)
class Outcome:
    """What the demo found out."""

    split: Split
    labels: int
    """Labeled recordings that the comparison used."""
    reports: Mapping[str, Mapping[str, Any]]
    """Method -> metrics on the test recordings; the first is the fine-tuned recognizer."""
    files: Sequence[Path]
    """Recordings that were recognized from their files."""
    detection: Mapping[str, Any]
    """Scores of the detector on the untrimmed test recordings."""
    prediction: dict[str, Any]
    """Errors of the predictor on the test recordings."""
    commands: Mapping[str, float]
    """Command -> seconds."""


def write_report(outcome: Outcome, folder: Path) -> Path:
    """Draw the pictures of a demo in ``folder`` and write ``report.html`` with all of them; its path."""
    split, plots = outcome.split, folder / "plots"
    data = split.store
    best = next(iter(outcome.reports.values()))
    few, test, classes = outcome.labels, len(split.test), len(data.classes)
    bars = [(name, found["top1"], None) for name, found in outcome.reports.items()]
    plot_comparison(bars, plots / "comparison.png", f"Top-1 accuracy with {few} labels")
    plot_training(read_metrics(folder / "pretrained" / "metrics.jsonl"), plots / "pretraining.png")
    plot_finetuning(read_metrics(folder / "tuned" / "metrics.jsonl"), plots / "finetuning.png")
    matrix = np.array(best["confusion"])
    plot_confusion(matrix, data.classes, plots / "confusion.png", title="Test recordings")
    _map(split, folder / "pretrained", plots / "embedding.png")
    scenes = _scenes(outcome.files, folder / "tuned", plots)

    facts = machine()
    report = Report(
        "What hitrs learned from made-up motion",
        f"hitrs {__version__}, {platform.system()}, torch {facts['torch']}, {facts['threads']} threads",
    )
    report.text(
        f"An encoder saw {len(data.split(split.protocol, 'train'))} recordings of made-up people, without "
        f"labels. Then {few} labels, {few // classes} for each of {classes} actions, made a recognizer of "
        f"it, which was tested on {test} recordings of people that neither step had seen."
    )
    report.text("## With and without pre-training")
    report.figure(
        plots / "comparison.png",
        f"Top-1 accuracy on {test} test recordings; guessing would give {100 / classes:.0f} %. All methods "
        f"use the same {few} labels, the two trained ones as many updates. One seed and one draw of labels: "
        f"differences below {_uncertainty(test):.0f} points mean little.",
    )
    top1 = {name: found["top1"] for name, found in outcome.reports.items()}
    report.text(_verdict(top1, _uncertainty(test)))
    report.table(["method", "top-1 %"], [[name, figure] for name, figure in top1.items()])
    report.text("## What it recognizes")
    report.gallery(scenes)
    report.figure(plots / "confusion.png", "Fine-tuned recognizer: which actions it takes for which.")
    _detection(report, outcome.detection, plots / "timeline.png")
    _prediction(report, outcome.prediction, plots / "prediction.gif")
    report.text("## What it learned without labels")
    report.figure(plots / "embedding.png", "Test recordings as the pre-trained encoder sees them.")
    report.figure(plots / "pretraining.png", "Pre-training: loss, nearest-neighbor probe, each pretext task.")
    report.figure(plots / "finetuning.png", "Fine-tuning with few labels.")
    report.text("## Do it again")
    report.code("\n".join(outcome.commands))
    times = [[f"`{name.split()[1]}`", round(took, 1)] for name, took in outcome.commands.items()]
    report.table(["command", "seconds"], times)
    report.text(
        f"Data: {data.meta['dataset']}, protocol {split.protocol}, content `{data.fingerprint[:12]}`. The "
        "folders of the runs hold configuration, log, checkpoints and models. For your own recordings, put "
        "your folder in place of `synthetic`."
    )
    return report.write(folder / "report.html")


def _detection(report: Report, found: Mapping[str, Any], picture: Path) -> None:
    report.text("## Actions found in longer recordings")
    report.figure(
        picture,
        f"Two of {found['recordings']} untrimmed test recordings: what happens when (above), and what the "
        "detector finds (below).",
    )
    report.table(
        ["score on the test recordings", "%"],
        [
            ["frames named right, background included", found["frame/accuracy"]],
            ["mAP (VOC) at an overlap of 0.3", found["voc/map@0.3"]],
            ["mAP (VOC) at an overlap of 0.5", found["voc/map@0.5"]],
        ],
    )


def _prediction(report: Report, found: dict[str, Any], picture: Path) -> None:
    head, rows = report_rows(found)
    report.text("## Movements continued")
    report.figure(picture, "What was seen, then what the predictor expects; paler: what happened.")
    report.table(head, rows, caption="Mean error in mm; standing still and going on evenly for comparison.")


def _verdict(top1: dict[str, float], margin: float) -> str:
    """How the first method stands to each of the others, in words."""
    (first, best), *others = top1.items()

    def against(figure: float) -> str:
        if abs(best - figure) <= margin:
            return "about as good as"
        return "clearly better than" if best > figure else "clearly worse than"

    said = ", ".join(f"{against(figure)} {name} ({figure:.1f} %)" for name, figure in others)
    return (
        f"In this run **{first}** ({best:.1f} %) is {said}. After so few updates a network from scratch has "
        "not converged; part of what pre-training brings is that it starts further on."
    )


def _map(split: Split, model: Path, picture: Path) -> None:
    encoder = HiTRS.from_pretrained(model)
    source = Source(split.store, split.test, encoder.card.layout, encoder.card.preprocessing)
    features = encoder_features(encoder, source, video_feature)
    plot_embedding(features, source.labels, split.store.classes, picture)


def _scenes(files: Sequence[Path], model: Path, plots: Path) -> list[tuple[Path, str]]:
    """An animation of each file with what the recognizer thinks of it, and its caption."""
    recordings = [read_recording(file) for file in files]
    results = Recognizer(model).recognize_many(recordings)
    scenes = []
    for file, recording, found in zip(files, recordings, results, strict=True):
        picture = plots / f"{file.stem}.gif"
        scores = [(p.label, p.probability) for p in found.predictions]
        animate(recording, picture, truth=recording.label, scores=scores, size=300)
        verdict = "right" if found.label == recording.label else f"wrong: it is “{recording.label}”"
        scenes.append((picture, f"“{found.label}”, {found.probability:.0%} sure; {verdict}"))
    return scenes


def _uncertainty(count: int) -> float:
    """Two standard errors of an accuracy of 50 % on so many recordings, in points."""
    return 2 * 100 * (0.25 / count) ** 0.5
