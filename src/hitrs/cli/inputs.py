"""What is named on the command line, files, folders and stores, as recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from hitrs.cli.options import Reading
from hitrs.engine import Step
from hitrs.errors import DataError, LayoutError
from hitrs.files import LEFT_OUT

if TYPE_CHECKING:
    from hitrs.data.recording import Recording
    from hitrs.data.store import Store
    from hitrs.skeleton import Layout

Made = TypeVar("Made")
AT_ONCE, BYTES_AT_ONCE = 256, 8 << 20
"""Inputs that are worked on together: so many recordings, or bytes, are in memory."""


def read(path: Path, model: Layout, reading: Reading) -> Recording:
    """The recording in a file; ``model``: the model's layout, which files have that do not say theirs."""
    from hitrs.tasks.inputs import as_recording, known_layout

    layout = known_layout(reading.layout, model)
    return as_recording(path, model, layout=layout, columns=reading.columns, fps=reading.fps)


@dataclass(frozen=True)
class Given:
    """One of the inputs."""

    name: str
    """What to call it."""
    content: Path | Recording | DataError | LayoutError
    """A file, which is read where the work is done; a recording of a folder or store; why there is none."""

    def recording(self, model: Layout, reading: Reading) -> Recording:
        """The recording, read.

        Raises:
            DataError, LayoutError: if there is none.
        """
        from hitrs.tasks.inputs import as_recording

        if isinstance(self.content, Exception):
            raise self.content
        if isinstance(self.content, Path):
            return read(self.content, model, reading)
        return as_recording(self.content, model, fps=reading.fps)

    def fingerprint(self) -> str:
        """The same as long as the input is: of a file size and time, of a recording its content."""
        if isinstance(self.content, Exception):
            return f"{self.name}\0{self.content}"
        if isinstance(self.content, Path):
            state = self.content.stat() if self.content.exists() else None
            return f"{self.name}\0{state and (state.st_size, state.st_mtime_ns)}"
        digest = hashlib.sha256(np.ascontiguousarray(self.content.positions).data)
        digest.update(np.packbits(self.content.valid).data)
        return f"{self.name}\0{self.content.metadata()}\0{digest.hexdigest()}"

    @property
    def size(self) -> int:
        """Bytes, about."""
        if isinstance(self.content, Path):
            return self.content.stat().st_size if self.content.is_file() else 0
        return 0 if isinstance(self.content, Exception) else self.content.positions.nbytes


@dataclass(frozen=True)
class Portion:
    """Inputs that are worked on together."""

    given: tuple[Given, ...]

    def read(
        self, model: Layout, reading: Reading, use: Callable[[Recording], Made], step: Step
    ) -> list[Made | str]:
        """What ``use`` makes of each recording, or why that cannot be had, in words."""
        from hitrs.data.video.estimator import pose_estimator

        made: list[Made | str] = []
        with pose_estimator(reading.pose):
            for each in self.given:
                try:
                    made.append(use(each.recording(model, reading)))
                except (DataError, LayoutError) as error:
                    made.append(str(error))
                step()
        return made

    def __str__(self) -> str:
        return f"{self.given[0].name} to {self.given[-1].name}"


def portions(
    given: Iterable[Given], most: int = AT_ONCE, most_bytes: int = BYTES_AT_ONCE
) -> Iterator[Portion]:
    """Successive inputs, at most so many and, unless a single one, so many bytes."""
    taken: list[Given] = []
    size = 0
    for each in given:
        if taken and (len(taken) == most or size + each.size > most_bytes):
            yield Portion(tuple(taken))
            taken, size = [], 0
        taken.append(each)
        size += each.size
    if taken:
        yield Portion(tuple(taken))


def inputs(
    paths: Sequence[Path], model: Layout, reading: Reading, tell: Callable[[str], None]
) -> Iterator[Given]:
    """What is in files, folders and stores, one after another; files are not read yet.

    Args:
        model: the layout of the model, which files have that do not say theirs, unless ``reading`` does.
        tell: called with what else of a folder is left out.
    """
    from hitrs.data.remote import address_of
    from hitrs.tasks.inputs import known_layout

    layout, columns = known_layout(reading.layout, model), reading.columns
    for path in paths:
        address = address_of(path)
        if address is None and not path.is_dir():
            yield Given(str(path), path)
            continue
        try:
            with ExitStack() as stack:
                store = opened_store(path, model, layout, columns, stack)
                for note in store.meta.get("notes", ()):
                    if LEFT_OUT in note:  # what is said of labels and splits does not matter here
                        tell(f"note        {path}: {note}")
                for recording in store:
                    yield Given(str((address or path) / _called(recording)), recording)
                for item in store.meta.get("quarantined", ()):  # a folder's files that could not be read
                    source, reason = str(path / item["source"]), item["reason"]
                    told = reason if reason.startswith(source) else f"{source}: {reason}"
                    yield Given(source, DataError(told))
        except (DataError, LayoutError) as error:
            yield Given(str(path), error)


def _called(recording: Recording) -> str:
    """The file of a recording as it would be named itself, where it holds no other one; else its name."""
    source = recording.source
    return source if source and str(Path(source).with_suffix("")) == recording.name else recording.name


def opened_store(
    path: Path, model: Layout | None, layout: Layout | None, columns: str | None, stack: ExitStack
) -> Store:
    """A store, or the files of a folder, or a file, as one, until the stack is closed.

    Args:
        model: the layout of files that tell none, if ``layout`` does not; None: there is no model.
    """
    from hitrs.data.inspection.inspect import opened

    if columns is not None:
        layout = layout or model
    try:
        return stack.enter_context(opened(path, layout, columns=columns))
    except DataError as error:
        if layout is None and model is not None:
            try:
                return stack.enter_context(opened(path, model))
            except DataError:
                raise error from None
        raise
