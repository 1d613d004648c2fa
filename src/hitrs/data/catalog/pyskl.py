"""A pyskl or MMAction2 skeleton file with its splits; many data sets are passed on like this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from hitrs.data.catalog.dataset import Dataset, Entry, Facts, SourceFile, Splits
from hitrs.data.formats.format import Head
from hitrs.data.formats.pyskl import FORMAT, annotation_layout, load_annotations, read_pyskl
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton.layout import Layout

NAME = "pyskl"
_TEST = ("val", "test")


def find(source: Path) -> Dataset | None:
    """The only pickle of this form in ``source``, or None. It is read as a whole to know its layout."""
    files = [path for path in sorted(source.iterdir()) if path.suffix.lower() in FORMAT.suffixes]
    if len(files) != 1 or not FORMAT.matches(Head.of(files[0])):
        return None
    content = load_annotations(files[0])
    if not content["annotations"]:
        raise DataError(f"{files[0]} holds no annotation.")
    layout = annotation_layout(files[0], 0, content["annotations"][0])
    lists = {str(name): frozenset(map(str, members)) for name, members in content["split"].items()}
    return Dataset(
        name=NAME,
        layout=layout,
        classes=None,
        sources=[SourceFile(files[0], partial(_read, source, files[0], layout))],
        split=partial(split, lists=lists),
        meta={"title": files[0].stem},
    )


def split(facts: Sequence[Facts], lists: Mapping[str, frozenset[str]]) -> tuple[Splits, list[str]]:
    """Protocols of lists of names: xsub_train and xsub_val make "xsub"; train and val make "train-test"."""
    splits: dict[str, list[str | None]] = {}
    used = set()
    for name, train in lists.items():
        stem = name.removesuffix("train")
        partner = next((stem + test for test in _TEST if stem + test in lists), None)
        if not name.endswith("train") or partner is None:
            continue
        used |= {name, partner}
        splits[stem.rstrip("_-") or "train-test"] = [
            "train" if each.name in train else "test" if each.name in lists[partner] else None
            for each in facts
        ]
    rest = sorted(set(lists) - used)
    return splits, [f"the lists {', '.join(rest)} make no pair of train and test"] if rest else []


def _read(source: Path, path: Path, layout: Layout) -> Iterable[Recording]:
    for recording in read_pyskl(path, layout):
        yield replace(recording, source=path.relative_to(source).as_posix())


ENTRY = Entry(
    name=NAME,
    title="a pyskl or MMAction2 skeleton file",
    about="all sequences of a data set in one pickle, with splits; 2-D or 3-D joints; classes are numbers",
    terms="those of the data set that it was made from",
    where="the authors of pyskl and MMAction2, or a file of your own in this form",
    files="one .pkl in the folder",
    protocols={"NAME": "the lists NAME_train and NAME_val (or NAME_test) of the file"},
    find=find,
)
