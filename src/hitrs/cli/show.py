"""``hitrs show``: recordings, and what a model says of them, as a page to play, turn, compare and search."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import Skipped, frames_progress, print_line, progress_bar
from hitrs.cli.inputs import opened_store
from hitrs.cli.options import AS_FILES_SAY, Name, Names, Reading, ReadingOptions
from hitrs.cli.signals import ended_by_signals
from hitrs.errors import ConfigError, DataError, counted, did_you_mean

if TYPE_CHECKING:
    from hitrs.data.store import Store
    from hitrs.viz.show import Gallery


def run(
    sources: Annotated[
        Positional[tuple[Path, ...]], arg(metavar="SOURCE [SOURCE ...]", help_behavior_hint="(required)")
    ],
    *,
    out: Annotated[Path | None, arg(metavar="FILE")] = None,
    model: Annotated[str | None, arg(metavar="MODEL")] = None,
    recordings: Names = (),
    most: int = 200,
    store: Annotated[Path | None, arg(metavar="STORE")] = None,
    protocol: Name = None,
    reading: ReadingOptions = AS_FILES_SAY,
) -> None:
    """Recordings as a page in which they are played, turned, compared and searched.

    With --out it is one HTML file that holds all it shows and needs no network; else it is served to the
    browser of this machine until Ctrl-C, however many recordings there are.

    Recordings that cannot be used are named at the end, and the exit code is then 1.

    Args:
        sources: files of any format that `hitrs import` reads, also videos, folders of them, or stores; or
            one run (or model directory): its test part, the most confident wrong answers first.
        out: write the page to this .html file.
        model: also what this model says of them: classes with their probabilities, segments that were found
            beside those that were labeled, or the frames that come next.
        recordings: show the recordings of these names only.
        most: recordings that the file holds at most.
        store: of a run: the store to test on; the one that it was trained on if left out.
        protocol: of a run: whose test part; that of the run, or the store's first, if left out.
        reading: how files are read.
    """
    if not sources:
        raise ConfigError("name at least one file, folder, store or run to show")
    if most < 1:
        raise ConfigError(f"--most must be at least 1, got {most}")
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"cannot write the page to {out}: it is an .html file")
    from hitrs.data.video.estimator import pose_estimator

    skipped = Skipped()
    runs = [source for source in sources if _is_model(source)]
    if not runs and (store is not None or protocol is not None):
        raise ConfigError("--store and --protocol tell what a run is tested on, but no run is to be shown")
    with ExitStack() as stack, pose_estimator(reading.pose):
        if runs:
            if len(sources) > 1 or model is not None:
                raise ConfigError(f"{runs[0]} is a run or model: show it alone, or name it with --model")
            gallery = _of_run(runs[0], store, protocol, recordings, reading, skipped)
        else:
            gallery = _of_recordings(sources, model, recordings, reading, skipped, stack)
        named = recordings or not any(source.is_dir() for source in sources)
        beside = len(gallery) if named else 1
        if out is None:
            _serve(gallery, beside)
        else:
            _write(gallery, out, most, beside, skipped, told=bool(runs))
    skipped.raise_if_any(len(gallery))


def _of_recordings(
    sources: Sequence[Path],
    model: str | None,
    recordings: Sequence[str],
    reading: Reading,
    skipped: Skipped,
    stack: ExitStack,
) -> Gallery:
    """What files, folders and stores hold, opened until the stack is closed."""
    from hitrs.skeleton.layout import get_layout
    from hitrs.tasks.base import load_answering
    from hitrs.viz.show import Gallery

    loaded = None if model is None else load_answering(model)
    want = None if loaded is None else loaded[1].card.layout
    stores, layout = [], get_layout(reading.layout) if reading.layout else None
    with progress_bar("reading") as bar, frames_progress(bar):
        for source in sources:
            with skipped.one():
                opened = opened_store(source, want, layout, reading.columns, stack)
                for item in opened.meta.get("quarantined", ()):
                    skipped.add(f"{source / item['source']}: {item['reason']}")
                stores.append(opened)
    if not stores:
        skipped.raise_if_any(0)
    others = f" and {counted(len(sources) - 1, 'other')}" if len(sources) > 1 else ""
    title = f"{_short(sources[0])}{others}"
    replier = None
    about = []
    if loaded is not None:
        task, net = loaded
        replier = task.replies(net, as_is=reading.as_is)
        about.append(f"with the answers of {model}, a model for {task.name}")
    return Gallery(title, _chosen(stores, recordings), about=about, replier=replier, rate=reading.fps)


def _of_run(
    run: Path,
    store: Path | None,
    protocol: str | None,
    recordings: Sequence[str],
    reading: Reading,
    skipped: Skipped,
) -> Gallery:
    """The test part of a run, answered, with the errors first."""
    from hitrs.config import run_of
    from hitrs.data.protocol import protocol_split
    from hitrs.data.store import Store
    from hitrs.tasks.base import load_answering
    from hitrs.viz.show import Gallery

    task, model = load_answering(str(run))
    record = run_of(run)
    tested = store or record.get("store")
    if not isinstance(tested, str | Path):
        raise ConfigError(f"{run} does not say which store it was trained on; name one with --store")
    data = Store.open(tested)
    known = data.fingerprint == record.get("data")
    usable = task.usable(data)
    protocol = protocol or (record.get("protocol") if known else None)
    if protocol or data.protocols:
        split = protocol_split(data, protocol, usable)
        test, part = split.test, f"the test part of {split.protocol} of {tested}"
    else:
        test, part = usable.nonzero()[0], f"all of {tested}, which has no protocol"
    about = [f"a model for {task.name} on {part}, {counted(len(test), 'recording')}"]
    if record.get("data") and not known:
        about.append(f"{tested} has changed since the run, or is another store")
    parts = _chosen([data], recordings, within=test.tolist()) if recordings else [(data, test)]
    gallery = Gallery(
        _short(run), parts, about=about, replier=task.replies(model, as_is=reading.as_is), rate=reading.fps
    )
    with progress_bar("answering") as bar:
        bar.update(bar.task_ids[0], total=len(gallery))
        for reason in gallery.ask(lambda done: bar.update(bar.task_ids[0], completed=done)):
            skipped.add(reason)
    return gallery


def _short(path: Path) -> str:
    """What a page is called."""
    return path.name or str(path.resolve())


def _is_model(path: Path) -> bool:
    """Whether a folder is a run or a model directory, finished or not."""
    names = ("model.safetensors", "model/config.json", "run.json", "checkpoints")
    return not (path / "store.json").exists() and any((path / name).exists() for name in names)


def _chosen(
    stores: Sequence[Store], names: Sequence[str], within: Sequence[int] | None = None
) -> list[tuple[Store, Sequence[int]]]:
    """Stores with the indices of the recordings to show: all, or those of some names, in their order."""
    if not names:
        return [(store, range(len(store))) for store in stores]
    found: dict[str, list[tuple[Store, int]]] = {}
    for store in stores:
        for index in range(len(store)) if within is None else within:
            found.setdefault(store.name(int(index)), []).append((store, int(index)))
    for name in names:
        if name not in found:
            hint = did_you_mean(name, found)
            raise DataError(f"there is no recording '{name}' among the {len(found):,} there are{hint}")
    return [(store, [index]) for name in dict.fromkeys(names) for store, index in found[name]]


def _write(gallery: Gallery, out: Path, most: int, beside: int, skipped: Skipped, *, told: bool) -> None:
    """Write the page; ``told``: what the model cannot use was said before."""
    from hitrs.viz.show import write_page

    with progress_bar("drawing") as bar:
        held = write_page(
            gallery,
            out,
            most=most,
            beside=beside,
            tell=(lambda reason: None) if told else skipped.add,
            progress=lambda done, of: bar.update(bar.task_ids[0], completed=done, total=of),
        )
    of = "" if held == len(gallery) else f" of {len(gallery):,}"
    print_line(f"recordings  {held:,}{of}")
    for line in gallery.about:
        print_line(f"note        {line}")
    print_line(f"page        {out}, {out.stat().st_size / 1e6:.1f} MB")


def _serve(gallery: Gallery, beside: int) -> None:
    """Serve the page until Ctrl-C or SIGTERM."""
    from hitrs.viz.show import Server

    with Server(gallery, beside) as server, ended_by_signals():
        print_line(f"recordings  {len(gallery):,}")
        print_line(f"page        {server.url}")
        print_line("open it in the browser of this machine; Ctrl-C ends it")
        server.run()
