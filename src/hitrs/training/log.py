"""The log of a run: one JSON object a line, and TensorBoard where it is installed."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from hitrs.errors import DataError, TrainingError
from hitrs.files import atomic_file


class MetricsLog:
    """Appends to ``metrics.jsonl``; what a resumed run will write again is cut off first.

    Raises:
        TrainingError: if the file cannot be written, for example on a full disk.
    """

    def __init__(self, folder: Path, first_step: int):
        self.path = folder / "metrics.jsonl"
        rows = [row for row in read_metrics(self.path) if row["step"] <= first_step]
        try:
            with atomic_file(self.path) as part:
                part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        except (OSError, DataError) as error:
            raise self._unwritable(error) from error
        self._first_step = first_step
        self._board: Any = None
        self._excepthook = threading.excepthook

    def _unwritable(self, error: Exception) -> TrainingError:
        return TrainingError(f"could not write {self.path}: {error}; free some space and go on with --resume")

    def write(self, row: dict[str, Any]) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            if self._board is not None:
                for key, value in row.items():
                    if key != "step":
                        self._board.add_scalar(key, value, row["step"])
        except OSError as error:
            raise self._unwritable(error) from error

    def __enter__(self) -> MetricsLog:
        threading.excepthook = self._told_later
        try:
            self._board = _tensorboard(self.path.parent / "tensorboard", self._first_step)
        except OSError as error:
            threading.excepthook = self._excepthook
            raise self._unwritable(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            with suppress(OSError):  # that the disk is full is told by what matters more, the checkpoint
                self._board.close()
        threading.excepthook = self._excepthook

    def _told_later(self, failure: threading.ExceptHookArgs) -> None:
        """TensorBoard's thread would print a traceback; its error is raised again where one writes next."""
        of_board = type(failure.thread).__module__.startswith("tensorboard.")
        if not (of_board and isinstance(failure.exc_value, OSError)):
            self._excepthook(failure)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of a metrics file; a last line that a kill cut short is left out.

    Raises:
        TrainingError: naming the line that is not a JSON object with a step.
    """
    if not path.is_file():
        return []
    rows = []
    complete = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]  # the rest is not finished
    for number, line in enumerate(complete, start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            raise TrainingError(f"{path}, line {number} is not a JSON object with a step; remove the line")
        rows.append(row)
    return rows


def _tensorboard(folder: Path, first_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an extra: pip install hitrs[tensorboard]
        return None
    return SummaryWriter(str(folder), purge_step=first_step + 1)


class Averages:
    """Running means of metrics since they were last taken; ``pending`` holds [sum, count] of each."""

    def __init__(self, pending: dict[str, list[float]] | None = None) -> None:
        self.pending = pending or {}

    def add(self, metrics: dict[str, Any]) -> None:
        for key, value in metrics.items():
            total, count = self.pending.get(key, (0.0, 0))
            self.pending[key] = [total + float(value), count + 1]

    def take(self) -> dict[str, float]:
        means = {key: total / count for key, (total, count) in self.pending.items()}
        self.pending = {}
        return means
