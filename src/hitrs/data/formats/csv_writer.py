"""Writing CSV: a row for each person in each frame, as ``csv_table`` reads it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from hitrs.data.files import atomic_file, explained_writes
from hitrs.data.recording import Recording

_AXES = "xyz"


def write_csv(recording: Recording, path: str | Path) -> None:
    """Write positions as columns ``<joint>_x``, ...; unseen joints are empty cells. Replaces a file.

    With a known frame rate there is a column ``time`` in seconds, with several persons a column ``person``.

    Raises:
        DataError: if the file cannot be written.
    """
    path, layout = Path(path), recording.layout
    several = recording.n_persons > 1
    head = ["frame", *(["time"] if recording.fps else []), *(["person"] if several else [])]
    head += [f"{joint}_{axis}" for joint in layout.joints for axis in _AXES[: layout.dims]]
    with (
        atomic_file(path) as part,
        explained_writes(path),
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        for frame in range(recording.n_frames):
            for person in range(recording.n_persons):
                row: list[object] = [frame]
                row += [f"{frame / recording.fps:.6f}"] if recording.fps else []
                row += [person] if several else []
                seen = np.repeat(recording.valid[frame, person], layout.dims)
                values = recording.positions[frame, person].ravel()
                row += [f"{value:.6g}" if known else "" for value, known in zip(values, seen, strict=True)]
                writer.writerow(row)
