"""``hitrs recognize``: files in, named actions out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from hitrs.errors import ConfigError
from hitrs.files import write_json

if TYPE_CHECKING:
    from hitrs.data.recording import Recording
    from hitrs.tasks.recognition.recognizer import Recognition, Recognizer


@dataclass(frozen=True)
class Answer:
    """What became of an input."""

    name: str
    """What it is called."""
    result: Recognition | None = None
    reason: str = ""
    """Why there is no result."""
    recording: Recording | None = None
    """As the model saw it, where that is wanted."""


def run(
    model: ModelArgument,
    files: Files,
    *,
    reading: ReadingOptions = AS_FILES_SAY,
    top: int = 3,
    out: Annotated[Path | None, arg(metavar="OUT")] = None,
    left_out: Annotated[Path | None, arg(metavar="FILE")] = None,
    as_json: AsJson = False,
    gif: Annotated[Path | None, arg(metavar="PICTURE")] = None,
    video: Annotated[Path | None, arg(metavar="VIDEO")] = None,
    where: EngineOptions = HERE,
) -> None:
    """Name the action in each recording; everything that the model needs done to it before is done.

    A model that knows from held-out recordings how sure it can be says "none of these" where it is not.
    Recordings that cannot be used are named at the end, and the exit code is then 1.

    Args:
        model: a recognizer: model directory, the run that made it, or `hub://OWNER/NAME`.
        files: recordings of any format that `hitrs import` reads, also videos (docs/data.md lists them),
            folders of them, or stores.
        reading: how files are read.
        top: how many classes to name for each recording.
        out: write the probabilities of all classes to this file (.csv or .json).
        left_out: write what cannot be used, and why, to this file, a line each.
        as_json: print a JSON list with the probabilities of all classes.
        gif: write the moving skeleton with the predicted class to this .gif (or .mp4); for a single file.
        video: write the video with skeleton and class to this .mp4; for a single video.
        where: where files are read and recognized.
    """
    from hitrs.tasks.recognition.files import write_csv
    from hitrs.tasks.recognition.recognizer import Recognizer

    if not files:
        raise ConfigError("name at least one file to recognize")
    if top < 1:
        raise ConfigError(f"--top must be at least 1, got {top}")
    if out is not None and out.suffix.lower() not in (".csv", ".json"):
        raise ConfigError(f"which format is {out}? Call it .csv or .json")
    if gif is not None and (len(files) > 1 or files[0].is_dir()):
        raise ConfigError(
            f"--gif draws one recording, but {len(files)} files are given; recognize them one by one"
            if len(files) > 1
            else f"--gif draws one recording, but {files[0]} is a folder; name a file in it"
        )
    check_video(video, files)
    recognizer = Recognizer(model)
    skipped = Skipped(left_out)
    told = print_nothing if as_json else print_line
    given = portions(inputs(files, recognizer.layout, reading, told))
    work = partial(recognize, recognizer, reading, gif is not None or video is not None)
    recognized: list[tuple[str, Recognition]] = []
    last: Recording | None = None
    with where.open() as engine, progress_bar("recognizing") as bar, frames_progress(bar):
        for answers in engine.map(work, given, progress=lambda n: bar.update(bar.task_ids[0], completed=n)):
            for answer in answers:
                if answer.result is None:
                    skipped.add(answer.reason)
                else:
                    recognized.append((answer.name, answer.result))
                    last = answer.recording
    rows = [{"file": name, **result.to_dict()} for name, result in recognized]
    if as_json:
        print_json(rows)
    elif recognized:
        shown = min(top, len(recognizer.classes))
        headers = ["file", *(f"{n}." for n in range(1, shown + 1))]
        print_table(headers, [_row(name, result, shown) for name, result in recognized])
        print_findings([result for _, result in recognized])
    if out is not None and recognized:
        if out.suffix.lower() == ".csv":
            write_csv(out, recognized)
        else:
            write_json(out, rows)
        told(f"classes     {out}")
    if gif is not None and last is not None:
        from hitrs.viz import animate

        scores = [(p.label, p.probability) for p in recognized[-1][1].scores]
        animate(last, gif, truth=last.label, scores=scores)
    if video is not None and last is not None:
        from hitrs.viz.video import DrawnSpan

        result = recognized[-1][1]
        color = recognizer.classes.index(result.scores[0].label)
        score = result.probability if result.known else None
        spans = [DrawnSpan(0, last.n_frames, result.label, color, score)]
        write_video(files[0], reading.pose, spans, last.fps, video)
        (print_nothing if as_json else print_line)(f"video       {video}")
    skipped.raise_if_any(len(recognized))


def recognize(
    recognizer: Recognizer, reading: Reading, keep: bool, portion: Portion, step: Step
) -> list[Answer]:
    """Read and recognize some inputs.

    Args:
        keep: whether the recordings are wanted, too.
    """
    prepare = partial(recognizer.recording, as_is=reading.as_is)
    usable = portion.read(recognizer.layout, reading, prepare, step)
    results = iter(recognizer.recognize([each for each in usable if not isinstance(each, str)]))
    return [
        Answer(each.name, reason=found)
        if isinstance(found, str)
        else Answer(each.name, next(results), recording=found if keep else None)
        for each, found in zip(portion.given, usable, strict=True)
    ]


def _row(name: str, result: Recognition, shown: int) -> list[str]:
    classes = [f"{p.label} {p.probability:.1%}" for p in result.scores[:shown]]
    return [name, classes[0] if result.known else f"{result.label} (nearest: {classes[0]})", *classes[1:]]
