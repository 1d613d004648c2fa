"""The log of a run: one JSON object a line, and TensorBoard where it is installed."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any


class MetricsLog:
    """Appends to ``metrics.jsonl``; what a resumed run will write again is cut off first."""

    def __init__(self, folder: Path, first_step: int):
        self.path = folder / "metrics.jsonl"
        rows = [row for row in read_metrics(self.path) if row["step"] <= first_step]
        self.path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self._board = _tensorboard(folder / "tensorboard", first_step)

    def write(self, row: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        if self._board is not None:
            for key, value in row.items():
                if key != "step":
                    self._board.add_scalar(key, value, row["step"])

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of a metrics file; a last line that a kill cut short is left out."""
    if not path.is_file():
        return []
    lines = path.read_text().split("\n")
    complete, rest = lines[:-1], lines[-1]
    del rest  # without its line break the last line was not finished
    return [json.loads(line) for line in complete if line]


def _tensorboard(folder: Path, first_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an extra: pip install hitrs[tensorboard]
        return None
    return SummaryWriter(str(folder), purge_step=first_step + 1)


class Averages:
    """Running means of metrics since they were last taken."""

    def __init__(self) -> None:
        self._sum: dict[str, float] = defaultdict(float)
        self._count: dict[str, int] = defaultdict(int)

    def add(self, metrics: dict[str, Any]) -> None:
        for key, value in metrics.items():
            self._sum[key] += float(value)
            self._count[key] += 1

    def take(self) -> dict[str, float]:
        means = {key: self._sum[key] / self._count[key] for key in self._sum}
        self._sum.clear()
        self._count.clear()
        return means
