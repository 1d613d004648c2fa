"""``hitrs import``: files in, a store out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from hitrs.cli.console import say
from hitrs.cli.options import Name, Size
from hitrs.data.catalog import import_dataset, summarize_import
from hitrs.data.files import atomic_folder
from hitrs.data.store import Store, check_destination
from hitrs.data.synthetic import make_synthetic
from hitrs.errors import ConfigError

SYNTHETIC = "synthetic"


def run(
    src: Annotated[Positional[str], arg(metavar="SRC")],
    dst: Annotated[Positional[Path], arg(metavar="DST")],
    *,
    dataset: Annotated[
        Literal["nw-ucla", "utd-mhad", "folder"] | None, arg(metavar="{nw-ucla,utd-mhad,folder}")
    ] = None,
    layout: Name = None,
    test_subjects: Annotated[tuple[str, ...] | None, arg(metavar="NAME [NAME ...]")] = None,
    split: Annotated[Literal["random"] | None, arg(metavar="{random}")] = None,
    skip_unreadable: bool = False,
    size: Annotated[Size | None, arg(metavar="{tiny,small,default,large}")] = None,
    untrimmed: bool = False,
    seed: Annotated[int | None, arg(metavar="INT")] = None,
    overwrite: bool = False,
) -> None:
    """Read a folder of recordings into a store: one memory-mapped folder that all other commands read.

    Args:
        src: folder of a public data set or of your own npz and CSV files; or the word `synthetic` for
            made-up motion.
        dst: the store to write.
        dataset: what the folder holds; found by its files if left out.
        layout: joint layout of your own files, a name or a layout file, where they do not say it themselves.
        test_subjects: your own files: subjects that test; about 28% of them if left out.
        split: your own files: `random` splits by file instead of by subject.
        skip_unreadable: leave out files that cannot be read, and list them.
        size: synthetic: how many recordings (`default` if left out).
        untrimmed: synthetic: several actions in a recording, with labeled segments.
        seed: synthetic: of everything random (0 if left out).
        overwrite: replace an existing store.
    """
    own = {"--dataset": dataset, "--layout": layout, "--test-subjects": test_subjects, "--split": split}
    made_up = {"--size": size, "--untrimmed": untrimmed or None, "--seed": seed}
    unfit = own | {"--skip-unreadable": skip_unreadable or None} if src == SYNTHETIC else made_up
    wrong = [name for name, value in unfit.items() if value is not None]
    if wrong:
        kind = "synthetic data" if src == SYNTHETIC else "data from files"
        raise ConfigError(f"{wrong[0]} does not apply to {kind}")
    if src == SYNTHETIC:
        check_destination(dst, overwrite)
        with atomic_folder(dst) as part:
            part.rmdir()  # a store is only written where nothing is
            make_synthetic(part, size=size or "default", untrimmed=untrimmed, seed=seed or 0)
        store = Store.open(dst)
    else:
        store = import_dataset(
            src,
            dst,
            dataset=dataset,
            layout=layout,
            test_subjects=test_subjects,
            split=split,
            skip_unreadable=skip_unreadable,
            overwrite=overwrite,
        )
    for line in summarize_import(store).lines():
        say(line)
