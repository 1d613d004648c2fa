"""``hitrs recognize``: files in, named actions out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import say, show_table
from hitrs.cli.options import AsJson, ModelArgument, Name
from hitrs.deploy.recognizer import Recognition, Recognizer
from hitrs.deploy.recordings import as_recording, known_layout
from hitrs.errors import ConfigError
from hitrs.viz import animate

Files = Annotated[Positional[tuple[Path, ...]], arg(metavar="FILE [FILE ...]")]


def run(
    model: ModelArgument,
    files: Files,
    *,
    layout: Name = None,
    top: int = 3,
    as_json: AsJson = False,
    gif: Annotated[Path | None, arg(metavar="OUT")] = None,
) -> None:
    """Name the action in each file; everything that the model needs done to it before is done.

    Args:
        model: a recognizer: model directory, the run that made it, or a hub id.
        files: recordings as .npz, .csv, .json (NW-UCLA) or .mat (UTD-MHAD).
        layout: joint layout of files that do not say it themselves, a name or a layout file.
        top: how many classes to name for each file.
        as_json: print a JSON list with the probabilities of all classes.
        gif: write the moving skeleton with the predicted class to this .gif (or .mp4); for a single file.
    """
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
    recordings = [as_recording(file, recognizer.layout, layout=fallback) for file in files]
    found = recognizer.recognize_many(recordings)
    if as_json:
        results = [{"file": str(file), **result.to_dict()} for file, result in zip(files, found, strict=True)]
        say(json.dumps(results, indent=1, ensure_ascii=False))
    else:
        shown = min(top, len(recognizer.classes))
        headers = ["file", *(f"{n}." for n in range(1, shown + 1))]
        show_table(headers, [_row(file, result, shown) for file, result in zip(files, found, strict=True)])
    if gif is not None:
        scores = [(p.label, p.probability) for p in found[0].predictions]
        animate(recordings[0], gif, truth=recordings[0].label, scores=scores)


def _row(file: Path, result: Recognition, shown: int) -> list[str]:
    return [str(file), *(f"{p.label} {p.probability:.1%}" for p in result.predictions[:shown])]
