"""``hitrs import``: files in, a store out."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from hitrs.cli.console import frames_progress, print_line, progress_bar
from hitrs.cli.options import HERE, Columns, DtypeOption, EngineOptions, Name, Size
from hitrs.cli.signals import telling
from hitrs.errors import ConfigError
from hitrs.files import atomic_folder

if TYPE_CHECKING:
    from rich.progress import Progress


SYNTHETIC = "synthetic"
_FEW_FILES = 200
"""So many files are read in less time than other processes take to start."""


def run(
    src: Annotated[Positional[str], arg(metavar="SRC")],
    dst: Annotated[Positional[Path], arg(metavar="DST")],
    *,
    dataset: Name = None,
    layout: Name = None,
    format: Name = None,
    columns: Columns = None,
    pose: Name = None,
    to: Name = None,
    test_subjects: Annotated[tuple[str, ...] | None, arg(metavar="NAME [NAME ...]")] = None,
    split: Annotated[Literal["random"] | None, arg(metavar="{random}")] = None,
    keep_lost: bool = False,
    dtype: DtypeOption = None,
    strict: bool = False,
    workers: Annotated[int | None, arg(metavar="N")] = None,
    part: Annotated[str | None, arg(metavar="K/N")] = None,
    where: EngineOptions = HERE,
    max_memory: Annotated[float | None, arg(metavar="GIB")] = None,
    size: Annotated[Size | None, arg(metavar="{tiny,small,default,large}")] = None,
    untrimmed: bool = False,
    seed: Annotated[int | None, arg(metavar="INT")] = None,
    overwrite: bool = False,
) -> None:
    """Read a folder of recordings into a store: one memory-mapped folder that all other commands read.

    Files that cannot be read are left out and listed. An import that was interrupted goes on when the same
    command is given again.

    Args:
        src: folder of a public data set or of your own files; or the word `synthetic` for synthetic motion.
        dst: the store to write.
        dataset: what the folder holds (`hitrs data list`, or `folder`); found by its files if left out.
        layout: joint layout of your own files, a name or a layout file, where they do not say it themselves.
        format: file format of your own files, where it cannot be found by content.
        columns: of tables without a header, what their columns are, as x,y,z or frame,joint,x,y,z,confidence
            (docs/data.md); LAYOUT says how many joints there are.
        pose: estimator that looks at videos (docs/video.md); MediaPipe's if left out.
        to: layout to which all recordings are mapped.
        test_subjects: your own files: subjects that test; about 28% of them if left out.
        split: your own files: `random` splits by file instead of by subject.
        keep_lost: leave joints as they are that the tracker had lost but the files hold coordinates for: most
            of a body at one point, at zero, or stuck. Otherwise they count as not seen.
        dtype: how positions are stored: float32 as they are (if left out), or int16 in half the bytes,
            rounded by a small part of a millimeter (docs/data.md).
        strict: stop at the first file that cannot be read.
        workers: processes that read; all cores if left out.
        max_memory: GiB that a process may take for one file (4 if left out); larger files are left out.
        part: read only part K of N, on one of N machines that share DST; then finish without this option.
        where: where files are read.
        size: synthetic: how many recordings (`default` if left out).
        untrimmed: synthetic: several actions in a recording, with labeled segments.
        seed: synthetic: of everything random (0 if left out).
        overwrite: replace an existing store.
    """
    from hitrs.data.importing import ImportJob, ImportOptions, summarize_import
    from hitrs.data.store import Store, check_destination
    from hitrs.data.synthetic import make_synthetic

    own: dict[str, Any] = {
        "dataset": dataset, "layout": layout, "format": format, "columns": columns, "pose": pose,
        "to": to, "test_subjects": test_subjects, "split": split,
    }  # fmt: skip
    files = {
        **own,
        "keep_lost": keep_lost or None,
        "strict": strict or None,
        "workers": workers,
        "part": part,
        "max_memory": max_memory,
        "engine": where.engine if where != HERE else None,
    }
    synthetic = {"size": size, "untrimmed": untrimmed or None, "seed": seed}
    unfit = files if src == SYNTHETIC else synthetic
    wrong = [name for name, value in unfit.items() if value is not None]
    if wrong:
        kind = "synthetic data" if src == SYNTHETIC else "data from files"
        raise ConfigError(f"--{wrong[0].replace('_', '-')} does not apply to {kind}")
    stored = dtype or "float32"
    if src == SYNTHETIC:
        check_destination(dst, overwrite)
        with atomic_folder(dst) as folder:
            folder.rmdir()  # a store is only written where nothing is
            make_synthetic(folder, size=size or "default", untrimmed=untrimmed, seed=seed or 0, dtype=stored)
            check_destination(dst, overwrite)  # another process may have been faster
        store = Store.open(dst)
    else:
        share = _part(part)
        if workers is not None and workers < 1:
            raise ConfigError(f"--workers is {workers}, expected 1 or more")
        memory = None if max_memory is None else int(max_memory * (1 << 30))
        options = ImportOptions(
            **own,
            keep_lost=keep_lost,
            dtype=stored,
            strict=strict,
            max_memory=memory,
            overwrite=overwrite,
        )
        job = ImportJob(src, dst, options)
        if where.engine == "local":
            workers = workers or _workers(job.n_files)
        with telling(f"stopped; what was read is kept in {job.folder}, the same command goes on"):
            with where.open(workers) as engine, progress_bar("reading") as bar, frames_progress(bar):
                job.run(part=share, progress=lambda done, of: _show(bar, done, of), engine=engine)
            if share is not None:
                print_line(
                    f"part {part} is done; when all are, `hitrs import {src} {dst}` without --part finishes"
                )
                return
            store = job.finish()
    for line in summarize_import(store).lines():
        print_line(line)


def _workers(files: int) -> int:
    return 1 if files < _FEW_FILES else len(os.sched_getaffinity(0)) if _HAS_AFFINITY else os.cpu_count() or 1


_HAS_AFFINITY = hasattr(os, "sched_getaffinity")  # not on macOS and Windows


def _part(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    k, n = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= k <= n:
        raise ConfigError(f"--part is '{text}', expected K/N with K from 1 to N, for example 1/4")
    return k, n


def _show(bar: Progress, done: int, of: int) -> None:
    bar.update(bar.task_ids[0], completed=done, total=of)
