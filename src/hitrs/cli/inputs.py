"""What is named on the command line, files, folders and stores, as recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hitrs.cli.console import Skipped
from hitrs.cli.options import Reading
from hitrs.errors import DataError
from hitrs.files import LEFT_OUT

if TYPE_CHECKING:
    from hitrs.data.recording import Recording
    from hitrs.data.store import Store
    from hitrs.skeleton import Layout


def read(path: Path, model: Layout, reading: Reading) -> Recording:
    """The recording in a file; ``model``: the model's layout, which files have that do not say theirs."""
    from hitrs.tasks.inputs import as_recording, known_layout

    layout = known_layout(reading.layout, model)
    return as_recording(path, model, layout=layout, columns=reading.columns, fps=reading.fps)


def recordings(
    paths: Sequence[Path], model: Layout, reading: Reading, skipped: Skipped, tell: Callable[[str], None]
) -> Iterator[tuple[str, Recording]]:
    """(what to call it, recording) of files, folders and stores, without those that cannot be read.

    Args:
        model: the layout of the model, which files have that do not say theirs, unless ``reading`` does.
        skipped: told what cannot be read.
        tell: called with what else of a folder is left out.
    """
    from hitrs.data.remote import address_of
    from hitrs.tasks.inputs import as_recording, known_layout

    layout, columns = known_layout(reading.layout, model), reading.columns
    for path in paths:
        with skipped.one(), ExitStack() as stack:
            address = address_of(path)
            if address is None and not path.is_dir():
                yield str(path), read(path, model, reading)
                continue
            store = opened_store(path, model, layout, columns, stack)
            for note in store.meta.get("notes", ()):
                if LEFT_OUT in note:  # what is said of labels and splits does not matter here
                    tell(f"note        {path}: {note}")
            for recording in store:
                yield (
                    str((address or path) / _called(recording)),
                    as_recording(recording, model, fps=reading.fps),
                )
            for item in store.meta.get("quarantined", ()):  # a folder's files that could not be read
                skipped.add(f"{path / item['source']}: {item['reason']}")


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
