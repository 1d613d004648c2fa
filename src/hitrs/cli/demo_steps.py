"""The demo: every step of the way on synthetic motion, and the report at its end."""

from __future__ import annotations

import json
import platform
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hitrs import __version__
from hitrs.cli.console import print_line, print_table
from hitrs.cli.main import run_command
from hitrs.data import Store, read_recording, write_npz
from hitrs.data.protocol import ProtocolSplit, protocol_split
from hitrs.errors import ConfigError, counted
from hitrs.experiments.runs import probe
from hitrs.files import file_name
from hitrs.models.encoder import HiTRS
from hitrs.models.features import video_feature
from hitrs.tasks.base import Metrics, get_task
from hitrs.tasks.recognition.floors import CONVOLUTIONS, POSITIONS
from hitrs.tasks.recognition.recognizer import Recognizer
from hitrs.tasks.recognition.ridge import encoder_features
from hitrs.training.log import read_metrics
from hitrs.training.run_folder import machine
from hitrs.transforms.dataset import SkeletonDataset
from hitrs.viz import (
    Report,
    animate,
    plot_comparison,
    plot_confusion,
    plot_embedding,
    plot_finetuning,
    plot_training,
)

PER_CLASS = 5
"""Labels of each class that the comparison may use."""
SHOWN = 3
"""Test recordings that are recognized from their files."""
LONG = 2
"""Untrimmed test recordings in which actions are found."""
SEEN = 25
"""Frames after which a movement is continued."""
SHORT = {"light": {"pretrain": 400, "recognize": 300}}
"""Steps that the demo takes of a configuration that is made for longer training."""
SIMPLEST = "nearest neighbor on positions"
"""What the first sentence of the report holds the recognizer against."""
UNTRAINED = "random convolutions"
_MARK = "made-by-hitrs-demo.txt"


def run_demo(out: Path, size: str, recognition: str, config: str) -> None:
    """Run the commands that a user would, on the embedded default data, and report what came out."""
    began = time.monotonic()
    _clear(out)
    parts = ("store", "pretrained", "tuned", "scratch", "untrimmed", "detector", "predictor")
    store, pretrained, tuned, scratch, untrimmed, detector, predictor = (out / part for part in parts)
    seconds: dict[str, float] = {}

    @contextmanager
    def step(*arguments: object) -> Iterator[list[str]]:
        words = [str(argument) for argument in arguments]
        name = " ".join(["hitrs", *words])
        print_line(f"\n$ {name}", style="bold")
        start = time.monotonic()
        yield words
        seconds[name] = time.monotonic() - start

    def command(*arguments: object) -> None:
        with step(*arguments) as words:
            run_command(words)

    command("import", "synthetic", store, "--size", size)
    split = protocol_split(Store.open(store))
    fraction = PER_CLASS / int(np.bincount(split.store.labels[split.train]).min())

    def of_recognition(section: str) -> tuple[object, ...]:
        steps = SHORT.get(recognition, {}).get(section)
        return ("--config", recognition, *(() if steps is None else (f"--{section}.optim.steps", steps)))

    few = (*of_recognition("recognize"), "--label-fraction", fraction)
    command("pretrain", store, *of_recognition("pretrain"), "--out", pretrained)
    command("finetune", store, *few, "--from", pretrained, "--out", tuned)
    command("finetune", store, *few, "--out", scratch)
    files = _unknown(split, out / "unknown")
    command("recognize", tuned, *files)

    command("import", "synthetic", untrimmed, "--untrimmed", "--size", size)
    with_task = ("--config", config, "--task")  # the light encoder has no feature of a single frame
    command("finetune", untrimmed, *with_task, "detection", "--out", detector)
    long = _long(Store.open(untrimmed), out / "unknown")
    command("detect", detector, *long, "--timeline", out / "plots" / "timeline.png")

    command("finetune", store, *with_task, "prediction", "--out", predictor)
    command("predict", predictor, files[0], "--at", SEEN, "--gif", out / "plots" / "prediction.gif")

    with step("probe", store, pretrained, "--config", recognition, "--label-fraction", fraction):
        labeled, reports = probe(store, pretrained, config=recognition, label_fraction=fraction)
    outcome = DemoOutcome(
        split=split,
        labels=len(labeled.train),
        reports={
            "pre-trained, then fine-tuned": _metrics(tuned),
            "from scratch, as many steps": _metrics(scratch),
            **_frozen(reports),
        },
        files=files,
        detection=_metrics(detector),
        simplest_detection=_results(detector)["floors"]["majority class"]["all"],
        prediction=_metrics(predictor),
        commands=seconds,
    )
    print_line()
    rows = [[name, f"{report['top1']:.1f}"] for name, report in outcome.reports.items()]
    print_table([f"{outcome.labels} labels, {len(split.test)} test recordings", "top-1 in %"], rows)
    report = write_report(outcome, out)
    print_line(f"\ndone in {(time.monotonic() - began) / 60:.1f} minutes")
    print_line(f"report      {report}")


def _clear(out: Path) -> None:
    """A folder with nothing in it but the mark by which the next demo knows that it may replace it."""
    if out.exists() and not (out / _MARK).is_file():
        raise ConfigError(f"{out} exists already and no demo made it; choose another --out")
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / _MARK).write_text("hitrs demo made this folder and will replace it.\n", encoding="utf-8")


def _unknown(split: ProtocolSplit, folder: Path) -> list[Path]:
    """The first test recordings of some classes as files, as if they came from somewhere else."""
    labels = np.asarray(split.store.labels)[split.test]
    known = np.unique(labels)
    folder.mkdir()
    files = []
    for label in known[:: max(1, len(known) // SHOWN)][:SHOWN]:
        index = int(split.test[np.flatnonzero(labels == label)[0]])
        files.append(folder / f"{file_name(split.store.name(index))}.npz")
        write_npz(split.store[index], files[-1])
    return files


def _long(store: Store, folder: Path) -> list[Path]:
    """The first untrimmed test recordings as files; the true segments are in them for the picture only."""
    files = []
    for index in store.split(store.protocols[0], "test")[:LONG]:
        files.append(folder / f"{file_name(store.name(int(index)))}.npz")
        write_npz(store[int(index)], files[-1])
    return files


def _metrics(run_folder: Path) -> dict[str, Any]:
    return _results(run_folder)["metrics"]["all"]


def _results(run_folder: Path) -> Any:
    return json.loads((run_folder / "results.json").read_text(encoding="utf-8"))


def _frozen(reports: Mapping[str, Metrics]) -> dict[str, dict[str, Any]]:
    """Of a probe: what needs no training."""
    names = {
        "ridge": "pre-trained, frozen, ridge",
        "ridge with convolutions": "the same with random convolutions",
        POSITIONS: SIMPLEST,
        CONVOLUTIONS: UNTRAINED,
    }
    return {name: reports[key]["all"] for key, name in names.items()}


@dataclass(frozen=True)
class DemoOutcome:
    """What the demo found out."""

    split: ProtocolSplit
    labels: int
    """Labeled recordings that the comparison used."""
    reports: Mapping[str, Mapping[str, Any]]
    """Method -> metrics on the test recordings; the first is the fine-tuned recognizer."""
    files: Sequence[Path]
    """Recordings that were recognized from their files."""
    detection: Mapping[str, Any]
    """Scores of the detector on the untrimmed test recordings."""
    simplest_detection: Mapping[str, Any]
    """Of the most frequent class in every frame."""
    prediction: dict[str, Any]
    """Errors of the predictor on the test recordings."""
    commands: Mapping[str, float]
    """Command -> seconds."""


def write_report(outcome: DemoOutcome, folder: Path) -> Path:
    """Draw the pictures of a demo in ``folder`` and write ``report.html`` with all of them; its path."""
    split, plots = outcome.split, folder / "plots"
    data = split.store
    best = next(iter(outcome.reports.values()))
    few, test, classes = outcome.labels, len(split.test), len(data.classes)
    bars = [(name, metrics["top1"], None) for name, metrics in outcome.reports.items()]
    plot_comparison(bars, plots / "comparison.png", f"Top-1 accuracy with {few} labels")
    plot_training(read_metrics(folder / "pretrained" / "metrics.jsonl"), plots / "pretraining.png")
    plot_finetuning(read_metrics(folder / "tuned" / "metrics.jsonl"), plots / "finetuning.png")
    matrix = np.array(best["confusion"])
    plot_confusion(matrix, data.classes, plots / "confusion.png", title="Test recordings")
    _map(split, folder / "pretrained", plots / "embedding.png")
    scenes = _scenes(outcome.files, folder / "tuned", plots)

    facts = machine()
    report = Report(
        "What hitrs learned from synthetic motion",
        f"hitrs {__version__}, {platform.system()}, torch {facts['torch']}, "
        f"{counted(facts['threads'], 'thread')}",
    )
    top1 = {name: metrics["top1"] for name, metrics in outcome.reports.items()}
    report.text(_won(top1, few, test, _uncertainty(test)))
    report.text(
        f"An encoder saw {len(data.split(split.protocol, 'train'))} recordings of synthetic people, without "
        f"labels. Then {few} labels, {few // classes} for each of {classes} actions, made a recognizer of "
        f"it, which was tested on {test} recordings of people that neither step had seen."
    )
    report.text("## With and without pre-training")
    report.figure(
        plots / "comparison.png",
        f"Top-1 accuracy on {test} test recordings; guessing would give {100 / classes:.0f} %. All methods "
        f"use the same {few} labels, the two trained ones as many steps. One seed and one draw of labels: "
        f"differences below {_uncertainty(test):.0f} points mean little.",
    )
    report.text(_verdict(top1, _uncertainty(test)))
    report.table(["method", "top-1 %"], [[name, figure] for name, figure in top1.items()])
    report.text("## What it recognizes")
    report.gallery(scenes)
    report.figure(plots / "confusion.png", "Fine-tuned recognizer: which actions it takes for which.")
    _detection(report, outcome.detection, outcome.simplest_detection, plots / "timeline.png")
    _prediction(report, outcome.prediction, plots / "prediction.gif")
    report.text("## What it learned without labels")
    report.text(
        "The recognizer's encoder learned how joints move in frames that were left out. The detector and the "
        "predictor, which answer for single frames, were trained from scratch."
    )
    report.figure(plots / "embedding.png", "Test recordings as the pre-trained encoder sees them.")
    report.figure(plots / "pretraining.png", "Pre-training: loss, nearest-neighbor probe, the pretext task.")
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


def _detection(
    report: Report, metrics: Mapping[str, Any], simplest: Mapping[str, Any], picture: Path
) -> None:
    report.text("## Actions found in longer recordings")
    report.figure(
        picture,
        f"Two of {metrics['recordings']} untrimmed test recordings: what happens when (above), and what the "
        "detector finds (below).",
    )
    scores = {
        "frames named right, background included": "frame/accuracy",
        "mAP (VOC) at an overlap of 0.3": "voc/map@0.3",
        "mAP (VOC) at an overlap of 0.5": "voc/map@0.5",
    }
    report.table(
        ["score on the test recordings, %", "detector", "most frequent class in every frame"],
        [[name, metrics[score], simplest[score]] for name, score in scores.items()],
    )


def _prediction(report: Report, metrics: dict[str, Any], picture: Path) -> None:
    (head, rows), *_ = get_task("prediction").report("test recordings", {"all": metrics})
    report.text("## Movements continued")
    report.figure(picture, "What was seen, then what the predictor expects; paler: what happened.")
    report.table(head, rows, caption="Mean error in mm; standing still and going on evenly for comparison.")


def _won(top1: Mapping[str, float], labels: int, test: int, margin: float) -> str:
    """The first sentence: what the first method has over the simplest one, in recordings named right."""
    (first, best), simplest = next(iter(top1.items())), top1[SIMPLEST]
    untrained = f"; random convolutions, which train nothing, name {top1[UNTRAINED]:.1f} %"
    gain = best - simplest
    said = (
        f"With {labels} labels, an encoder that is {first} names **{best:.1f} %** of {test} recordings right"
    )
    other = f"the simplest method, {SIMPLEST} ({simplest:.1f} %)"
    if abs(gain) <= margin:
        return f"{said}, about as many as {other}: **nothing was won** that is more than chance{untrained}."
    more = f"**{abs(gain):.1f} points {'more' if gain > 0 else 'less'}** than"
    return f"{said}, {more} {other}{'' if gain > 0 else ': nothing was won'}{untrained}."


def _verdict(top1: dict[str, float], margin: float) -> str:
    """How the first method stands to each of the others, in words."""
    (first, best), *others = top1.items()

    def against(figure: float) -> str:
        if abs(best - figure) <= margin:
            return "about as good as"
        return "clearly better than" if best > figure else "clearly worse than"

    said = ", ".join(f"{against(figure)} {name} ({figure:.1f} %)" for name, figure in others)
    return f"In this run **{first}** ({best:.1f} %) is {said}."


def _map(split: ProtocolSplit, model: Path, picture: Path) -> None:
    encoder = HiTRS.from_pretrained(model)
    source = SkeletonDataset(split.store, split.test, encoder.card.layout, encoder.card.preprocessing)
    features = encoder_features(encoder, source, video_feature)
    plot_embedding(features, source.labels, split.store.classes, picture)


def _scenes(files: Sequence[Path], model: Path, plots: Path) -> list[tuple[Path, str]]:
    """An animation of each file with what the recognizer thinks of it, and its caption."""
    recordings = [read_recording(file) for file in files]
    results = Recognizer(model).recognize_many(recordings)
    scenes = []
    for file, recording, result in zip(files, recordings, results, strict=True):
        picture = plots / f"{file.stem}.gif"
        scores = [(p.label, p.probability) for p in result.scores]
        animate(recording, picture, truth=recording.label, scores=scores, size=300)
        verdict = "right" if result.label == recording.label else f"wrong: it is “{recording.label}”"
        scenes.append((picture, f"“{result.label}”, {result.probability:.0%} sure; {verdict}"))
    return scenes


def _uncertainty(count: int) -> float:
    """Two standard errors of an accuracy of 50 % on so many recordings, in points."""
    return 2 * 100 * (0.25 / count) ** 0.5
