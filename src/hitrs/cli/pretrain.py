"""``hitrs pretrain``: learn from recordings without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from tyro.conf import arg

from hitrs.cli.console import is_main_process, say
from hitrs.cli.options import Name, Run, StoreArgument
from hitrs.cli.runs import run_folder
from hitrs.cli.settings import DEFAULT, PretrainSettings, fit_to_data, recast, starting_config
from hitrs.data.store import Store
from hitrs.train.config import Config
from hitrs.train.log import read_metrics
from hitrs.train.pretraining import pretrain
from hitrs.transforms.source import Source, training_layout
from hitrs.viz import plot_training


def defaults(arguments: Sequence[str]) -> dict[str, Any]:
    """Where the options start from."""
    return {"settings": recast(starting_config(arguments), PretrainSettings)}


def run(
    store: StoreArgument,
    *,
    out: Run,
    config: str = DEFAULT,
    protocol: Name = None,
    resume: bool = False,
    settings: Annotated[PretrainSettings, arg(name="")],
) -> None:
    """Pre-train an encoder on a store's training part, labels unseen, and write it to OUT/model.

    Ctrl-C saves; the same command with --resume goes on and ends with the same weights.

    Args:
        store: a store that `hitrs import` made.
        out: folder of the run: its configuration, log, checkpoints, pictures and, at the end, the model.
        config: paper, base, small, tiny, or a YAML file; the options below change single values of it.
        protocol: whose training part to learn from; the store's first if left out, everything if it has none.
        resume: go on with the run in OUT, with its own configuration.
    """
    data = Store.open(store)
    whole = fit_to_data(recast(settings, Config), data)
    protocol = protocol or next(iter(data.protocols), None)
    indices = np.arange(len(data)) if protocol is None else data.split(protocol, "train")
    facts = {"task": "pretrain", "store": str(store), "data": data.fingerprint, "protocol": protocol}
    source = Source(data, indices, training_layout(data, whole.layout), whole.preprocessing)
    with run_folder(out, whole, {**facts, "seed": whole.pretrain.seed}, resume):
        part = "all recordings" if protocol is None else f"the training part of {protocol}"
        say(f"pre-training on {part} of {store}: {len(indices)} of {len(data)} recordings, labels unseen")
        pretrain(source, whole, out, resume=resume)
    if not is_main_process():
        return
    metrics = read_metrics(out / "metrics.jsonl")
    plot_training(metrics, out / "plots" / "training.png", title="Pre-training")
    last: dict[str, Any] = {}
    for row in metrics:
        last.update(row)
    say(f"updates     {last['step']} ({last['epoch']:g} epochs)")
    say(f"loss        {last['loss']:.3f}")
    if "knn/accuracy" in last:
        say(f"online k-NN {last['knn/accuracy']:.1%} between training subjects")
    say(f"model       {out / 'model'}")
