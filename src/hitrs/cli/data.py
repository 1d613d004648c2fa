"""``hitrs data``: which data sets there are, and fetching those that are free to fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from tyro.conf import Positional, arg

from hitrs.cli.console import print_line
from hitrs.data.catalog import folder as folder_of_files
from hitrs.data.catalog.dataset import Entry, content_sha256
from hitrs.data.catalog.registry import all_entries, get_entry
from hitrs.data.download import fetch, unpack
from hitrs.errors import ConfigError, DataError


def run(
    action: Annotated[Positional[Literal["list", "fetch"]], arg(metavar="list|fetch")],
    name: Annotated[Positional[str | None], arg(metavar="NAME")] = None,
    folder: Annotated[Positional[Path | None], arg(metavar="FOLDER")] = None,
) -> None:
    """List the data sets that `hitrs import` knows, or fetch one whose license allows it.

    Args:
        action: `list` tells for each data set (or the one named) what it is, its terms, where to get it, how
            to lay it out, and its protocols; `fetch` downloads the one named.
        name: of the data set.
        folder: fetch: where to put it.
    """
    if action == "list":
        if folder is not None:
            raise ConfigError("`hitrs data list` takes no folder")
        own = {folder_of_files.NAME: folder_of_files.ENTRY}
        if name is None:
            entries = [*all_entries().values(), *own.values()]
        else:
            entries = [own.get(name) or get_entry(name)]
        for entry in entries:
            for line in _lines(entry):
                print_line(line)
        return
    if name is None or folder is None:
        raise ConfigError("`hitrs data fetch` needs the name of a data set and a folder to put it in")
    _fetch(get_entry(name), folder)


def _lines(entry: Entry) -> list[str]:
    return [
        f"{entry.name}: {entry.title}",
        f"  what        {entry.about}",
        f"  terms       {entry.terms}",
        f"  where       {entry.where}",
        f"  layout      {entry.files}",
        *(f"  protocol    {name}: {about}" for name, about in entry.protocols.items()),
        "",
    ]


def _fetch(entry: Entry, folder: Path) -> None:
    if entry.download is None:
        raise DataError(
            f"{entry.name} has no open direct link. Its terms: {entry.terms}. Where to get it: {entry.where}."
        )
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty; name a new folder.")
    archive = folder.with_name(f"{folder.name}.zip")
    columns = (TextColumn("fetching"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("", total=None)
        digest = fetch(
            entry.download.url,
            archive,
            entry.download.sha256,
            lambda done, of: bar.update(task, completed=done, total=of),
        )
    unpack(archive, folder)
    found = entry.find(folder)
    if found is None:
        raise DataError(
            f"{folder} holds no files of {entry.name}; the archive at {entry.download.url} has changed."
        )
    if entry.download.content is not None and content_sha256(found) != entry.download.content:
        raise DataError(
            f"the files in {folder} are not those of {entry.name} that hitrs knows, by their SHA-256; do not "
            f"use them for figures that are compared. The archive is kept: {archive}"
        )
    archive.unlink()
    checked = ""
    if entry.download.content is not None:
        checked = " (of the archive; the files in it are the expected ones)"
    elif entry.download.sha256 is None:
        checked = " (its owners state none to compare)"
    print_line(f"license     {entry.download.license}")
    print_line(f"sha256      {digest}{checked}")
    print_line(f"next        hitrs import {folder} {folder}.store")
