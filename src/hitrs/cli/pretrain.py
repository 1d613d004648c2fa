"""``hitrs pretrain``: learn from recordings without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from tyro.conf import arg

from hitrs.cli.console import command_line, print_line
from hitrs.cli.options import Names, RunFolder, StoresArgument
from hitrs.cli.settings import changed_config, options_of, starting_config
from hitrs.config import DEFAULT
from hitrs.process import is_main_process

FIELDS = (
    "model", "preprocessing", "augment", "pretext", "pretrain", "layout", "min_frames", "max_frames",
)  # fmt: skip


def options(arguments: Sequence[str]) -> Any:
    """Where the options start from."""
    return options_of(starting_config(arguments), FIELDS)


def run(
    stores: StoresArgument,
    *,
    out: RunFolder,
    config: str = DEFAULT,
    protocol: Names = (),
    weights: Annotated[tuple[float, ...], arg(metavar="W [W ...]")] = (),
    resume: bool = False,
    options: Any,
) -> None:
    """Pre-train an encoder on stores' training parts, labels unseen, and write it to OUT/model.

    Several stores make one encoder, in the layout of the first or that of --layout.

    Ctrl-C saves; the same command with --resume goes on and ends with the same weights.

    Args:
        stores: one or several stores that `hitrs import` made.
        out: folder of the run: its configuration, log, checkpoints, pictures and, at the end, the model.
        config: light, tiny, small, base, paper, or a YAML file; the options below change single values of it.
        protocol: whose training part to learn from, one for each store; its first if left out, everything if
            it has none.
        weights: how often recordings of each store come, relative to each other; the root of their number if
            left out.
        resume: go on with the run in OUT, with its own configuration.
    """
    from hitrs.experiments.runs import pretrain
    from hitrs.viz import plot_training

    whole = changed_config(options)
    done = pretrain(
        stores,
        out,
        config=whole,
        protocol=protocol or None,
        weights=weights or None,
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
