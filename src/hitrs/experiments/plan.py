"""A plan: the cells of a table, written down as a YAML file.

::

    name: nw-ucla                # results go to results/nw-ucla/
    config: small                # configuration of all cells; `set` changes single values
    set: {pretrain.optim.steps: 2000}
    held_out: s01 s02            # these training subjects test, and the test part is not looked at
    cells:
      - {do: pretrain, id: encoder, store: nw_ucla, protocol: cross-view}
      - {do: probe, store: nw_ucla, protocol: cross-view, from: encoder}
      - {do: finetune, id: joint, store: nw_ucla, protocol: cross-view, from: encoder}
      - {do: finetune, store: nw_ucla, protocol: cross-view, label_fraction: 0.1, label_subset: [0, 1, 2]}
      - {do: ensemble, store: nw_ucla, protocol: cross-view, of: [joint, finetune-nw_ucla-bone-scratch-s0]}
      - {do: pretrain, id: both, store: nw_ucla, protocol: cross-view, beside: {utd_mhad: odd-even}}
      - {do: layout, store: nw_ucla, protocol: cross-view, from: joint, seen_as: [ntu25, h36m17]}
      - {do: finetune, task: detection, store: precog, protocol: "leave-script-{fold}-out", fold: [1, 2, 3]}

A list under any key of ``SPREAD`` stands for one cell per value. Each cell is one run that leaves one small
JSON file. Cells name each other, in ``from`` and ``of``, by an ``id`` or by the cell's whole name; an id of
several cells stands for each of them. ``from: general`` is the encoder that comes with the package. A probe
and a recognizer are also read together with the random convolutions of the same labels, where the plan has a
cell for them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hitrs.config import DEFAULT, Config, load_config
from hitrs.errors import ConfigError, did_you_mean
from hitrs.models.card_files import GENERAL
from hitrs.tasks.base import get_task

DEFAULT_TASK = "recognition"
"""The task of a cell that names none; it is left out of the cell's name."""
SPREAD = (
    "store",
    "protocol",
    "fold",
    "stream",
    "from",
    "seen_as",
    "subjects",
    "label_fraction",
    "label_subset",
    "seed",
)
"""Keys of a cell under which a list stands for one cell per value."""
_COMMON = ("do", "id", "store", "protocol", "fold", "stream", "seed", "set", "label")
_LABELS = ("subjects", "label_fraction", "label_subset")
_KEYS = {
    "pretrain": ("beside",),
    "knn": _LABELS,
    "convolutions": _LABELS,
    "probe": ("from", *_LABELS),
    "finetune": ("task", "from", *_LABELS),
    "ensemble": ("of",),
    "layout": ("from", "seen_as"),
}
_REQUIRED = {"probe": ("from",), "ensemble": ("of",), "layout": ("from", "seen_as")}
SHIPPED = "shipped"
"""What the cell of the encoder that comes with the package does: it is there."""
_STARTS = {
    "probe": ("pretrain", "finetune", SHIPPED),
    "finetune": ("pretrain", "finetune", SHIPPED),
    "layout": ("finetune",),
    "ensemble": ("finetune", "convolutions"),
}
"""What the cells must do that a cell starts from or adds up."""
_RENAMED = {"fraction": "label_fraction", "draw": "label_subset", "source": "from", "neighbors": "knn"}
"""Words of earlier releases."""


@dataclass(frozen=True)
class Cell:
    """One run of a table."""

    do: str
    """pretrain, knn (1-NN on positions), convolutions (random ones and a ridge classifier), probe, finetune,
    ensemble, or layout (a trained model on recordings seen as another joint layout)."""
    store: str
    """Folder of the store below the stores' folder."""
    protocol: str
    fold: int | str | None = None
    """Which of the protocols that share a row of the table, for example who is left out; None: just one."""
    fold_group: str = ""
    """What the row of the folds is called, for example "leave-subject-each-out"; else the protocol."""
    task: str = DEFAULT_TASK
    """finetune: name of the downstream task; ensemble, layout: that of the cells they start from."""
    stream: str = "joint"
    source: Cell | None = None
    """finetune, probe: the cell whose encoder is the start (``from`` in the file); None: from scratch.
    layout: the finetune cell whose model is tested."""
    beside: tuple[tuple[str, str], ...] = ()
    """pretrain: other stores that it learns from as well, and the protocol of each."""
    seen_as: str | None = None
    """layout: the joint layout that the test recordings are seen as."""
    subjects: tuple[str, ...] = ()
    """The only training subjects whose labels are used (in the file separated by spaces); empty: all."""
    label_fraction: float = 1.0
    """Share of the training labels."""
    label_subset: int = 0
    """Which of the random subsets of this size."""
    seed: int = 0
    of: tuple[Cell, ...] = ()
    """ensemble: the cells whose models are evaluated together."""
    settings: tuple[tuple[str, Any], ...] = ()
    """Single values of the configuration that differ (``set`` in the file)."""
    label: str = ""
    """What the table's row is called; cells that differ in fold, label subset or seed only share a row."""

    @property
    def name(self) -> str:
        """What tells the cell apart: the name of its run folder and of its result."""
        if self.do == SHIPPED:
            return self.store
        if self.task == DEFAULT_TASK:
            parts = [self.do]
        else:
            parts = [self.task] if self.do == "finetune" else [self.do, self.task]
        parts.append(self.store)
        if self.task != DEFAULT_TASK or self.fold is not None:  # several protocols may stand in one plan
            parts.append(self.protocol)
        if self.beside:
            parts.append("and-" + "-".join(store for store, _ in self.beside))
        parts.append(self.stream)
        if self.do in ("finetune", "probe"):
            parts.append(f"from-{self.source.name}" if self.source else "scratch")
        if self.do == "layout" and self.source:
            parts += [f"as-{self.seen_as}", f"from-{self.source.name}"]
        if self.subjects:
            parts.append("subjects-" + "-".join(self.subjects))
        if self.label_fraction < 1:
            parts += [f"{100 * self.label_fraction:g}pct", f"d{self.label_subset}"]
        if self.label:
            parts.append(self.label.lower().replace(" ", "-").replace(",", ""))
        return "-".join([*parts, f"s{self.seed}"])


_GENERAL = Cell(SHIPPED, GENERAL.name, protocol="", stream="fused")
"""The encoder that comes with the package."""


@dataclass(frozen=True)
class Plan:
    """All cells of a table."""

    name: str
    config: Config
    """Configuration of all cells, before what single cells change."""
    cells: tuple[Cell, ...]
    held_out: tuple[str, ...] = ()
    """Training subjects on whom every cell is tested, so that settings can be chosen; empty: the protocol's
    own test part is."""
    folder: Path = field(default_factory=Path)
    """Where the plan file lies; lists of label subsets lie in ``label_subsets/`` beside it."""


def read_plan(path: str | Path) -> Plan:
    """Read a plan file.

    Raises:
        ConfigError: naming the file and the cell or key that is wrong.

    >>> [cell.name for cell in read_plan("benchmarks/precision.yaml").cells][0]
    'finetune-nw_ucla-joint-scratch-float32-s0'
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"there is no plan {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    keys = {"name", "config", "set", "held_out", "cells"}
    if not isinstance(values, dict) or not {"name", "cells"} <= values.keys() or values.keys() - keys:
        raise ConfigError(f"{path}: a plan has the keys {', '.join(sorted(keys))}")
    if not isinstance(values["cells"], list):
        raise ConfigError(f"{path}: `cells` must be a list")
    try:
        config = load_config(values.get("config", DEFAULT), values.get("set") or {})
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    entries = [
        _Entry.checked(entry, f"{path}: cell {number}", config)
        for number, entry in enumerate(values["cells"], start=1)
    ]
    held_out = tuple(str(values.get("held_out", "")).split())
    return Plan(str(values["name"]), config, tuple(_cells(entries)), held_out, path.parent)


@dataclass(frozen=True)
class _Entry:
    """An entry of the file's list, which stands for one cell or several."""

    values: Mapping[str, Any]
    where: str
    """For messages: the file and the number of the entry."""

    @classmethod
    def checked(cls, values: Any, where: str, config: Config) -> _Entry:
        """An entry whose keys and settings exist."""
        do = str(values.get("do")) if isinstance(values, dict) else "nothing"
        if do not in _KEYS:
            raise ConfigError(f"{where}: `do` must be one of {', '.join(_KEYS)}{_renamed(do)}")
        allowed = (*_COMMON, *_KEYS[do])
        for key in values:
            if key not in allowed:
                hint = _renamed(key) or did_you_mean(str(key), allowed)
                raise ConfigError(f"{where}: unknown key {key}{hint}; a {do} cell has {', '.join(allowed)}")
        for key in ("store", "protocol", *_REQUIRED.get(do, ())):
            if not values.get(key):
                needed = ("store", "protocol", *_REQUIRED.get(do, ()))
                raise ConfigError(f"{where}: a {do} cell needs {', '.join(needed)}; {key} is missing")
        for key, what in (("set", "keys and values"), ("beside", "stores and their protocols")):
            if not isinstance(values.get(key) or {}, dict):
                raise ConfigError(f"{where}: `{key}` must be a section of {what}, got {values[key]!r}")
        settings = values.get("set") or {}
        try:
            get_task(values.get("task", DEFAULT_TASK))
            config.changed(settings)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        return cls(values, where)

    @property
    def references(self) -> tuple[str, ...]:
        """Ids and names of other cells."""
        return tuple(
            str(name) for key in ("from", "of") for name in _as_list(self.values.get(key)) if name is not None
        )

    def cells(self, known: Mapping[str, tuple[Cell, ...]]) -> list[Cell]:
        """The cells that this stands for; ``known`` has those that it refers to."""
        starts = [None] if self.values.get("from") is None else _as_list(self.values["from"])
        sources = [cell for name in starts for cell in ((None,) if name is None else known[str(name)])]
        given = {**self.values, "from": sources}
        spread = {key: given[key] for key in SPREAD if isinstance(given.get(key), list)}
        of = tuple(cell for name in _as_list(self.values.get("of")) for cell in known[str(name)])
        return [
            self._cell({**self.values, **dict(zip(spread, values, strict=True))}, of)
            for values in itertools.product(*spread.values())
        ]

    def _cell(self, values: Mapping[str, Any], of: tuple[Cell, ...]) -> Cell:
        do, where, source = values["do"], self.where, values["from"]
        if source is None and "from" in _REQUIRED.get(do, ()):
            raise ConfigError(f"{where}: a {do} cell needs from; it cannot be null")
        for cell in (*of, *([source] if source else [])):
            if cell.do not in _STARTS[do]:
                raise ConfigError(
                    f"{where}: {cell.name} is no {' or '.join(_STARTS[do])} cell, which `do: {do}` needs"
                )
        stream = str(values.get("stream") or (source.stream if source else "joint"))
        if source is not None and stream != source.stream:
            raise ConfigError(
                f"{where}: the stream is {stream}, but {source.name} was trained on {source.stream}"
            )
        protocol, fold = str(values["protocol"]), values.get("fold")
        if (fold is not None) != ("{fold}" in protocol):
            raise ConfigError(
                f"{where}: `fold` goes with a protocol that has {{fold}} in its name, got {protocol}"
            )
        return Cell(
            do=do,
            store=str(values["store"]),
            protocol=protocol.replace("{fold}", str(fold)),
            fold=fold,
            fold_group=protocol.replace("{fold}", "each"),
            task=self._task(do, of, source),
            stream=stream,
            source=source,
            beside=tuple((str(k), str(v)) for k, v in (values.get("beside") or {}).items()),
            seen_as=values.get("seen_as"),
            subjects=tuple(str(values.get("subjects", "")).split()),
            label_fraction=values.get("label_fraction", 1.0),
            label_subset=values.get("label_subset", 0),
            seed=values.get("seed", 0),
            of=of,
            settings=tuple((values.get("set") or {}).items()),
            label=str(values.get("label", "")),
        )

    def _task(self, do: str, of: Iterable[Cell], source: Cell | None) -> str:
        """The task of a cell: what it names, or that of the models it evaluates."""
        if do not in ("ensemble", "layout"):
            return str(self.values.get("task", DEFAULT_TASK))
        names = {cell.task for cell in (*of, *([source] if source else []))}
        if len(names) > 1:
            raise ConfigError(f"{self.where}: models for {' and '.join(sorted(names))} do not go together")
        task = get_task(names.pop())
        if not (task.ensembles if do == "ensemble" else "seen_as" in task.eval_options):
            what = "evaluated together" if do == "ensemble" else "tested on another joint layout"
            raise ConfigError(f"{self.where}: models for {task.name} cannot be {what}")
        return task.name


def _cells(entries: list[_Entry]) -> list[Cell]:
    """The cells of all entries, in their order; an entry waits until the cells it refers to are known."""
    known: dict[str, tuple[Cell, ...]] = {_GENERAL.name: (_GENERAL,)}
    cells: dict[int, list[Cell]] = {}
    while len(cells) < len(entries):
        pending = [n for n in range(len(entries)) if n not in cells]
        ready = [n for n in pending if all(name in known for name in entries[n].references)]
        if not ready:
            raise ConfigError(_unresolved(entries[pending[0]], known))
        for n in ready:
            cells[n] = entries[n].cells(known)
            for cell in cells[n]:
                if cell.name in known:
                    raise ConfigError(
                        f"{entries[n].where}: two cells are called {cell.name}; give one of them a label"
                    )
                known[cell.name] = (cell,)
            own_id = str(entries[n].values.get("id", ""))
            if own_id in known:
                raise ConfigError(f"{entries[n].where}: the id {own_id} is taken; choose another one")
            if own_id:
                known[own_id] = tuple(cells[n])
    return [cell for n in range(len(entries)) for cell in cells[n]]


def _unresolved(entry: _Entry, known: Mapping[str, tuple[Cell, ...]]) -> str:
    """Why an entry cannot become cells."""
    name = next(name for name in entry.references if name not in known)
    names = dict.fromkeys(cell.name for cells in known.values() for cell in cells if cell.do != SHIPPED)
    return (
        f"{entry.where}: needs {name}, which is not a cell{did_you_mean(name, known)}; cells: "
        f"{', '.join(names) or 'none that stands for itself'}"
    )


def _renamed(word: Any) -> str:
    return f"; {word} is called {_RENAMED[word]} now" if word in _RENAMED else ""


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
