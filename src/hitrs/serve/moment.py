"""A moment that is kept: what was seen from one click to the next, with its label, for an import."""

from __future__ import annotations

import secrets
import shutil
import time
from datetime import datetime
from pathlib import Path

import numpy as np

from hitrs.data.formats.npz import write_npz
from hitrs.data.recording import Recording
from hitrs.data.video.rate import frame_times
from hitrs.errors import ConfigError, DataError
from hitrs.files import atomic_file, explained_writes, file_name
from hitrs.skeleton.layout import Layout

LONGEST = 600.0
"""Seconds of a moment."""
_MOST_FRAMES = 72_000
_MOST_LETTERS = 100
PICTURES = "pictures"
"""The folder of pictures in that of the moments."""


class Moments:
    """A folder of moments.

    >>> moment = Moments(Path("moments")).begin(layout)
    >>> moment.add(positions, valid, seconds=0.0)
    >>> moment.save("wave", subject="anna").name
    'wave-20260904-101500-3f2a.npz'

    Raises:
        WriteError: if the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with explained_writes(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def begin(self, layout: Layout, *, pictures: bool = False) -> Moment:
        """A moment that begins now.

        Args:
            pictures: keep them, too.
        """
        return Moment(self.folder, layout, pictures)


class Moment:
    """Frames so far; nothing is written before ``save`` but pictures, which ``discard`` removes."""

    def __init__(self, folder: Path, layout: Layout, pictures: bool) -> None:
        self._folder, self._layout, self._keep_pictures = folder, layout, pictures
        self._frames: list[tuple[np.ndarray, np.ndarray]] = []
        self._seconds: list[float | None] = []
        self._begun, self._stamp = time.monotonic(), f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        self._pictures = folder / PICTURES / f".{self._stamp}"

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def full(self) -> bool:
        """Whether it is as long as a moment may be."""
        return len(self._frames) >= _MOST_FRAMES or time.monotonic() - self._begun > LONGEST

    def add(
        self, positions: np.ndarray, valid: np.ndarray, seconds: float | None, picture: bytes | None = None
    ) -> None:
        """A frame: positions (P, J, C), valid (P, J), when, and the picture as it was sent.

        Raises:
            WriteError: if the picture cannot be written.
        """
        if picture is not None and self._keep_pictures:
            kind = "jpg" if picture[:2] == b"\xff\xd8" else "png" if picture[:4] == b"\x89PNG" else "webp"
            path = self._pictures / f"{len(self._frames):06}.{kind}"
            with atomic_file(path) as part, explained_writes(path):
                part.write_bytes(picture)
        self._frames.append((positions.astype(np.float32), valid))
        self._seconds.append(seconds)

    def save(self, label: str, subject: str = "") -> Path:
        """Write it; the file.

        Args:
            label: the action; "": not labeled.
            subject: who moves; "": unknown.
        Raises:
            ConfigError: for a text that is too long.
            DataError: if nobody was seen.
            WriteError: if it cannot be written.
        """
        for what, text in (("label", label), ("subject", subject)):
            if not isinstance(text, str) or len(text) > _MOST_LETTERS:
                raise ConfigError(f"the {what} of a moment is a text of at most {_MOST_LETTERS} characters")
        if not any(valid.any() for _, valid in self._frames):
            raise DataError("nobody was seen in this moment, so there is nothing to keep")
        positions, valid = (np.stack(parts) for parts in zip(*self._frames, strict=True))
        fps: float | None = None
        notes: tuple[str, ...] = ()
        if None not in self._seconds:
            times = frame_times(np.array(self._seconds, np.float64), None)
            positions, valid = times.resampled(positions, valid)
            fps, notes = times.fps, times.notes
        name = file_name(f"{label.strip() or 'moment'}-{self._stamp}")
        recording = Recording(
            positions,
            valid,
            self._layout,
            name,
            fps=fps,
            label=label.strip() or None,
            subject=subject.strip() or None,
            notes=notes,
        )
        path = self._folder / f"{name}.npz"
        write_npz(recording, path)
        if self._pictures.is_dir():
            kept = self._folder / PICTURES / name
            with explained_writes(kept):
                self._pictures.rename(kept)
        return path

    def discard(self) -> None:
        """Keep nothing of it."""
        shutil.rmtree(self._pictures, ignore_errors=True)
