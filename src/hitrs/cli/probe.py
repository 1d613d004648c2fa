"""``hitrs probe``: what a frozen encoder's features are worth."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

from tyro.conf import arg

from hitrs.cli.console import say
from hitrs.cli.options import AsJson, ModelArgument, Name, StoreArgument
from hitrs.cli.reports import show_accuracies
from hitrs.data.store import Store
from hitrs.evaluate.protocol import probe, split_of
from hitrs.models.hitrs import HiTRS
from hitrs.train.config import Config, ProbeConfig
from hitrs.transforms.augment import AugmentConfig


def run(
    store: StoreArgument,
    model: ModelArgument,
    *,
    protocol: Name = None,
    as_json: AsJson = False,
    settings: Annotated[ProbeConfig, arg(name="")] = ProbeConfig(),  # noqa: B008 (frozen)
) -> None:
    """Read a frozen encoder with nearest neighbors and with a linear layer, both from the training part's labels.

    Args:
        store: a store that `hitrs import` made, with labels.
        model: model directory, the run that made it, or a hub id; of a recognizer the encoder alone is used.
        protocol: training and test part; the store's first protocol if left out.
        as_json: print everything as JSON, with accuracies per class and confusion matrices.
    """
    split = split_of(Store.open(store), protocol)
    config = dataclasses.replace(Config(), probe=settings, augment=AugmentConfig(policy="views"))
    found = probe(HiTRS.from_pretrained(model), split, config)
    if as_json:
        say(
            json.dumps(
                {"protocol": split.protocol, "classes": list(split.store.classes), "metrics": found}, indent=1
            )
        )
        return
    say(
        f"{split.protocol} of {store}: read from {len(split.train)} training recordings, tested on {len(split.test)}"
    )
    show_accuracies({f"{settings.neighbors}-NN": found["knn"], "linear probe": found["linear"]})
