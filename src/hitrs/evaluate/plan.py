"""A plan: the cells of a table, written down as a YAML file.

::

    name: nw-ucla                # results go to results/nw-ucla/
    config: small                # configuration of all cells; `set` changes single fields
    set: {pretrain.steps: 2000}
    cells:
      - {do: pretrain, store: nw_ucla, protocol: cross-view, stream: [joint, bone]}
      - {do: probe, store: nw_ucla, protocol: cross-view, stream: joint, from: pretrain-nw_ucla-joint-s0}
      - {do: finetune, store: nw_ucla, protocol: cross-view, stream: joint, fraction: 0.1, draw: [0, 1, 2]}
      - {do: ensemble, of: [finetune-..., finetune-...]}
      - {do: layout, store: nw_ucla, protocol: cross-view, from: finetune-..., seen_as: [ntu25, h36m17]}

A list under store, protocol, stream, from, seen_as, subjects, fraction, draw or seed stands for one cell per
value. Every cell has a name that tells it apart, and is one run that leaves one small JSON file.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from hitrs.errors import ConfigError

DOES = ("pretrain", "neighbors", "probe", "finetune", "ensemble", "layout")
_SPREAD = ("store", "protocol", "stream", "source", "seen_as", "subjects", "fraction", "draw", "seed")


@dataclass(frozen=True)
class Cell:
    """One run of a table."""

    do: str
    """pretrain, neighbors (1-NN on positions), probe, finetune, ensemble, or layout (a recognizer on
    recordings seen as another joint layout)."""
    store: str
    """Folder of the store below the stores' folder."""
    protocol: str
    task: str = "recognition"
    """finetune: recognition, detection or prediction."""
    stream: str = "joint"
    source: str | None = None
    """finetune, probe: the pre-training cell to start from (``from`` in the file); None: from scratch.
    layout: the fine-tuning cell whose recognizer is tested."""
    seen_as: str | None = None
    """layout: the joint layout that the test recordings are seen as."""
    subjects: str = ""
    """finetune: the only training subjects whose labels are used, separated by spaces; empty: all."""
    fraction: float = 1.0
    """Share of the training labels."""
    draw: int = 0
    seed: int = 0
    of: tuple[str, ...] = ()
    """ensemble: names of the cells whose scores are added."""
    settings: tuple[tuple[str, Any], ...] = ()
    """Single fields of the configuration that differ (``set`` in the file)."""
    label: str = ""
    """What the row of the table is called; cells that differ in draw or seed only share a row."""

    @property
    def name(self) -> str:
        parts = [self.do, self.store, self.stream]
        if self.task != "recognition":  # several protocols may stand in one plan
            parts = [self.task, self.store, self.protocol, self.stream]
        if self.do in ("finetune", "probe"):
            parts.append(f"from-{self.source}" if self.source else "scratch")
        if self.do == "layout":
            parts += [f"as-{self.seen_as}", f"from-{self.source}"]
        if self.subjects:
            parts.append("subjects-" + "-".join(self.subjects.split()))
        if self.fraction < 1:
            parts += [f"{100 * self.fraction:g}pct", f"d{self.draw}"]
        if self.label:
            parts.append(self.label.lower().replace(" ", "-").replace(",", ""))
        return "-".join([*parts, f"s{self.seed}"])

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the cells that must be finished before."""
        return self.of + ((self.source,) if self.source else ())


def origin(source: str | None) -> str:
    """What a cell starts from, in words: "scratch", or "pre-trained on nw_ucla"."""
    if source is None:
        return "scratch"
    how, store, *_ = source.split("-")
    return f"{'pre-trained' if how == 'pretrain' else 'fine-tuned'} on {store}"


@dataclass(frozen=True)
class Plan:
    """All cells of a table."""

    name: str
    config: str
    settings: dict[str, Any]
    cells: tuple[Cell, ...]
    folder: Path = field(default_factory=Path)
    """Where the plan file lies; lists of draws lie in ``draws/`` beside it."""


def read_plan(path: str | Path) -> Plan:
    """Read a plan file.

    Raises:
        ConfigError: naming the file and the cell or key that is wrong.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"there is no plan {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    known = {"name", "config", "set", "cells"}
    if not isinstance(values, dict) or not {"name", "cells"} <= values.keys() or values.keys() - known:
        raise ConfigError(f"{path}: a plan has the keys {', '.join(sorted(known))}")
    cells = [cell for n, entry in enumerate(values["cells"]) for cell in _expand(entry, f"{path}: cell {n}")]
    names = [cell.name for cell in cells]
    for cell in cells:
        if names.count(cell.name) > 1:
            raise ConfigError(f"{path}: two cells are called {cell.name}; give one of them a label")
        for need in cell.needs:
            if need not in names:
                raise ConfigError(
                    f"{path}: {cell.name} needs {need}, which is not a cell; cells: {', '.join(names)}"
                )
    return Plan(
        values["name"], values.get("config", "small"), values.get("set") or {}, tuple(cells), path.parent
    )


def _expand(entry: Any, where: str) -> list[Cell]:
    if not isinstance(entry, dict) or entry.get("do") not in DOES:
        raise ConfigError(f"{where}: `do` must be one of {', '.join(DOES)}")
    entry = dict(entry)
    settings = tuple((entry.pop("set", None) or {}).items())
    if "from" in entry:
        entry["source"] = entry.pop("from")
    allowed = {f.name for f in fields(Cell)}
    unknown = entry.keys() - allowed
    if unknown:
        raise ConfigError(f"{where}: unknown key {min(unknown)}; known: {', '.join(sorted(allowed))}")
    if "of" in entry:
        entry["of"] = tuple(entry["of"])
    if entry["do"] == "layout" and not (entry.get("seen_as") and entry.get("source")):
        raise ConfigError(f"{where}: a layout cell needs seen_as and from (a finetune cell)")
    spread = [key for key in _SPREAD if isinstance(entry.get(key), list)]
    try:
        return [
            Cell(**{**entry, **dict(zip(spread, values, strict=True))}, settings=settings)
            for values in itertools.product(*(entry[key] for key in spread))
        ]
    except TypeError as error:
        raise ConfigError(f"{where}: {error}; a cell needs do, store and protocol") from error
