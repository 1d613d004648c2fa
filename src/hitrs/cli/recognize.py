"""``hitrs recognize``: files in, named actions out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from hitrs.cli.console import Skipped, print_findings, print_json, print_table
from hitrs.cli.options import AsJson, Files, ModelArgument, Name
from hitrs.errors import ConfigError

if TYPE_CHECKING:
    from hitrs.data.recording import Recording
    from hitrs.tasks.recognition.recognizer import Recognition


def run(
    model: ModelArgument,
    files: Files,
    *,
    layout: Name = None,
    as_is: bool = False,
    top: int = 3,
    as_json: AsJson = False,
    gif: Annotated[Path | None, arg(metavar="OUT")] = None,
) -> None:
    """Name the action in each file; everything that the model needs done to it before is done.

    Files that cannot be used are named at the end, and the exit code is then 1.

    Args:
        model: a recognizer: model directory, the run that made it, or `hub://OWNER/NAME`.
        files: recordings of any format that `hitrs import` reads (docs/data.md lists them).
        layout: joint layout of files that do not say it themselves, a name or a layout file.
        as_is: take coordinates as they are; otherwise those that are in another unit than the training data,
            or have another axis up, are converted, joints that the tracker had lost count as not seen, and it
            is told.
        top: how many classes to name for each file.
        as_json: print a JSON list with the probabilities of all classes.
        gif: write the moving skeleton with the predicted class to this .gif (or .mp4); for a single file.
    """
    from hitrs.tasks.inputs import known_layout
    from hitrs.tasks.recognition.recognizer import Recognizer

    if not files:
        raise ConfigError("name at least one file to recognize")
    if top < 1:
        raise ConfigError(f"--top must be at least 1, got {top}")
    if gif is not None and len(files) > 1:
        raise ConfigError(
            f"--gif draws one recording, but {len(files)} files are given; recognize them one by one"
        )
    recognizer = Recognizer(model)
    fallback = known_layout(layout)
    usable: list[tuple[Path, Recording]] = []
    skipped = Skipped()
    for file in files:
        with skipped.one():
            usable.append((file, recognizer.recording(file, layout=fallback, as_is=as_is)))
    results = recognizer.recognize([recording for _, recording in usable])
    recognized = [(file, result) for (file, _), result in zip(usable, results, strict=True)]
    if as_json:
        rows = [{"file": str(file), **result.to_dict()} for file, result in recognized]
        print_json(rows)
    elif recognized:
        shown = min(top, len(recognizer.classes))
        headers = ["file", *(f"{n}." for n in range(1, shown + 1))]
        print_table(headers, [_row(file, result, shown) for file, result in recognized])
        print_findings(results)
    if gif is not None and recognized:
        from hitrs.viz import animate

        recording = usable[0][1]
        scores = [(p.label, p.probability) for p in results[0].scores]
        animate(recording, gif, truth=recording.label, scores=scores)
    skipped.raise_if_any(len(recognized))


def _row(file: Path, result: Recognition, shown: int) -> list[str]:
    return [str(file), *(f"{p.label} {p.probability:.1%}" for p in result.scores[:shown])]
