"""``hitrs probe``: what a frozen encoder's features are worth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from tyro.conf import arg

from hitrs.cli.console import say
from hitrs.cli.options import AsJson, ModelArgument, Name, StoreArgument
from hitrs.cli.reports import show_accuracies
from hitrs.cli.settings import DEFAULT, ProbeSettings, recast, starting_config
from hitrs.data.store import Store
from hitrs.evaluate.protocol import probe, split_of
from hitrs.models.hitrs import HiTRS


def defaults(arguments: Sequence[str]) -> dict[str, Any]:
    """Where the options start from."""
    return {"settings": recast(starting_config(arguments), ProbeSettings)}


def run(
    store: StoreArgument,
    model: ModelArgument,
    *,
    config: str = DEFAULT,
    protocol: Name = None,
    as_json: AsJson = False,
    settings: Annotated[ProbeSettings, arg(name="")],
) -> None:
    """Read a frozen encoder with nearest neighbors and with a linear layer, both from the training labels.

    Args:
        store: a store that `hitrs import` made, with labels.
        model: model directory, the run that made it, or a hub id; of a recognizer the encoder alone is used.
        config: paper, base, small, tiny, or a YAML file, for how to probe; the options below change it.
        protocol: training and test part; the store's first protocol if left out.
        as_json: print everything as JSON, with accuracies per class and confusion matrices.
    """
    split = split_of(Store.open(store), protocol)
    found = probe(HiTRS.from_pretrained(model), split, settings)
    if as_json:
        facts = {"protocol": split.protocol, "classes": split.store.classes, "metrics": found}
        say(json.dumps(facts, indent=1))
        return
    counts = f"{len(split.train)} training recordings, tested on {len(split.test)}"
    say(f"{split.protocol} of {store}: read from {counts}")
    nearest = f"{settings.probe.neighbors}-NN"
    show_accuracies({name.replace("knn", nearest): report for name, report in found.items()})
