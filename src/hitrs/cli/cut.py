"""``hitrs cut``: long recordings into short ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import print_line, progress_bar
from hitrs.cli.options import DtypeOption


def run(
    src: Annotated[Positional[Path], arg(metavar="SRC")],
    dst: Annotated[Positional[Path], arg(metavar="DST")],
    *,
    seconds: Annotated[float | None, arg(metavar="S")] = None,
    dtype: DtypeOption = None,
    overwrite: bool = False,
) -> None:
    """Make a store of the pieces of a store's recordings: their labeled segments, or windows.

    A piece stays in the part of each protocol that its recording is in.

    Args:
        src: a store that `hitrs import` made.
        dst: the store to write.
        seconds: cut windows of this length, which overlap by half, instead of the labeled segments.
        dtype: how positions are stored, as they are or rounded in half the bytes (docs/data.md); as in SRC if
            left out.
        overwrite: replace an existing store.
    """
    from hitrs.data.cutting import cut_store

    with progress_bar("cutting") as bar:
        store = cut_store(
            src,
            dst,
            seconds=seconds,
            dtype=dtype,
            overwrite=overwrite,
            progress=lambda done, of: bar.update(bar.task_ids[0], completed=done, total=of),
        )
    print_line(f"cut         {store.meta['cut']}")
    print_line(f"recordings  {len(store)}")
