"""``hitrs detect``: files in, named segments out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from tyro.conf import Positional, arg

from hitrs.cli.console import bar_for_files, say, show_table
from hitrs.cli.options import AsJson, ModelArgument, Name
from hitrs.cli.skipping import Skipped
from hitrs.data.inspection.source import opened
from hitrs.data.recording import Recording
from hitrs.deploy.detector import Detector
from hitrs.deploy.recordings import as_recording, at_rate, known_layout, model_arrays
from hitrs.deploy.segments_out import COLUMNS, Detection, write_csv, write_json, write_pku
from hitrs.deploy.streaming import OnlineDetector
from hitrs.deploy.truth import read_truth
from hitrs.errors import ConfigError, located
from hitrs.skeleton import Layout
from hitrs.tasks.detection import Proposal, latency, numbered
from hitrs.viz.timeline import Timeline, plot_timelines

Sources = Annotated[Positional[tuple[Path, ...]], arg(metavar="FILE [FILE ...]")]
Format = Literal["json", "csv", "pku"]
_WRITERS = {"json": write_json, "csv": write_csv, "pku": write_pku}


def run(
    model: ModelArgument,
    files: Sources,
    *,
    layout: Name = None,
    resample: bool = False,
    out: Annotated[Path | None, arg(metavar="OUT")] = None,
    format: Format | None = None,
    timeline: Annotated[Path | None, arg(metavar="PICTURE")] = None,
    truth: Annotated[Path | None, arg(metavar="LABELS")] = None,
    online: bool = False,
    as_json: AsJson = False,
) -> None:
    """Find the actions in recordings of any length. Frames count from 0; `stop` is the first one behind.

    Recordings that cannot be used are named at the end, and the exit code is then 1.

    Args:
        model: a detector: model directory, the run that made it, or a hub id.
        files: recordings, folders of them, or stores.
        layout: joint layout of files that do not say it themselves, a name or a layout file.
        resample: bring recordings of another frame rate to the model's; frames then count at that rate.
        out: write the segments to this file (pku: a folder with a text file for each recording).
        format: json, csv, or pku (text as PKU-MMD's scorer reads it); by the suffix of OUT if left out.
        timeline: draw what happens when (.png, .svg or .pdf), the truth above where it is known.
        truth: labels to compare with, if the recordings hold none: a store, a segments.csv, or, for a single
            recording, PKU-MMD text.
        online: frame by frame, by past frames only; also tells the time per frame and, where the truth is
            known, how many frames after its start an action is named.
        as_json: print the segments as JSON.
    """
    form = _format(out, format)
    if not files:
        raise ConfigError("name at least one file to find actions in")
    detector = Detector(model)
    stepper = detector.online() if online else None
    labels = None if truth is None else read_truth(truth, detector.classes)
    found: list[Detection] = []
    known: list[list[Proposal] | None] = []
    seconds: list[float] = []
    skipped = Skipped()
    with bar_for_files("detecting") as bar:
        for recording in recordings(files, detector.layout, known_layout(layout), skipped):
            with skipped.one():
                recording = recording if labels is None else labels(recording)
                recording = at_rate(recording, detector.model.card.fps, resample=resample)
                own = None
                if recording.segments and (online or timeline is not None):
                    with located(f"recording '{recording.name}'"):
                        own = numbered(recording.segments, recording.n_frames, detector.classes)
                if stepper is None:
                    result = detector(recording)
                else:
                    result, taken = run_online(stepper, recording)
                    seconds += taken
                found.append(result)
                known.append(own)
            bar.advance(bar.task_ids[0])
    if as_json:
        say(json.dumps([each.to_dict() for each in found], indent=1, ensure_ascii=False))
    elif found:
        _show(found)
    tell = _nothing if as_json else say
    if online and found:
        _show_latency(found, known, seconds, tell)
    if out is not None and found:
        _WRITERS[form](out, found)
        tell(f"segments    {out}")
    if timeline is not None and found:
        plot_timelines(
            [
                Timeline(each.name, each.frames, each.proposals, own, each.fps, each.probabilities)
                for each, own in zip(found, known, strict=True)
            ],
            detector.classes,
            timeline,
        )
        tell(f"timeline    {timeline}")
    skipped.tell(len(found))


def recordings(
    paths: tuple[Path, ...], model: Layout, layout: Layout | None, skipped: Skipped
) -> Iterator[Recording]:
    """The recordings of files, folders and stores, one after another, without those that cannot be read."""
    for path in paths:
        if not path.is_dir():
            recording = None
            with skipped.one():
                recording = as_recording(path, model, layout=layout)
            if recording is not None:
                yield recording
            continue
        with opened(path, layout) as store:
            yield from store
            for item in store.meta.get("quarantined", ()):  # a folder's files that could not be read
                skipped.add(f"{path / item['source']}: {item['reason']}")


def run_online(online: OnlineDetector, recording: Recording) -> tuple[Detection, list[float]]:
    """What is found frame by frame, and the seconds that each frame took."""
    model = online.model
    positions, valid = model_arrays(recording, model.card.layout)
    results, taken = [], []
    for frame, seen in zip(positions, valid, strict=True):
        before = time.perf_counter()
        results.append(online.update(frame, seen))
        taken.append(time.perf_counter() - before)
    events = [*(event for result in results for event in result.events), *online.finish()]
    segments = tuple(event.segment for event in events if event.kind == "ended")
    probabilities = np.stack([result.probabilities for result in results])
    detection = Detection(
        recording.name, recording.n_frames, recording.fps, segments, online.classes, probabilities
    )
    return detection, taken


def _format(out: Path | None, format: Format | None) -> Format:
    """The format of OUT: the one that is named, or the one of its suffix."""
    if format is not None and out is None:
        raise ConfigError("--format is the format of a file: name it with --out")
    if out is None or format is not None:
        return format or "json"
    if out.suffix.lower() not in (".json", ".csv"):
        raise ConfigError(f"which format is {out}? Call it .json or .csv, or name the format with --format")
    return "json" if out.suffix.lower() == ".json" else "csv"


def _show(found: list[Detection]) -> None:
    rows = []
    for each in found:
        nothing = {"name": each.name, "label": "nothing found"}
        rows += [[_cell(row.get(key)) for key in COLUMNS] for row in each.rows() or [nothing]]
    show_table([column.replace("_seconds", " s") for column in COLUMNS], rows)


def _cell(value: str | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _show_latency(
    found: list[Detection],
    known: list[list[Proposal] | None],
    seconds: list[float],
    tell: Callable[[str], None],
) -> None:
    middle, high = np.percentile(1000 * np.asarray(seconds), [50, 99])
    tell(f"a frame     {middle:.2f} ms, 99th percentile {high:.2f} ms")
    pairs = [
        (own, each.probabilities.argmax(1))
        for own, each in zip(known, found, strict=True)
        if own is not None and each.probabilities is not None
    ]
    if not pairs:
        return
    delays = latency([own for own, _ in pairs], [labels for _, labels in pairs])
    tell(f"named       {delays['latency/named']:.0%} of {sum(len(own) for own, _ in pairs)} actions")
    if delays["latency/median_frames"] is not None:
        tell(
            f"after       {delays['latency/median_frames']:g} frames (median), "
            f"{delays['latency/mean_frames']:.1f} (mean)"
        )


def _nothing(_: str) -> None:
    pass
