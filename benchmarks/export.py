"""Exported files beside PyTorch: ``python benchmarks/export.py WORK NAME=MODEL ...``.

Exports each model (a pre-trained one as its encoder) in every precision to WORK, and prints a table in
Markdown: largest difference to the model's answers, median time of both on each number of threads, size of
the file. The recordings are made up, with missing joints and bodies.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from hitrs.export import ExportedModel, export_model
from hitrs.export.encoder import encoder_graph
from hitrs.export.job import largest_difference, made_up_recording
from hitrs.models.card import PRETRAINING
from hitrs.models.card_files import read_card, resolve_pretrained
from hitrs.models.encoder import HiTRS
from hitrs.models.exported import PRECISIONS
from hitrs.tasks.base import get_task
from hitrs.tasks.markdown import markdown

SIZES = ((1, 1), (50, 1), (200, 2), (1000, 1))
"""Frames and persons."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL")
    parser.add_argument("--precisions", nargs="+", default=["fp32"], choices=PRECISIONS)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    arguments = parser.parse_args()
    rows = []
    for name, source in (each.split("=", 1) for each in arguments.models):
        card, _ = read_card(resolve_pretrained(source))
        if card.task == PRETRAINING:
            graph, card = encoder_graph(HiTRS.from_pretrained(source))
        else:
            model = get_task(card.task).load(source)
            graph, card = get_task(card.task).graph(model), model.card
        frames = graph.input.axes[0]
        sizes = [(frames, 1), (frames, 2)] if isinstance(frames, int) else SIZES
        for precision in arguments.precisions:
            done = export_model(
                graph,
                card,
                arguments.work / f"{name.replace(' ', '-')}-{precision}.onnx",
                precision=precision,
            )
            for size in sizes:
                positions = made_up_recording(graph, *size, card)
                row = [f"{name}, {precision}", f"{done.size / 1e6:.2f}", "{} x {}".format(*size)]
                for threads in arguments.threads:
                    torch.set_num_threads(threads)
                    file = ExportedModel(done.path, threads=threads)
                    if threads == arguments.threads[0]:
                        row.append(f"{largest_difference(graph, file, (size,), card):.1e}")
                    row += [f"{1000 * seconds(each, positions):.1f}" for each in (file, graph.answer)]
                rows.append(row)
    head = ["model", "file, MB", "frames x persons", "difference"]
    for threads in arguments.threads:
        head += [f"file, ms ({threads} threads)", f"PyTorch, ms ({threads} threads)"]
    print(markdown(head, rows))


def seconds(answer: Callable[[np.ndarray], np.ndarray], positions: np.ndarray, repetitions: int = 7) -> float:
    """Median time of an answer, the first one left out."""
    times = []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        answer(positions)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
