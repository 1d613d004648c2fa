"""Cutting a store into shorter recordings: its labeled segments, or windows of equal length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from hitrs.data.encoding import Dtype
from hitrs.data.recording import Recording
from hitrs.data.store import Store, check_destination, write_store
from hitrs.data.writer import PARTS
from hitrs.errors import ConfigError, DataError


def cut_segments(recording: Recording) -> Iterator[Recording]:
    """Every labeled segment of a recording as a recording of its own with that label.

    >>> [piece.label for piece in cut_segments(session)]
    ['wave', 'sit down', 'wave']
    """
    for segment in recording.segments:
        yield _piece(recording, segment.start, segment.stop, segment.label)


def cut_windows(recording: Recording, seconds: float) -> Iterator[Recording]:
    """Windows of a recording that overlap by half, each with its label; a shorter recording stays whole.

    Segments stay with the windows that hold them whole.

    Raises:
        DataError: if its frame rate is unknown.
    """
    if recording.fps is None:
        raise DataError(
            f"the frame rate of '{recording.name}' is unknown, so it cannot be cut by seconds. Give the rate "
            "when you import (column fps of labels.csv)."
        )
    length = max(1, round(seconds * recording.fps))
    last = max(0, recording.n_frames - length)
    for start in [*range(0, last, max(1, length // 2)), last]:
        yield _piece(recording, start, min(start + length, recording.n_frames), recording.label)


def cut_store(
    src: str | Path,
    dst: str | Path,
    *,
    seconds: float | None = None,
    dtype: Dtype | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Store:
    """Write the pieces of a store's recordings to a new store and open it.

    A piece is in the same part of each protocol as the recording it comes from, so that training and test do
    not share one.

    >>> cut_store("stores/sessions", "stores/actions")  # their labeled segments
    >>> cut_store("stores/mocap", "stores/windows", seconds=3)

    Args:
        seconds: length of windows that overlap by half; None: the labeled segments.
        dtype: how positions are stored, "float32" or "int16"; None: as in the source.
        progress: is called with the recordings done, and their number.
    Raises:
        ConfigError: if the length is not positive.
        DataError: if the source is no store or has no segments, the destination is not free, a frame rate is
            unknown, or writing fails. Nothing is left behind then.
    """
    if seconds is not None and not 0 < seconds < float("inf"):
        raise ConfigError(f"windows must be longer than 0 seconds, got {seconds:g}")
    store, target = Store.open(src), Path(dst)
    check_destination(target, overwrite)
    if seconds is None and not int(store.segment_counts.sum()):
        raise DataError(
            f"no recording of {store.path} has labeled segments; to cut it into windows name their length "
            "(--seconds 3)"
        )
    part_of = {
        protocol: {int(index): part for part in PARTS for index in store.split(protocol, part)}
        for protocol in store.protocols
    }
    origin: dict[str, int] = {}  # piece -> recording

    def pieces() -> Iterator[Recording]:
        for index, recording in enumerate(store):
            for piece in cut_segments(recording) if seconds is None else cut_windows(recording, seconds):
                origin[piece.name] = index
                yield piece
            progress(index + 1, len(store))

    def part(protocol: str) -> Callable[[Recording], str | None]:
        return lambda piece: part_of[protocol].get(origin[piece.name])

    how = "labeled segments" if seconds is None else f"windows of {seconds:g} s"
    return write_store(
        target,
        pieces(),
        layout=store.layout,
        classes=None if seconds is None else store.classes,
        protocols={protocol: part(protocol) for protocol in store.protocols},
        meta={**store.meta, "cut": how},
        dtype=dtype or store.dtype,
        overwrite=overwrite,
    )


def _piece(recording: Recording, start: int, stop: int, label: str | None) -> Recording:
    """Frames [start, stop) as a recording, named after them."""
    inside = tuple(
        replace(segment, start=segment.start - start, stop=segment.stop - start)
        for segment in recording.segments
        if label is None and start <= segment.start and segment.stop <= stop
    )
    facts = {**recording.metadata(), "name": f"{recording.name}@{start}-{stop}", "label": label}
    return Recording(
        recording.positions[start:stop],
        recording.valid[start:stop],
        recording.layout,
        segments=inside,
        **facts,
    )
