"""``hitrs detect``: files in, named segments out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from hitrs.cli.console import (
    Skipped,
    frames_progress,
    print_findings,
    print_json,
    print_line,
    print_nothing,
    print_table,
    progress_bar,
)
from hitrs.cli.inputs import Portion, inputs, portions
from hitrs.cli.options import (
    AS_FILES_SAY,
    HERE,
    AsJson,
    EngineOptions,
    Files,
    ModelArgument,
    Reading,
    ReadingOptions,
)
from hitrs.cli.video import check_video, write_video
from hitrs.engine import Step
from hitrs.errors import ConfigError, located

if TYPE_CHECKING:
    import numpy as np

    from hitrs.data.recording import Recording
    from hitrs.tasks.detection.detection import Detection
    from hitrs.tasks.detection.detector import Detector
    from hitrs.tasks.detection.online import OnlineDetector
    from hitrs.tasks.detection.segments import Proposal

Format = Literal["json", "csv", "pku"]


def run(
    model: ModelArgument,
    files: Files = (),
    *,
    camera: Annotated[int | None, arg(metavar="N")] = None,
    reading: ReadingOptions = AS_FILES_SAY,
    resample: bool = False,
    out: Annotated[Path | None, arg(metavar="OUT")] = None,
    left_out: Annotated[Path | None, arg(metavar="FILE")] = None,
    format: Format | None = None,
    timeline: Annotated[Path | None, arg(metavar="PICTURE")] = None,
    video: Annotated[Path | None, arg(metavar="VIDEO")] = None,
    truth: Annotated[Path | None, arg(metavar="LABELS")] = None,
    online: bool = False,
    as_json: AsJson = False,
    where: EngineOptions = HERE,
) -> None:
    """Find the actions in recordings of any length. Frames count from 0; `stop` is the first one behind.

    With `--camera` it watches somebody, tells when an action starts and ends, and goes on until Ctrl-C.

    Recordings that cannot be used are named at the end, and the exit code is then 1.

    Args:
        model: a detector: model directory, the run that made it, or `hub://OWNER/NAME`.
        files: recordings, also videos, folders of them, or stores.
        camera: in place of files, the number of a camera, 0 for the first.
        reading: how files are read.
        resample: bring recordings of another frame rate to the model's; frames then count at that rate.
        out: write the segments to this file (pku: a folder with a text file for each recording).
        left_out: write what cannot be used, and why, to this file, a line each.
        format: json, csv, or pku (text as PKU-MMD's scorer reads it); by the suffix of OUT if left out.
        timeline: draw what happens when (.png, .svg or .pdf), the truth above where it is known.
        video: write the video with skeleton, class and timeline to this .mp4; for a single video.
        truth: labels to compare with, if the recordings hold none: a store, a segments.csv, or, for a single
            recording, PKU-MMD text.
        online: frame by frame, by past frames only; also tells the time per frame and, where the truth is
            known, how many frames after its start an action is named.
        as_json: print the segments as JSON.
        where: where files are read and looked at.
    """
    from hitrs.data.video.estimator import pose_estimator
    from hitrs.tasks.detection.detector import Detector
    from hitrs.tasks.detection.files import write_csv, write_json, write_pku
    from hitrs.tasks.detection.truth import read_truth

    if camera is not None:
        unfit = {
            "files": files, "layout": reading.layout, "columns": reading.columns, "fps": reading.fps,
            "resample": resample, "out": out, "format": format, "timeline": timeline, "video": video,
            "truth": truth, "left-out": left_out, "engine": where != HERE,
        }  # fmt: skip
        if wrong := [name for name, value in unfit.items() if value]:
            raise ConfigError(f"--camera does not go with {' or '.join(wrong)}")
        from hitrs.cli.camera import watch

        with pose_estimator(reading.pose):
            watch(Detector(model).online(as_is=reading.as_is), camera, as_json=as_json)
        return
    form = _format(out, format)
    if not files:
        raise ConfigError("name at least one file to find actions in, or a camera (--camera 0)")
    check_video(video, files)
    detector = Detector(model)
    stepper = detector.online(as_is=True) if online else None
    labels = None if truth is None else read_truth(truth, detector.classes)
    looking = Looking(detector, reading, labels, resample, online, online or timeline is not None)
    detections: list[Detection] = []
    truths: list[list[Proposal] | None] = []
    seconds: list[float] = []
    told: list[np.ndarray] = []
    skipped, print_unless_json = Skipped(left_out), print_nothing if as_json else print_line
    given = portions(inputs(files, detector.layout, reading, print_unless_json))
    with where.open() as engine, progress_bar("detecting") as bar, frames_progress(bar):
        for answers in engine.map(
            partial(find, looking), given, progress=lambda n: bar.update(bar.task_ids[0], completed=n)
        ):
            for answer in answers:
                if isinstance(answer, str):
                    skipped.add(answer)
                    continue
                detections.append(answer.detection)
                truths.append(answer.truth)
                seconds += answer.seconds
                if answer.told is not None:
                    told.append(answer.told)
    if as_json:
        print_json([detection.to_dict() for detection in detections])
    elif detections:
        _print_segments(detections)
        print_findings(detections)
    if online and detections:
        if stepper is not None and stepper.left_out:
            left = ", ".join(stepper.left_out)
            print_unless_json(
                f"note        {left} of segments would need frames to come; without --online they are as the "
                "model was tested"
            )
        _print_latency(truths, told, seconds, print_unless_json)
    if out is not None and detections:
        {"json": write_json, "csv": write_csv, "pku": write_pku}[form](out, detections)
        print_unless_json(f"segments    {out}")
    if timeline is not None and detections:
        from hitrs.viz.timeline import Timeline, plot_timelines

        plot_timelines(
            [
                Timeline(d.name, d.frames, d.proposals, own, d.fps, d.probabilities)
                for d, own in zip(detections, truths, strict=True)
            ],
            detector.classes,
            timeline,
        )
        print_unless_json(f"timeline    {timeline}")
    if video is not None and detections:
        from hitrs.viz.video import DrawnSpan

        found = detections[0]
        spans = [
            DrawnSpan(p.start, p.stop, found.classes[p.label], p.label, p.score) for p in found.proposals
        ]
        write_video(files[0], reading.pose, spans, found.fps, video)
        print_unless_json(f"video       {video}")
    skipped.raise_if_any(len(detections))


@dataclass(frozen=True)
class Looking:
    """How recordings are looked at."""

    detector: Detector
    reading: Reading
    labels: Callable[[Recording], Recording] | None
    """Gives recordings the labels of another file."""
    resample: bool
    online: bool
    compare: bool
    """Whether their own labels are wanted, too."""


@dataclass(frozen=True)
class Found:
    """What was found in a recording."""

    detection: Detection
    truth: list[Proposal] | None
    """Its own labels."""
    seconds: list[float]
    """Online, what each frame took."""
    told: np.ndarray | None
    """Online, the class of each frame."""


def find(looking: Looking, portion: Portion, step: Step) -> list[Found | str]:
    """Read some inputs and find the actions in them, or why that cannot be done."""
    # recordings are prepared before
    stepper = looking.detector.online(as_is=True) if looking.online else None
    return portion.read(looking.detector.layout, looking.reading, partial(_found, looking, stepper), step)


def _found(looking: Looking, stepper: OnlineDetector | None, recording: Recording) -> Found:
    from hitrs.tasks.detection.truth import to_proposals

    detector = looking.detector
    recording = recording if looking.labels is None else looking.labels(recording)
    recording = detector.recording(recording, resample=looking.resample, as_is=looking.reading.as_is)
    own = None
    if recording.segments and looking.compare:
        with located(f"recording '{recording.name}'"):
            own = to_proposals(recording.segments, recording.n_frames, detector.classes)
    if stepper is None:
        return Found(detector.detect(recording), own, [], None)
    result, taken, told = run_online(stepper, recording)
    return Found(result, own, taken, told)


def run_online(online: OnlineDetector, recording: Recording) -> tuple[Detection, list[float], np.ndarray]:
    """The detection of a recording frame by frame, the seconds that each frame took, and (T,) the class that
    it has told to go on: of several the most probable, of none background."""
    import numpy as np

    from hitrs.tasks.detection.detection import Detection

    frames = online.mapped(recording)
    results, taken, told = [], [], []
    going: set[int] = set()
    for frame, seen in zip(frames.positions, frames.valid, strict=True):
        before = time.perf_counter()
        result = online.update(frame, seen)
        taken.append(time.perf_counter() - before)
        results.append(result)
        for event in result.events:
            (going.add if event.kind == "started" else going.discard)(event.segment.label)
        told.append(max(going, key=lambda label: result.probabilities[label], default=len(online.classes)))
    events = [*(event for result in results for event in result.events), *online.finish()]
    segments = sorted(
        (event.segment for event in events if event.kind == "ended"), key=lambda each: (each.start, each.stop)
    )
    probabilities = np.stack([result.probabilities for result in results])
    detection = Detection(
        recording.name,
        recording.n_frames,
        recording.fps,
        tuple(segments),
        online.classes,
        probabilities,
        online.joints_seen(recording),
        recording.notes,
    )
    return detection, taken, np.array(told)


def _format(out: Path | None, format: Format | None) -> Format:
    """The format of OUT: the one that is named, or the one of its suffix."""
    if format is not None and out is None:
        raise ConfigError("--format is the format of a file: name it with --out")
    if out is None or format is not None:
        return format or "json"
    if out.suffix.lower() not in (".json", ".csv"):
        raise ConfigError(f"which format is {out}? Call it .json or .csv, or name the format with --format")
    return "json" if out.suffix.lower() == ".json" else "csv"


def _print_segments(detections: list[Detection]) -> None:
    from hitrs.tasks.detection.detection import COLUMNS

    rows = []
    for detection in detections:
        nothing = {"name": detection.name, "label": "nothing found"}
        rows += [[_cell(row.get(key)) for key in COLUMNS] for row in detection.rows() or [nothing]]
    print_table([column.replace("_seconds", " s") for column in COLUMNS], rows)


def _cell(value: str | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _print_latency(
    truths: list[list[Proposal] | None],
    told: list[np.ndarray],
    seconds: list[float],
    print_line: Callable[[str], None],
) -> None:
    import numpy as np

    from hitrs.tasks.detection.metrics.frames import latency

    middle, high = np.percentile(1000 * np.asarray(seconds), [50, 99])
    print_line(f"a frame     {middle:.2f} ms, 99th percentile {high:.2f} ms")
    pairs = [(own, labels) for own, labels in zip(truths, told, strict=True) if own is not None]
    if not pairs:
        return
    delays = latency([own for own, _ in pairs], [labels for _, labels in pairs])
    count = sum(len(own) for own, _ in pairs)
    print_line(f"named       {delays['latency/named']:.0%} of {count} actions, by a segment that had started")
    if delays["latency/median_frames"] is not None:
        print_line(
            f"after       {delays['latency/median_frames']:g} frames (median), "
            f"{delays['latency/mean_frames']:.1f} (mean)"
        )
