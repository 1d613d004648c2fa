"""``hitrs evaluate``: how good a model is; several recognizers are tested together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import note_to, print_json, print_line, print_table
from hitrs.cli.options import HERE, AsJson, EngineOptions, Name, StoreArgument
from hitrs.engine import using
from hitrs.errors import ConfigError

Picture = Annotated[Path | None, arg(metavar="FILE")]


def run(
    store: StoreArgument,
    models: Annotated[
        Positional[tuple[str, ...]], arg(metavar="MODEL [MODEL ...]", help_behavior_hint="(required)")
    ],
    *,
    protocol: Name = None,
    views: Annotated[int | None, arg(metavar="INT")] = None,
    seen_as: Annotated[str | None, arg(metavar="LAYOUT")] = None,
    early: bool = False,
    confusion: Picture = None,
    as_json: AsJson = False,
    where: EngineOptions = HERE,
) -> None:
    """How good a model is on the test part, by the figures of its task.

    Of recognizers: top-1 and top-5 accuracy, accuracy per class, confusion matrix. Several of them (the
    joint, bone and motion stream, for example) are one recognizer: their probabilities are averaged. Of a
    detector: frame accuracy, F1 and mAP. A store without a protocol is tested as a whole.

    Args:
        store: a store that `hitrs import` made, with labels.
        models: model directories, the runs that made them, or `hub://OWNER/NAME`.
        protocol: whose test part; the store's first protocol if left out.
        views: turned copies of each recording whose probabilities are averaged; default: as the run that made
            the model had it, else 1.
        seen_as: test as if another joint layout (a name or a .yaml file) had recorded the store: what it
            lacks is masked.
        early: also the accuracy after 10%, 20%, ... of each recording; for one recognizer.
        confusion: draw the confusion matrix to this file (.png, .svg or .pdf).
        as_json: print everything as JSON, with the confusion matrix.
        where: where recognizers and detectors look at the recordings.
    """
    from hitrs.experiments.evaluation import evaluate
    from hitrs.skeleton import get_layout
    from hitrs.tasks.base import EvalOptions, get_task

    if views is not None and views < 1:
        raise ConfigError(f"--views must be at least 1, got {views}")
    layout = get_layout(seen_as) if seen_as else None
    notes: list[str] = []
    with where.open() as engine, using(engine):
        done = evaluate(
            store,
            models,
            protocol=protocol,
            options=EvalOptions(views, layout, early or None),
            notify=note_to(notes) if as_json else print_line,
        )
    if confusion is not None and "confusion" not in done.metrics["all"]:
        raise ConfigError(f"--confusion does not apply to {done.task}, which {models[0]} is for")
    if as_json:
        facts = {
            "protocol": done.protocol,
            "models": models,
            "seen_as": layout and layout.name,
            "classes": done.classes,
            "metrics": done.metrics,
            "floors": done.floors,
            "behind": done.behind,
            "notes": notes,
        }
        print_json(facts)
    else:
        if layout is not None:
            _print_unseen(store, layout, models)
        for head, rows in get_task(done.task).report(done.protocol, done.metrics, done.floors):
            print_table(head, rows)
        if "per_class" in done.metrics["all"]:
            from hitrs.tasks.recognition.metrics import class_table

            print_line()
            print_table(*class_table(done.metrics["all"], done.classes))
        if done.behind:
            print_line(f"note: {done.behind}")
    if confusion is not None:
        from hitrs.viz import plot_confusion

        title = f"{done.task.capitalize()}, {done.protocol}"
        plot_confusion(done.metrics["all"]["confusion"], done.classes, confusion, title=title)
        if not as_json:
            print_line(f"confusion   {confusion}")


def _print_unseen(store: Path, seen_as, models: tuple[str, ...]) -> None:
    """Which of each model's joints are masked when the store is seen as another layout."""
    import numpy as np

    from hitrs.data.store import Store
    from hitrs.models.card_files import read_card, resolve_pretrained
    from hitrs.skeleton.mapping import unseen_joints

    recorded = Store.open(store).layout
    for model in models:
        layout = read_card(resolve_pretrained(model))[0].layout
        unseen = unseen_joints(recorded, seen_as, layout)
        names = ", ".join(layout.joints[joint] for joint in np.flatnonzero(unseen))
        masked = f"{names} masked" if names else "none masked"
        seen = f"{int((~unseen).sum())} of {layout.n_joints} joints ({masked})"
        print_line(f"seen as {seen_as.name}: {seen} for {model}")
