"""``hitrs finetune``: the model of a task, from a pre-trained encoder or from scratch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

from tyro.conf import arg

from hitrs.cli.console import command_line, print_line, print_table
from hitrs.cli.options import Name, RunFolder, StoreArgument
from hitrs.cli.settings import changed_config, given_option, options_of, starting_config
from hitrs.errors import ConfigError
from hitrs.process import is_main_process
from hitrs.tasks.registry import section_name

FIELDS = ("model", "preprocessing", "augment", "layout", "max_frames")


def options(arguments: Sequence[str]) -> Any:
    """Where the options start from; model and preprocessing are those of the encoder that --from names."""
    config, encoder = starting_config(arguments), given_option(arguments, "--from")
    if encoder is not None:
        from hitrs.models.card_files import read_card, resolve_pretrained

        card, _ = read_card(resolve_pretrained(encoder))
        config = dataclasses.replace(config, model=card.model, preprocessing=card.preprocessing)
    task = given_option(arguments, "--task") or "recognition"
    section = section_name(task)
    if section not in config.tasks:  # a task of another package, with its defaults
        config = dataclasses.replace(config, tasks={**config.tasks, section: config.section(task)})
    return options_of(config, (*FIELDS, section))


def run(
    store: StoreArgument,
    *,
    out: RunFolder,
    start: Annotated[str | None, arg(name="from", metavar="MODEL")] = None,
    task: Annotated[str, arg(metavar="TASK")] = "recognition",
    config: Name = None,
    protocol: Name = None,
    label_fraction: float = 1.0,
    label_subset: int = 0,
    subjects: tuple[str, ...] = (),
    validation_subjects: tuple[str, ...] = (),
    unknown_classes: tuple[str, ...] = (),
    resume: bool = False,
    options: Any,
) -> None:
    """Train on a store's training part and write the model to OUT/model; the test part only reports.

    Without --from it starts from scratch. Ctrl-C saves; the same command with --resume goes on and ends with
    the same weights.

    Args:
        store: a store that `hitrs import` made, with labels.
        out: folder of the run: configuration, log, checkpoints, pictures, results and, at the end, the model.
        start: pre-trained encoder to start from: a model directory, the run that made it, or
            `hub://OWNER/NAME`, or `general`, which comes with the package.
        task: recognition: one class for a recording; detection: a class or background for every frame, and
            segments made of that; prediction: the frames that come next; or a task of another package.
        config: light, tiny, small, base, paper, or a YAML file; if left out that of the run that made the
            encoder, else light. The options below change single values of it.
        protocol: training and test part; the store's first protocol if left out. Without any, all labeled
            recordings train.
        label_fraction: share of the training labels, of every class.
        label_subset: which subset of that size, a random seed.
        subjects: use the labels of these training subjects only.
        validation_subjects: training subjects that do not train but validate; recognition also chooses on
            them how probable a class must be to be named (else it says "none of these"), detection how frames
            become segments.
        unknown_classes: classes that do not train; the test then says how many of their recordings are named
            all the same.
        resume: go on with the run in OUT, with its own configuration.
    """
    from hitrs.cli.run_report import write_run_report
    from hitrs.experiments.runs import finetune
    from hitrs.models.card_files import read_card
    from hitrs.tasks.base import followed_remedies, get_task
    from hitrs.viz import plot_finetuning

    whole = changed_config(options)
    if start is not None:
        _check_encoder(type(options).base, whole, start, task)
    done = finetune(
        store,
        out,
        start=start,
        task=task,
        config=whole,
        protocol=protocol,
        label_fraction=label_fraction,
        label_subset=label_subset,
        subjects=subjects,
        validation_subjects=validation_subjects,
        unknown_classes=unknown_classes,
        resume=resume,
        command=command_line(),
        notify=print_line,
    )
    if not is_main_process():
        return
    origin = "from scratch" if start is None else f"starting from {start}"
    plot_finetuning(done.log(), out / "plots" / "training.png", title=f"Training {origin}")
    if done.results is None:
        print_line("no recording was left to test on")
    else:
        metrics, tested_on = done.results["metrics"], done.results["tested_on"]
        floors = done.results["floors"]
        for head, rows in get_task(task).report(tested_on, metrics, floors):
            print_table(head, rows)
        followed = followed_remedies(read_card(done.model)[0])
        if behind := get_task(task).behind(metrics, floors, followed):
            print_line(f"note: {behind}")
        if "confusion" in metrics["all"]:
            from hitrs.viz import plot_confusion

            picture = out / "plots" / "confusion.png"
            title = f"{task.capitalize()}, {tested_on}"
            plot_confusion(metrics["all"]["confusion"], done.results["classes"], picture, title=title)
            print_line(f"confusion   {picture}")
        title = f"{task.capitalize()}, {origin}"
        report = write_run_report(done, get_task(task), title, command_line(), followed)
        print_line(f"report      {report}")
    print_line(f"model       {done.model}")


def _check_encoder(base: Any, whole: Any, start: str, task: str) -> None:
    """Sizes and preprocessing are the encoder's; an option for them would be ignored, but for one that asks
    for what the task makes of them anyway.
    """
    from hitrs.tasks.base import get_task

    made = {"model": base.model, "preprocessing": get_task(task).preprocessing(base.preprocessing, whole)}
    changed = [
        f"{section}.{field.name}"
        for section, own in made.items()
        for field in dataclasses.fields(own)
        if getattr(getattr(whole, section), field.name)
        not in (getattr(getattr(base, section), field.name), getattr(own, field.name))
    ]
    if changed:
        raise ConfigError(
            f"{', '.join(changed)} cannot be changed: {start} was pre-trained with other values; "
            "leave the option out, or pre-train an encoder with it first"
        )
