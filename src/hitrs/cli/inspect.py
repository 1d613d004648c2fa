"""``hitrs inspect``: what is in a store, a folder or a file, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import print_json, print_line, progress_bar
from hitrs.cli.options import AsJson, Columns, Name
from hitrs.errors import ConfigError


def run(
    source: Annotated[Positional[Path], arg(metavar="SOURCE")],
    *,
    as_json: AsJson = False,
    html: Annotated[Path | None, arg(metavar="FILE")] = None,
    layout: Name = None,
    format: Name = None,
    columns: Columns = None,
    at_most: int | None = None,
) -> None:
    """Look at every recording; lines that begin with ! need attention.

    Args:
        source: a store that `hitrs import` made; or a folder of files or a single file, which is read into a
            temporary store first.
        as_json: print everything as JSON, with the names of all recordings concerned.
        html: write a page with pictures to this file too.
        layout: joint layout of files that do not say it themselves, a name or a layout file.
        format: format of files that cannot be found by content.
        columns: of tables without a header, what their columns are, as x,y,z (docs/data.md).
        at_most: of a larger store so many recordings are looked into, evenly spread; by default 100,000.
    """
    from hitrs.data.inspection.inspect import AT_MOST, inspect_store, opened
    from hitrs.skeleton import get_layout

    if html is not None and html.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"cannot write the page to {html}: it is an .html file.")
    with opened(source, None if layout is None else get_layout(layout), format, columns) as store:
        with progress_bar("inspecting") as bar:
            task = bar.task_ids[0]
            most = AT_MOST if at_most is None else at_most
            bar.update(task, total=min(len(store), most))
            inspection = inspect_store(store, lambda done: bar.update(task, completed=done), most)
        if html is not None:
            from hitrs.viz.inspection import write_inspection  # here, as matplotlib takes a second to import

            write_inspection(store, inspection, html)
    if as_json:
        print_json(inspection.to_dict())
        return
    for line in inspection.lines():
        print_line(line)
    if html is not None:
        print_line(f"  page          {html}")
