"""``hitrs demo``: the whole way on synthetic motion."""

from __future__ import annotations

from pathlib import Path

from hitrs.cli.options import RunFolder, Size


def run(
    *,
    out: RunFolder = Path("demo"),
    size: Size = "default",
    config: str = "tiny",
) -> None:
    """Generate motion, pre-train on it without labels, use the encoder for each task, and write a report.

    A few minutes on two cores. Recognition compares, with the same 5 labels a class: fine-tuning the
    pre-trained encoder, training from scratch with as many steps, and the nearest neighbor on positions.
    Detection finds actions in longer recordings; prediction continues movements.

    Args:
        out: folder for everything; the one that an earlier demo made is replaced.
        size: how much motion to generate.
        config: paper, base, small, light, tiny, or a YAML file.
    """
    from hitrs.cli.demo_steps import run_demo

    run_demo(out, size, config)
