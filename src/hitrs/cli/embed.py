"""``hitrs embed``: recordings in, features of a frozen encoder out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from hitrs.cli.console import Skipped, frames_progress, print_line, progress_bar
from hitrs.cli.inputs import Portion, inputs, portions
from hitrs.cli.options import AS_FILES_SAY, HERE, EngineOptions, ModelArgument, Reading, ReadingOptions
from hitrs.cli.signals import telling
from hitrs.engine import Step
from hitrs.errors import ConfigError, counted
from hitrs.files import locked

if TYPE_CHECKING:
    from hitrs.tasks.embedder import Embedder

_SUFFIX = ".parquet"


def run(
    model: ModelArgument,
    files: Annotated[
        Positional[tuple[Path, ...]],
        arg(metavar="FILE [FILE ...] OUT.parquet", help_behavior_hint="(required)"),
    ],
    *,
    of: Literal["recordings", "clips", "frames"] = "recordings",
    reading: ReadingOptions = AS_FILES_SAY,
    left_out: Annotated[Path | None, arg(metavar="FILE")] = None,
    where: EngineOptions = HERE,
) -> None:
    """Features of recordings by a frozen encoder, as a Parquet file for pandas, DuckDB and others.

    A command that was interrupted goes on when it is given again. Recordings that cannot be used are named at
    the end, and the exit code is then 1.

    Args:
        model: any model with an encoder: model directory, the run that made it, or `hub://OWNER/NAME`.
        files: recordings of any format that `hitrs import` reads, also videos, folders of them, or stores;
            and last the file to write, OUT.parquet.
        of: what has a row: each recording, or each clip or frame of each body (docs/large.md).
        reading: how files are read.
        left_out: write what cannot be used, and why, to this file, a line each.
        where: where files are read and encoded.
    """
    from hitrs.data.parquet import load_pyarrow
    from hitrs.tasks.embedder import Embedder
    from hitrs.tasks.embedding_file import join_parts

    if not files or files[-1].suffix.lower() != _SUFFIX:
        raise ConfigError("name the file to write, behind the recordings: OUT.parquet")
    *sources, out = files
    if not sources:
        raise ConfigError(f"name at least one file to encode, before {out}")
    if out.exists():
        raise ConfigError(f"{out} exists already; choose another place")
    load_pyarrow()
    embedder = Embedder(model)
    encoding = Encoding(embedder, of, reading, out.parent / f"{out.name}.embedding")
    parts: list[Path] = []

    def missing() -> Iterator[tuple[Path, Portion]]:
        for portion in portions(inputs(sources, embedder.layout, reading, print_line)):
            path = encoding.folder / f"{len(parts):06}-{encoding.key(portion)}{_SUFFIX}"
            parts.append(path)
            if not path.exists():
                yield path, portion

    kept = f"stopped; what was encoded is kept in {encoding.folder}, the same command goes on"
    with locked(encoding.folder, f"the file {out}"), telling(kept):
        with where.open() as engine, progress_bar("encoding") as bar, frames_progress(bar):
            for _ in engine.map(
                partial(write_portion, encoding),
                missing(),
                progress=lambda n: bar.update(bar.task_ids[0], completed=n),
                needs=[encoding.folder],
            ):
                pass
        used, rows, reasons = join_parts(parts, out)
        shutil.rmtree(encoding.folder, ignore_errors=True)
    skipped = Skipped(left_out)
    for reason in reasons:
        skipped.add(reason)
    if used:
        what = "" if of == "recordings" else f"{rows} {of} of "
        print_line(f"features    {out} ({what}{counted(used, 'recording')})")
    skipped.raise_if_any(used)


@dataclass(frozen=True)
class Encoding:
    """What is done to the inputs."""

    embedder: Embedder
    of: Literal["recordings", "clips", "frames"]
    reading: Reading
    folder: Path
    """Where parts are until all are there."""

    def key(self, portion: Portion) -> str:
        """Digits that tell whether a part holds what is wanted now."""
        about = [self.about(), asdict(self.reading)]
        digest = hashlib.sha256(json.dumps(about, default=str).encode())
        for each in portion.given:
            digest.update(each.fingerprint().encode())
        return digest.hexdigest()[:16]

    def about(self) -> dict[str, Any]:
        """JSON values for the metadata of the file."""
        card = self.embedder.card
        return {
            "of": self.of,
            "model": self.embedder.weights_sha256,
            "layout": card.layout.to_dict(),
            "shape": self.embedder.shape(self.of),
        }


def write_portion(encoding: Encoding, item: tuple[Path, Portion], step: Step) -> None:
    """Encode some inputs and write them as a part."""
    from hitrs.tasks.embedding_file import write_part

    path, portion = item
    embedder, reading = encoding.embedder, encoding.reading
    prepared = portion.read(embedder.layout, reading, partial(embedder.recording, as_is=reading.as_is), step)
    names = [
        each.name for each, found in zip(portion.given, prepared, strict=True) if not isinstance(found, str)
    ]
    usable = [found for found in prepared if not isinstance(found, str)]
    left_out = [found for found in prepared if isinstance(found, str)]
    rows = list(zip(names, usable, embedder.embed(usable, encoding.of), strict=True))
    about = encoding.about()
    width = 1
    for size in about["shape"]:
        width *= size
    write_part(path, rows, width, left_out, about)
