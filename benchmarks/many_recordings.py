"""How a store grows with the number of its recordings: ``python benchmarks/many_recordings.py``.

Writes stores of so many recordings of three frames and five joints, 183 bytes each, with the writer that all
stores are made with; opens each in a new process, draws random batches, shuffles a round of training, runs
`hitrs inspect`, prints the table of docs/large.md and deletes all. With ``--folder`` the stores stay, and
those that are there are not written again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from hitrs.data import Recording, Store, write_store
from hitrs.skeleton import Layout
from hitrs.training.order import shuffled
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

FRAMES, BATCH, SECONDS = 3, 64, 10.0
LAYOUT = Layout(
    name="stick",
    joints=("pelvis", "head", "left_hand", "right_hand", "foot"),
    parents=(0, 0, 0, 0, 0),
    pairs=((2, 3),),
    center=0,
)
CLASSES = tuple("abcdefgh")
_KILO = 1 << (20 if sys.platform == "darwin" else 10)  # of ru_maxrss: bytes there, kilobytes elsewhere


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 10_000_000])
    parser.add_argument("--folder", type=Path, help="where the stores are made, and stay")
    arguments = parser.parse_args()
    rows = []
    temporary = tempfile.TemporaryDirectory() if arguments.folder is None else nullcontext(arguments.folder)
    with temporary as folder:
        for count in arguments.counts:
            path = Path(folder) / f"{count}"
            row: dict[str, Any] = {"recordings": count}
            if not path.exists():
                row |= in_new_process(written, path, count)
            row |= in_new_process(used, path)
            row |= inspected(path)
            rows.append(row)
            print(json.dumps(row), flush=True)
    table = Table("", *(f"{row['recordings']:,}" for row in rows))
    for key in rows[-1]:
        table.add_row(key, *(f"{row[key]:,}" if key in row else "" for row in rows))
    Console().print(table)


def in_new_process(function: Any, *given: Any) -> dict[str, Any]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        result: dict[str, Any] = pool.submit(function, *given).result()
    return result


def recordings(count: int) -> Iterator[Recording]:
    rng = np.random.default_rng(0)
    valid = np.ones((FRAMES, 1, LAYOUT.n_joints), bool)
    for first in range(0, count, 4096):
        block = rng.normal(size=(4096, FRAMES, 1, LAYOUT.n_joints, 3)).astype(np.float32)
        for number in range(first, min(count, first + 4096)):
            yield Recording(
                block[number - first], valid, LAYOUT, f"{number:08}", fps=30.0, label=CLASSES[number % 8],
                subject=f"p{number % 1000}",
            )  # fmt: skip


def written(path: Path, count: int) -> dict[str, Any]:
    start = time.perf_counter()
    protocols = {"odd": lambda each: "train" if int(each.name) % 2 else "test"}
    write_store(path, recordings(count), layout=LAYOUT, classes=CLASSES, protocols=protocols)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return {
        "writing: seconds": round(time.perf_counter() - start, 1),
        "writing: peak MB": round(psutil.Process().memory_info().rss / 1e6)
        if sys.platform == "win32"
        else round(_peak() * _KILO / 1e6),
        "store: MB": round(size / 1e6),
    }


def _peak() -> int:
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def memory() -> tuple[int, int]:
    """MB of this process: its own, and those of mapped files, which the system may have back (Linux)."""
    found = psutil.Process().memory_info()
    mapped = getattr(found, "shared", 0)
    return round((found.rss - mapped) / 1e6), round(mapped / 1e6)


def used(path: Path) -> dict[str, Any]:
    """What opening and reading take in a process that has imported everything."""
    before = memory()
    start = time.perf_counter()
    store = Store.open(path)
    opened = time.perf_counter() - start
    after = memory()
    rng = np.random.default_rng(0)
    done, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < SECONDS:
        for index in rng.integers(len(store), size=BATCH).tolist():
            np.array(store.positions(index))
            store.valid(index)
        done += 1
    reads = done / took
    start = time.perf_counter()
    dataset = SkeletonDataset(store, np.arange(len(store)), LAYOUT, PreprocessingConfig())
    made = time.perf_counter() - start
    start = time.perf_counter()
    shuffled(len(dataset), 0, BATCH, seed=0)
    shuffle = time.perf_counter() - start
    done, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < SECONDS:
        dataset.batch(shuffled(len(dataset), done * BATCH, BATCH, seed=0))
        done += 1
    end = memory()
    return {
        "opening: seconds": round(opened, 2),
        "opening: MB of its own": after[0] - before[0],
        "opening: MB of mapped files": after[1] - before[1],
        f"random batches of {BATCH} a second, read": round(reads),
        "data set of all: seconds": round(made, 2),
        "shuffling a round: seconds": round(shuffle, 2),
        f"batches of {BATCH} a second, preprocessed": round(done / took),
        "all of this: MB of its own": end[0] - before[0],
        "all of this: MB of mapped files": end[1] - before[1],
    }


def inspected(path: Path) -> dict[str, Any]:
    start = time.perf_counter()
    command = [sys.executable, "-m", "hitrs", "inspect", str(path)]
    if not hasattr(os, "wait4"):
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return {"hitrs inspect: seconds": round(time.perf_counter() - start, 1)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"hitrs inspect ended with {status}")
    return {
        "hitrs inspect: seconds": round(time.perf_counter() - start, 1),
        "hitrs inspect: peak MB, mapped files included": round(usage.ru_maxrss * _KILO / 1e6),
    }


if __name__ == "__main__":
    main()
