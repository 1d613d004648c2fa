"""``hitrs finetune``: a recognizer, detector or predictor, from a pre-trained encoder or from scratch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from tyro.conf import arg

from hitrs.cli.configfile import differences
from hitrs.cli.console import is_main_process, say
from hitrs.cli.options import Name, Run, StoreArgument, TaskName
from hitrs.cli.reports import draw_confusion, show_report
from hitrs.cli.runs import run_folder, write_results
from hitrs.cli.settings import DEFAULT, FinetuneSettings, fit_to_data, given_option, recast, starting_config
from hitrs.data.store import Store
from hitrs.errors import ConfigError, DataError
from hitrs.evaluate.downstream import get_downstream
from hitrs.evaluate.draws import draw_labels, of_subjects, strata
from hitrs.evaluate.protocol import Split, split_of
from hitrs.models.bundle import ModelCard, load_bundle
from hitrs.models.hitrs import HiTRS
from hitrs.train.config import Config
from hitrs.train.log import read_metrics
from hitrs.transforms.source import Source, training_layout
from hitrs.viz import plot_finetuning


def defaults(arguments: Sequence[str]) -> dict[str, Any]:
    """Where the options start from; model and preprocessing are those of the encoder that --from names."""
    config, encoder = starting_config(arguments), given_option(arguments, "--from")
    if encoder is not None:
        card, _ = load_bundle(encoder)
        config = dataclasses.replace(config, model=card.model, preprocessing=card.preprocessing)
    return {"settings": recast(config, FinetuneSettings)}


def run(
    store: StoreArgument,
    *,
    out: Run,
    start: Annotated[str | None, arg(name="from", metavar="MODEL")] = None,
    task: TaskName = "recognition",
    config: str = DEFAULT,
    protocol: Name = None,
    fraction: float = 1.0,
    draw: int = 0,
    subjects: tuple[str, ...] = (),
    validation_subjects: tuple[str, ...] = (),
    resume: bool = False,
    settings: Annotated[FinetuneSettings, arg(name="")],
) -> None:
    """Train on a store's training part and write the model to OUT/model; the test part only reports.

    Without --from it starts from scratch. Ctrl-C saves; the same command with --resume goes on and ends with
    the same weights.

    Args:
        store: a store that `hitrs import` made, with labels.
        out: folder of the run: configuration, log, checkpoints, pictures, results and, at the end, the model.
        start: pre-trained encoder to start from: a model directory, the run that made it, or a hub id.
        task: recognition: one class for a recording; detection: a class or background for every frame, and
            segments made of that; prediction: the frames that come next.
        config: paper, base, small, tiny, or a YAML file; the options below change single values of it.
        protocol: training and test part; the store's first protocol if left out. Without any, all labeled
            recordings train.
        fraction: share of the training labels, drawn per class.
        draw: number of the draw of labels.
        subjects: use the labels of these training subjects only.
        validation_subjects: training subjects that do not train but validate; detection also chooses on them
            how frames become segments.
        resume: go on with the run in OUT, with its own configuration.
    """
    data = Store.open(store)
    whole, encoder = recast(settings, Config), None
    if start is not None:
        encoder = HiTRS.from_pretrained(start)
        _check_encoder(whole, encoder.card, start)
    else:
        whole = fit_to_data(whole, data)
    protocol = protocol or next(iter(data.protocols), None)
    downstream = get_downstream(task)
    usable = downstream.usable(data)
    train, split = _labeled(data, protocol, usable, downstream.needs), _split(data, protocol, usable)
    validation = of_subjects(data, train, validation_subjects) if validation_subjects else train[:0]
    train = of_subjects(data, np.setdiff1d(train, validation), subjects)
    if not len(train):
        raise DataError("every training subject validates, so nobody is left to train on; name fewer")
    if fraction != 1:
        train = train[draw_labels(strata(data, train, task), fraction, draw)]
    layout = training_layout(data, whole.layout) if encoder is None else encoder.card.layout
    known = Source(data, train, layout, whole.preprocessing)
    held_out = Source(data, validation, layout, whole.preprocessing) if len(validation) else None
    facts = {
        "task": task if task != "recognition" else "finetune",
        "store": str(store),
        "data": data.fingerprint,
        "protocol": protocol,
        "from": start,
        "fraction": fraction,
        "draw": draw,
        "subjects": list(subjects),
        "validation_subjects": list(validation_subjects),
        "seed": downstream.optimization(whole).seed,
    }
    if task != "recognition" and known.fps is None:
        rates = sorted({f"{rate:g}" for rate in np.asarray(data.fps)[train]} - {"nan"}, key=float)
        if rates:
            say(
                f"note: recordings have frame rates of {', '.join(rates)} or unknown ones, so the model "
                "cannot tell whether a recording has its rate; `hitrs clean --fps` makes them one"
            )
    with run_folder(out, whole, facts, resume):
        say(f"{len(train)} labeled recordings of {len(data.classes)} classes train, {_origin(start)}")
        model = downstream.train(known, whole, out, encoder=encoder, held_out=held_out, resume=resume)
    if not is_main_process():
        return
    plot_finetuning(
        read_metrics(out / "metrics.jsonl"),
        out / "plots" / "training.png",
        title=f"Training {_origin(start)}",
    )
    if split is None:
        say("no labeled recording was left to test on")
    else:
        found = downstream.measure(model, split, whole, out)
        results = {**facts, "labels": len(train), "classes": list(data.classes), "metrics": found}
        write_results(out, results)
        show_report(task, {split.protocol: found})
        if "confusion" in found["all"]:
            picture = out / "plots" / "confusion.png"
            draw_confusion(found["all"], data.classes, picture, f"{task.capitalize()}, {split.protocol}")
    say(f"model       {out / 'model'}")


def _check_encoder(config: Config, card: ModelCard, start: str) -> None:
    changed = [f"model.{name}" for name, *_ in differences(config.model, card.model)]
    changed += [f"preprocessing.{name}" for name, *_ in differences(config.preprocessing, card.preprocessing)]
    if changed:
        raise ConfigError(
            f"{', '.join(changed)} cannot be changed: {start} was pre-trained with other values; "
            "leave the option out"
        )


def _labeled(data: Store, protocol: str | None, usable: np.ndarray, needs: str) -> np.ndarray:
    """Store indices of the recordings that train."""
    indices = np.arange(len(data)) if protocol is None else data.split(protocol, "train")
    indices = indices[usable[indices]]
    if not len(indices):
        part = "" if protocol is None else f"in the training part of {protocol} "
        raise DataError(f"no recording {part}of {data.path} has {needs} and import again")
    return indices


def _split(data: Store, protocol: str | None, usable: np.ndarray) -> Split | None:
    """The protocol's parts, if there is something to test on."""
    if protocol is None or not usable[data.split(protocol, "test")].any():
        return None
    return split_of(data, protocol, usable)


def _origin(start: str | None) -> str:
    return "from scratch" if start is None else f"starting from {start}"
