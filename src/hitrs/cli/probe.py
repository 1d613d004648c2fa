"""``hitrs probe``: k-NN, linear and ridge probe of a frozen encoder, beside what needs no encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from hitrs.cli.console import note_to, print_json, print_line, print_table
from hitrs.cli.options import AsJson, ModelArgument, Name, StoreArgument
from hitrs.cli.settings import changed_config, options_of, starting_config
from hitrs.config import DEFAULT


def options(arguments: Sequence[str]) -> Any:
    """Where the options start from."""
    return options_of(starting_config(arguments), ("augment", "probe", "layout"))


def run(
    store: StoreArgument,
    model: ModelArgument,
    *,
    config: str = DEFAULT,
    protocol: Name = None,
    label_fraction: float = 1.0,
    label_subset: int = 0,
    out: Annotated[Path | None, arg(metavar="DIR")] = None,
    convolutions: bool = False,
    as_json: AsJson = False,
    options: Any,
) -> None:
    """Read a frozen encoder with nearest neighbors, a linear layer and ridge regression on training labels.

    Beside it stands what needs no encoder: nearest neighbors on positions, and random convolutions.

    Args:
        store: a store that `hitrs import` made, with labels.
        model: model directory, the run that made it, `hub://OWNER/NAME`, or `general`, which comes with the
            package; of a recognizer the encoder alone is used.
        config: light, tiny, small, base, paper, or a YAML file, for how to probe; the options change it.
        protocol: training and test part; the store's first protocol if left out.
        label_fraction: share of the training labels, of every class.
        label_subset: which subset of that size, a random seed.
        out: write the ridge classifier with the encoder as a recognizer to this directory.
        convolutions: write it with the random convolutions beside it; the probabilities are averaged.
        as_json: print everything as JSON, with accuracies per class and confusion matrices.
    """
    from hitrs.experiments.runs import probe
    from hitrs.experiments.tables import METHODS
    from hitrs.tasks.base import get_task
    from hitrs.tasks.recognition.floors import KEYS
    from hitrs.tasks.recognition.metrics import accuracy_table

    settings = changed_config(options)
    notes: list[str] = []
    split, reports = probe(
        store,
        model,
        config=settings,
        protocol=protocol,
        label_fraction=label_fraction,
        label_subset=label_subset,
        out=out,
        convolutions=convolutions,
        notify=note_to(notes) if as_json else print_line,
    )
    floors = {name: reports[name] for name in KEYS}
    written = "ridge with convolutions" if convolutions else "ridge"
    alone = [report for name, report in reports.items() if name not in (*KEYS, "ridge with convolutions")]
    told = reports[written] if out else max(alone, key=lambda report: report["all"]["top1"])
    followed = {"start", "steps", "data", *(["convolutions"] if convolutions else [])}  # nothing is trained
    behind = get_task("recognition").behind(told, floors, followed)
    if behind:
        behind = f"{behind}; `hitrs finetune {split.store.path} --from {model}` trains the encoder further"
    if as_json:
        facts = {
            "protocol": split.protocol,
            "classes": split.store.classes,
            "metrics": reports,
            "behind": behind,
            "notes": notes,
        }
        print_json(facts)
        return
    counts = f"{len(split.train)} training recordings, tested on {len(split.test)}"
    print_line(f"{split.protocol} of {split.store.path}: read from {counts}")
    names = {"knn": f"{settings.probe.k}-NN", "knn, all levels": f"{settings.probe.k}-NN, all levels"}
    print_table(*accuracy_table({names.get(n) or METHODS.get(n, n): report for n, report in reports.items()}))
    if behind:
        print_line(f"note: {behind}")
    if out is not None:
        print_line(f"recognizer  {out}: {METHODS[written]}")
