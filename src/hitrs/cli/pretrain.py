"""``hitrs pretrain``: learn from recordings without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitrs.cli.console import command_line, print_line
from hitrs.cli.options import Name, RunFolder, StoreArgument
from hitrs.cli.settings import DEFAULT, changed_config, options_of, starting_config
from hitrs.process import is_main_process

FIELDS = (
    "model", "preprocessing", "augment", "pretext", "pretrain", "layout", "min_frames", "max_frames",
)  # fmt: skip


def options(arguments: Sequence[str]) -> Any:
    """Where the options start from."""
    return options_of(starting_config(arguments), FIELDS)


def run(
    store: StoreArgument,
    *,
    out: RunFolder,
    config: str = DEFAULT,
    protocol: Name = None,
    resume: bool = False,
    options: Any,
) -> None:
    """Pre-train an encoder on a store's training part, labels unseen, and write it to OUT/model.

    Ctrl-C saves; the same command with --resume goes on and ends with the same weights.

    Args:
        store: a store that `hitrs import` made.
        out: folder of the run: its configuration, log, checkpoints, pictures and, at the end, the model.
        config: paper, base, small, light, tiny, or a YAML file; the options below change single values of it.
        protocol: whose training part to learn from; the store's first if left out, everything if it has none.
        resume: go on with the run in OUT, with its own configuration.
    """
    from hitrs.experiments.runs import pretrain
    from hitrs.viz import plot_training

    whole = changed_config(options)
    done = pretrain(
        store,
        out,
        config=whole,
        protocol=protocol,
        resume=resume,
        command=command_line(),
        notify=print_line,
    )
    if not is_main_process():
        return
    rows = done.log()
    plot_training(rows, out / "plots" / "training.png", title="Pre-training")
    last: dict[str, Any] = {}
    for row in rows:
        last.update(row)
    print_line(f"steps       {last['step']} ({last['epoch']:g} epochs)")
    print_line(f"loss        {last['loss']:.3f}")
    if "knn/accuracy" in last:
        print_line(f"online k-NN {last['knn/accuracy']:.1%} between training subjects")
    print_line(f"model       {done.model}")
