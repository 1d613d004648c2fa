"""The result of a cell: one small JSON file with what was run, where it came from, and the figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hitrs.errors import DataError
from hitrs.experiments.plan import SHIPPED, Cell
from hitrs.files import read_json, write_json
from hitrs.tasks.base import Metrics

_STARTS = {"pretrain": "pre-trained on ", "finetune": "fine-tuned on ", SHIPPED: ""}
"""What a model is called after the cell that made it."""


@dataclass(frozen=True)
class SourceCell:
    """A cell that another one starts from or adds up."""

    cell: str
    """Its name."""
    do: str
    store: str
    """Several that it learned from together are joined by " + "."""
    stream: str

    @classmethod
    def of(cls, cell: Cell) -> SourceCell:
        stores = [cell.store, *(store for store, _ in cell.beside)]
        return cls(cell.name, cell.do, " + ".join(stores), cell.stream)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a finished cell leaves; the fields are the keys of the file (None: left out), see ``Cell``."""

    cell: str
    """Name of the cell."""
    do: str
    store: str
    protocol: str
    fold: int | str | None = None
    fold_group: str
    task: str | None = None
    """None of a pre-training."""
    stream: str
    source: SourceCell | None = None
    of: tuple[SourceCell, ...] = ()
    seen_as: str | None = None
    subjects: tuple[str, ...] = ()
    label_fraction: float = 1.0
    label_subset: int = 0
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Values of the configuration in which the cell differs from its plan, by dotted key."""
    label: str = ""
    steps: int | None = None
    """Of the optimizer."""
    labels: int | None = None
    """Training recordings whose labels were used."""
    last: Mapping[str, Any] | None = None
    """Last line of the log with a loss."""
    online_knn: Mapping[str, float] | None = None
    """pretrain: step -> accuracy of the online probe."""
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    """Method -> part of the test recordings -> figures."""
    seconds: float
    """Wall time of the run, with the earlier parts of one that was interrupted."""
    data: str
    """Fingerprint of the store."""
    version: str
    """Of hitrs."""
    commit: str | None = None
    """Of the source tree, if it was one."""
    machine: Mapping[str, Any]

    @property
    def start(self) -> str:
        """What the run started from, in words: "scratch", "pre-trained on nw_ucla", "general", or "-"."""
        if self.source is not None:
            return _STARTS[self.source.do] + self.source.store
        return "scratch" if self.do in ("pretrain", "finetune") else "-"

    @classmethod
    def of_cell(cls, cell: Cell, **outcome: Any) -> Result:
        """The result of a cell; ``outcome``: the fields that the plan does not know."""
        return cls(
            cell=cell.name,
            do=cell.do,
            store=cell.store,
            protocol=cell.protocol,
            fold=cell.fold,
            fold_group=cell.fold_group,
            task=None if cell.do == "pretrain" else cell.task,
            stream=cell.stream,
            source=SourceCell.of(cell.source) if cell.source else None,
            of=tuple(SourceCell.of(member) for member in cell.of),
            seen_as=cell.seen_as,
            subjects=cell.subjects,
            label_fraction=cell.label_fraction,
            label_subset=cell.label_subset,
            seed=cell.seed,
            settings=dict(cell.settings),
            label=cell.label,
            **outcome,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values by field, and ``start``."""
        values: dict[str, Any] = {}
        for key, value in dataclasses.asdict(self).items():
            if key == "source":
                values["start"] = self.start
            if value is not None:
                values[key] = value
        return values

    def write(self, path: Path) -> None:
        """Write the result as a JSON file.

        Raises:
            DataError: if it cannot be written.
        """
        write_json(path, self.to_dict())

    @classmethod
    def read(cls, path: Path) -> Result:
        """The result in a JSON file.

        Raises:
            DataError: if it is none.
        """
        try:
            values = read_json(path)
            values.pop("start")
            source = values.get("source")
            values["source"] = SourceCell(**source) if source else None
            values["of"] = tuple(SourceCell(**member) for member in values.get("of", ()))
            values["subjects"] = tuple(values.get("subjects", ()))
            return cls(**values)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{path} is not a result: {error}; remove it and run its cell again") from error


def read_results(folder: Path) -> Sequence[Result]:
    """The results of all finished cells in a folder, by name.

    Raises:
        DataError: if a file is not a result.
    """
    return [Result.read(path) for path in sorted(folder.glob("*.json"))]
