"""``hitrs evaluate``: how good a model is; several recognizers are tested together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import Positional, arg

from hitrs.cli.configfile import load_config
from hitrs.cli.console import say
from hitrs.cli.options import AsJson, Name, StoreArgument
from hitrs.cli.reports import draw_confusion, show_accuracies, show_classes, show_report
from hitrs.data.store import Store
from hitrs.errors import ConfigError, DataError
from hitrs.evaluate.downstream import DOWNSTREAM, get_downstream
from hitrs.evaluate.protocol import Split, recognizer_scores, split_of
from hitrs.models.bundle import load_bundle
from hitrs.skeleton.layout import Layout, get_layout
from hitrs.skeleton.mapping import unseen_joints
from hitrs.tasks.recognition import RecognitionModel
from hitrs.transforms.source import Source, check_rate

Picture = Annotated[Path | None, arg(metavar="FILE")]


def run(
    store: StoreArgument,
    models: Annotated[Positional[tuple[str, ...]], arg(metavar="MODEL [MODEL ...]")],
    *,
    protocol: Name = None,
    views: Annotated[int | None, arg(metavar="INT")] = None,
    seen_as: Annotated[str | None, arg(metavar="LAYOUT")] = None,
    confusion: Picture = None,
    as_json: AsJson = False,
) -> None:
    """How good a model is on the test part, by the figures of its task.

    Of recognizers: top-1 and top-5 accuracy, accuracy per class, confusion matrix. Several of them (the
    joint, bone and motion stream, for example) are one recognizer: their probabilities are added. Of a
    detector: frame accuracy, F1 and mAP. A store without a protocol is tested as a whole.

    Args:
        store: a store that `hitrs import` made, with labels.
        models: model directories, the runs that made them, or hub ids.
        protocol: whose test part; the store's first protocol if left out.
        views: turned copies of each recording whose probabilities are averaged; default: as the run that made
            the model had it, else 1.
        seen_as: test as if another joint layout (a name or a .yaml file) had recorded the store: what it
            lacks is masked.
        confusion: draw the confusion matrix to this file (.png, .svg or .pdf).
        as_json: print everything as JSON, with the confusion matrix.
    """
    if not models:
        raise ConfigError("name at least one model to evaluate")
    if views is not None and views < 1:
        raise ConfigError(f"--views must be at least 1, got {views}")
    data = Store.open(store)
    tasks = {str(load_bundle(model)[0].task) for model in models}
    if len(tasks) > 1 or (len(models) > 1 and tasks != {"recognition"}):
        raise ConfigError(
            f"only recognizers are evaluated together; these are for {' and '.join(sorted(tasks))}"
        )
    task = tasks.pop() if tasks <= set(DOWNSTREAM) else "recognition"
    usable = get_downstream(task).usable(data)
    if not usable.any():
        raise DataError(
            f"no recording of {data.path} has the labels of {task}, so there is nothing to compare with"
        )
    split = split_of(data, protocol, usable) if protocol or data.protocols else _everything(data, usable)
    if task != "recognition":
        options = {"--views": views, "--seen-as": seen_as, "--confusion": confusion}
        given = [option for option, value in options.items() if value is not None]
        if given:
            raise ConfigError(f"{given[0]} is for recognizers; {models[0]} is for {task}")
        model = get_downstream(task).load(models[0])
        for index in split.test:
            if np.isfinite(rate := float(data.fps[index])):
                check_rate(rate, model.card.fps, f"recording '{data.name(int(index))}' of {data.path}")
        found = get_downstream(task).measure(model, split)
        if as_json:
            say(json.dumps({"protocol": split.protocol, "models": models, "metrics": found}, indent=1))
        else:
            show_report(task, {split.protocol: found})
        return
    layout = get_layout(seen_as) if seen_as else None
    recognizers = [RecognitionModel.from_pretrained(model) for model in models]
    extra = dict.fromkeys(
        name for model in recognizers for name in model.card.classes if name not in data.classes
    )
    classes = (*data.classes, *extra)
    scores = np.zeros((len(split.test), len(classes)))
    for name, model in zip(models, recognizers, strict=True):
        columns = _columns(model, name, split, classes)
        query = Source(data, split.test, model.card.layout, model.card.preprocessing, layout)
        scores[:, columns] += recognizer_scores(model, query, views or _views_of(name)) / len(models)
    found = split.report(scores)
    if as_json:
        say(
            json.dumps(
                {
                    "protocol": split.protocol,
                    "models": models,
                    "seen_as": layout and layout.name,
                    "classes": classes,
                    "metrics": found,
                },
                indent=1,
            )
        )
    else:
        if layout is not None:
            for name, model in zip(models, recognizers, strict=True):
                say(f"seen as {layout.name}: {_unseen(data.layout, layout, model.card.layout)} for {name}")
        show_accuracies({split.protocol: found})
        say()
        show_classes(found["all"], classes)
    if confusion is not None:
        draw_confusion(found["all"], classes, confusion, f"Recognition, {split.protocol}", quiet=as_json)


def _views_of(model: str) -> int:
    """How many views the run that made a model tests with; 1 for a model without its run."""
    for folder in (Path(model), Path(model).parent):
        if (folder / "run.json").is_file() and (folder / "config.yaml").is_file():
            return load_config(folder / "config.yaml").finetune.test_views
    return 1


def _unseen(recorded: Layout, seen_as: Layout, layout: Layout) -> str:
    unseen = unseen_joints(recorded, seen_as, layout)
    names = ", ".join(layout.joints[joint] for joint in np.flatnonzero(unseen))
    masked = f"{names} masked" if names else "none masked"
    return f"{int((~unseen).sum())} of {layout.n_joints} joints ({masked})"


def _everything(data: Store, usable: np.ndarray) -> Split:
    labeled = np.flatnonzero(usable)
    nothing = labeled[:0]
    return Split(data, "all labeled recordings", nothing, labeled, nothing)


def _columns(model: RecognitionModel, name: str, split: Split, classes: tuple[str, ...]) -> list[int]:
    """Where each class of a model stands among ``classes``."""
    own, labels = model.card.classes, np.asarray(split.store.labels)[split.test]
    unknown = [
        split.store.classes[label] for label in np.unique(labels) if split.store.classes[label] not in own
    ]
    if unknown:
        raise DataError(
            f"{name} does not know the class '{unknown[0]}' of {split.store.path}; its classes: "
            f"{', '.join(own)}"
        )
    return [classes.index(own_name) for own_name in own]
