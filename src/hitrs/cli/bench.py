"""``hitrs bench``: what training, recognition, import and loading cost on this machine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from hitrs.bench.case import Case, What
from hitrs.bench.compare import RATIOS, machine_rates
from hitrs.bench.compare import run as run_case
from hitrs.bench.curves import CURVES, Quantity, measure_curve
from hitrs.cli.configfile import load_config
from hitrs.cli.console import say, show_table
from hitrs.cli.options import AsJson
from hitrs.cli.runs import machine
from hitrs.errors import ConfigError
from hitrs.viz.costs import plot_costs

_TITLES = {
    "train": "Pre-training", "recognize": "Recognition", "stream": "Online detection", "import": "Import",
    "loader": "Loader",
}  # fmt: skip


def run(
    what: Positional[What],
    *,
    config: str = "paper",
    frames: int = 80,
    persons: int = 1,
    joints: int = 25,
    batch_size: int | None = None,
    precision: Literal["no", "bf16"] = "no",
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
        what: train: updates of pre-training; recognize: from arrays to named actions; stream: a
            frame of online detection; import: files to a store; loader: batches of pre-training without the
            model.
        config: paper, base, small, tiny, or a YAML file.
        frames: frames of each recording (but stream, which goes on until its history is full).
        persons: bodies in each recording.
        joints: joints of a body.
        batch_size: recordings in a batch; if left out 16, or 1 to recognize.
        precision: no is float32.
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
    if reference is not None and (what not in ("train", "recognize") or data is not None):
        raise ConfigError("--reference is for train and recognize on random numbers, without --data")
    if curve is None and (values or plot is not None):
        raise ConfigError("--values and --plot belong to a curve; name one with --curve")
    if rounds < 1:
        raise ConfigError(f"--rounds must be at least 1, got {rounds}")
    whole = load_config(config)
    if reference is not None:  # what the plain computation has
        whole = dataclasses.replace(whole, pretext=dataclasses.replace(whole.pretext, views=0.0))
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
    tell = _nothing if as_json else say
    facts = {
        "what": what, "config": config, "frames": frames, "persons": persons, "joints": joints,
        "batch_size": case.batch_size, "precision": precision, "data": case.data, **machine_rates(threads),
    }  # fmt: skip
    if curve is None:
        result = facts | run_case(case, rounds=rounds, reference=reference is not None, tell=tell)
    else:
        points = measure_curve(
            case, curve, values or CURVES[curve], rounds=rounds, reference=reference is not None, tell=tell
        )
        result = facts | {"curve": curve, "points": points}
        if plot is not None:
            plot_costs(points, curve, plot, title=f"{_TITLES[what]}, configuration {config}")
    if as_json:
        say(json.dumps({**result, **machine()}))
        return
    say(
        f"matrix products {facts['gemm_float32_gflops']:.0f} GFLOP/s in float32, "
        f"{facts['gemm_bfloat16_gflops']:.0f} in bfloat16"
    )
    _show(result.get("points", [result]), curve)
    if plot is not None:
        say(f"plot        {plot}")


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
    show_table([*headers, *["times faster", "in CPU time", "less memory"][: len(RATIOS) * paired]], rows)


def _figures(found: dict[str, Any]) -> list[str]:
    return [
        f"{found['sequences_per_second']:.1f}",
        f"{found['milliseconds_p50']:.1f}",
        f"{found['milliseconds_p99']:.1f}",
        f"{1000 * found['cpu_seconds_per_step']:.1f}",
        f"{found['peak_memory_bytes'] / 1e9:.2f}",
    ]


def _nothing(_: str) -> None:
    pass
