"""``hitrs convert``: stores as Parquet, models as checkpoints of the authors' code; and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import print_line, progress_bar
from hitrs.cli.options import Name
from hitrs.errors import ConfigError


def run(
    source: Annotated[Positional[str], arg(metavar="IN")],
    out: Annotated[Positional[Path], arg(metavar="OUT")],
    *,
    heads: Annotated[int | None, arg(metavar="INT")] = None,
    layout: Name = None,
    classes: Annotated[Path | None, arg(metavar="FILE")] = None,
) -> None:
    """Turn a store into a .parquet file, a model directory into an authors' checkpoint (.pth), or back.

    A Parquet file, of which a row is a recording, is for pandas, DuckDB and others (docs/data.md); the way
    back is exact, and also takes files that other programs wrote. Nothing in a checkpoint is executed; the
    model runs in the paper's mode, where zeros are ordinary input.

    Args:
        source: a store or a .parquet file; a .pth file; or a model directory, the run that made it, or
            `hub://OWNER/NAME`.
        out: what to write, of the other kind: its name ends in .parquet or .pth, or it is a store or a model
            directory.
        heads: attention heads of the checkpoint, needed to read it: the weights do not tell (the paper's
            model has 8).
        layout: the joints' layout, of a Parquet file that does not say it; of a checkpoint ntu25 for 25
            joints with 3 coordinates if left out.
        classes: of a checkpoint, text file with one class name a line, in the order of the scores; default
            A001, A002, ...
    """
    if out.exists():
        raise ConfigError(f"{out} exists already; choose another place")
    from hitrs.data.parquet import SUFFIX

    kinds = (Path(source).suffix.lower(), out.suffix.lower())
    if SUFFIX in kinds:
        if kinds == (SUFFIX, SUFFIX):
            raise ConfigError(f"{source} is a Parquet file already; name a store to be made of it")
        given = {"heads": heads, "classes": classes, "layout": layout if kinds[1] == SUFFIX else None}
        if unfit := [name for name, value in given.items() if value is not None]:
            raise ConfigError(f"--{unfit[0]} does not apply to stores that become Parquet files, or back")
        lines = _parquet(Path(source), out, layout)
    else:
        from hitrs.tasks.authors_files import read_authors, write_authors

        if kinds[1] in (".pth", ".pt"):
            lines = write_authors(source, out)
        else:
            lines = read_authors(Path(source), out, heads, layout, classes)
    for line in lines:
        print_line(line)


def _parquet(source: Path, out: Path, layout: str | None) -> list[str]:
    from hitrs.data.parquet import SUFFIX, read_parquet, write_parquet
    from hitrs.data.store import Store

    with progress_bar("converting") as bar:
        task = bar.task_ids[0]

        def show(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        if out.suffix.lower() == SUFFIX:
            store = Store.open(source)
            write_parquet(store, out, show)
        else:
            store = read_parquet(source, out, layout=layout, progress=show)
    lines = [f"note        {note}" for note in store.meta.get("notes", ()) if out == store.path]
    return [
        *lines,
        f"content     {store.fingerprint[:12]}",
        f"recordings  {len(store)}",
        f"written     {out}",
    ]
