"""``hitrs bench``: what training, recognition, import and loading cost on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from hitrs.bench.case import CURVES, RATIOS, Case, Quantity, What
from hitrs.cli.console import print_line, print_nothing, print_table
from hitrs.cli.options import AsJson
from hitrs.config import load_config
from hitrs.errors import ConfigError

_TITLES = {
    "train": "Pre-training", "recognize": "Recognition", "stream": "Online detection", "import": "Import",
    "loader": "Loader",
}  # fmt: skip
_PLAIN = {
    "pretext.views": 0.0, "pretext.clip_motion": 0.0, "preprocessing.stream": "joint",
    "recognize.head.features": "video",
}  # fmt: skip
"""What the plain computation lacks: it is that of the paper."""


def run(
    what: Positional[What],
    *,
    config: str = "paper",
    frames: int = 80,
    persons: int = 1,
    joints: int = 25,
    batch_size: int | None = None,
    precision: Literal["fp32", "bf16"] = "fp32",
    data: Annotated[Path | None, arg(metavar="PATH")] = None,
    recordings: int = 400,
    reference: Literal["plain"] | None = None,
    curve: Quantity | None = None,
    values: tuple[int, ...] = (),
    plot: Annotated[Path | None, arg(metavar="FILE")] = None,
    rounds: int = 3,
    seconds: float = 8.0,
    threads: int | None = None,
    as_json: AsJson = False,
) -> None:
    """Measure time and memory, each time in a process of its own, with the machine's matrix products beside.

    Figures are medians over the rounds. Recordings are random numbers of the given size: cost does not depend
    on what is in them.

    Args:
        what: train: steps of pre-training; recognize: from arrays to named actions; stream: a
            frame of online detection; import: files to a store; loader: batches of pre-training without the
            model.
        config: light, tiny, small, base, paper, or a YAML file.
        frames: frames of each recording (but stream, which goes on until its history is full).
        persons: bodies in each recording.
        joints: joints of a body.
        batch_size: recordings in a batch; if left out 16, or 1 to recognize.
        precision: of the forward pass.
        data: a store to train on or load from, or a folder to import, in place of random numbers.
        recordings: how many are imported or loaded, if there is no data.
        reference: plain: measure in turns with ours the paper's computation written out plainly (every token
            of every layer, float32, padded, two body slots; the four tasks in both), and the ratio.
        curve: how cost grows with this quantity.
        values: of the curve.
        plot: picture of the curve (.png, .svg or .pdf).
        rounds: measurements, or pairs of them, to take the median of.
        seconds: how long each measures, at least.
        threads: threads to compute with.
        as_json: print the result as one JSON object on the last line.
    """
    from hitrs.bench.compare import machine_rates, measure_curve, measure_rounds
    from hitrs.training.run_folder import machine
    from hitrs.viz.costs import plot_costs

    if reference is not None and (what not in ("train", "recognize") or data is not None):
        raise ConfigError("--reference is for train and recognize on random numbers, without --data")
    if curve is None and (values or plot is not None):
        raise ConfigError("--values and --plot belong to a curve; name one with --curve")
    if rounds < 1:
        raise ConfigError(f"--rounds must be at least 1, got {rounds}")
    whole = load_config(config)
    if reference is not None:
        if whole.model.side_by_side:
            raise ConfigError(
                f"--reference is for the paper's clips; those of {config} stand side by side; leave it out"
            )
        whole = whole.changed(_PLAIN)
    case = Case(
        what=what,
        config=whole,
        frames=frames,
        persons=persons,
        joints=joints,
        batch_size=batch_size or (1 if what in ("recognize", "stream") else 16),
        precision=precision,
        data=None if data is None else str(data),
        recordings=recordings,
        seconds=seconds,
        threads=threads,
    )
    report = print_nothing if as_json else print_line
    facts = {
        "what": what, "config": config, "frames": frames, "persons": persons, "joints": joints,
        "batch_size": case.batch_size, "precision": precision, "data": case.data, **machine_rates(threads),
    }  # fmt: skip
    if curve is None:
        result = facts | measure_rounds(case, rounds=rounds, reference=reference is not None, report=report)
    else:
        points = measure_curve(
            case,
            curve,
            values or CURVES[curve],
            rounds=rounds,
            reference=reference is not None,
            report=report,
        )
        result = facts | {"curve": curve, "points": points}
        if plot is not None:
            plot_costs(points, curve, plot, title=f"{_TITLES[what]}, configuration {config}")
    if as_json:
        print_line(json.dumps({**result, **machine()}))
        return
    print_line(
        f"matrix products {facts['gemm_float32_gflops']:.0f} GFLOP/s in float32, "
        f"{facts['gemm_bfloat16_gflops']:.0f} in bfloat16"
    )
    _show(result.get("points", [result]), curve)
    if plot is not None:
        print_line(f"plot        {plot}")


def _show(points: list[dict[str, Any]], curve: str | None) -> None:
    paired = any("reference" in point for point in points)
    rows = []
    for point in points:
        value = "" if curve is None else f"{curve} {point[curve]}, "
        ratios = [f"{point[name]:.2f}" for name in RATIOS if name in point]
        rows.append([f"{value}ours", *_figures(point), *(ratios or [""] * len(RATIOS) * paired)])
        if "reference" in point:
            rows.append([f"{value}plain", *_figures(point["reference"]), *[""] * len(RATIOS)])
    headers = ["", "sequences/s", "ms a step", "99th percentile", "CPU ms", "peak GB"]
    print_table([*headers, *["times faster", "in CPU time", "less memory"][: len(RATIOS) * paired]], rows)


def _figures(measured: dict[str, Any]) -> list[str]:
    return [
        f"{measured['sequences_per_second']:.1f}",
        f"{measured['milliseconds_p50']:.1f}",
        f"{measured['milliseconds_p99']:.1f}",
        f"{1000 * measured['cpu_seconds_per_step']:.1f}",
        f"{measured['peak_memory_bytes'] / 1e9:.2f}",
    ]
