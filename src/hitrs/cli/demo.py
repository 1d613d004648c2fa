"""``hitrs demo``: the whole way on synthetic motion."""

from __future__ import annotations

from pathlib import Path

from hitrs.cli.options import RunFolder, Size


def run(
    *,
    out: RunFolder = Path("demo"),
    size: Size = "default",
    recognition: str = "light",
    config: str = "tiny",
) -> None:
    """Generate motion, pre-train on it without labels, make a model for each task, and write a report.

    A few minutes on two cores. Recognition compares, with the same 5 labels a class: fine-tuning a
    pre-trained encoder, training from scratch with as many steps, and what needs no training. Detection finds
    actions in longer recordings and prediction continues movements, both trained from scratch.

    Args:
        out: folder for everything; the one that an earlier demo made is replaced.
        size: how much motion to generate.
        recognition: configuration of recognition: light (which is cut short), another name, or a YAML file.
        config: configuration of detection and prediction, likewise.
    """
    from hitrs.cli.demo_steps import run_demo

    run_demo(out, size, recognition, config)
