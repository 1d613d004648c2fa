"""What is named on the command line, files, folders and stores, as recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hitrs.cli.console import Skipped
from hitrs.errors import DataError

if TYPE_CHECKING:
    from hitrs.data.recording import Recording
    from hitrs.data.store import Store
    from hitrs.skeleton import Layout


def recordings(
    paths: Sequence[Path], model: Layout, layout: Layout | None, columns: str | None, skipped: Skipped
) -> Iterator[tuple[str, Recording]]:
    """(what to call it, recording) of files, folders and stores, without those that cannot be read.

    Args:
        model: the layout of the model, which files have that do not say theirs, unless ``layout`` does.
        layout: of files that do not say it themselves.
        columns: of tables without a header.
        skipped: told what cannot be read.
    """
    from hitrs.tasks.inputs import as_recording

    for path in paths:
        with skipped.one(), ExitStack() as stack:
            if not path.is_dir():
                yield str(path), as_recording(path, model, layout=layout, columns=columns)
                continue
            store = _opened(path, model, layout, columns, stack)
            for recording in store:
                yield str(path / recording.name), recording
            for item in store.meta.get("quarantined", ()):  # a folder's files that could not be read
                skipped.add(f"{path / item['source']}: {item['reason']}")


def _opened(path: Path, model: Layout, layout: Layout | None, columns: str | None, stack: ExitStack) -> Store:
    """A store, or the files of a folder as one; with the model's layout if they tell none."""
    from hitrs.data.inspection.inspect import opened

    if columns is not None:
        layout = layout or model
    try:
        return stack.enter_context(opened(path, layout, columns=columns))
    except DataError as error:
        if layout is None:
            try:
                return stack.enter_context(opened(path, model))
            except DataError:
                raise error from None
        raise
