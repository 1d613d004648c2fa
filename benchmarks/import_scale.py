"""How importing and reading grow with the number of files: ``python benchmarks/import_scale.py``.

Writes NTU-like ``.skeleton`` files (20 to 40 frames, with the dirt of real ones), imports them with one and
two processes, kills an import and continues it, reads batches at random, prints a table and deletes all.
Linux and macOS.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "data" / "formats"))

from ntu_files import write_corpus

from hitrs.data import Store
from hitrs.data.importing.plan import working_folder

BATCH, SECONDS = 64, 10.0
_MAXRSS = 1 << 20 if sys.platform == "darwin" else 1 << 10  # bytes there, kilobytes elsewhere


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 20_000])
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    rows = []
    for count in arguments.files:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(Path(folder), count))
            print(json.dumps(rows[-1]), flush=True)
    load = os.getloadavg()[1]
    machine = {
        "load average": round(load, 1),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    table = Table(*["", *(f"{row['files']:,} files" for row in rows)])
    for key in rows[0]:
        table.add_row(key, *(f"{row[key]:,}" if key != "files" else "" for row in rows))
    Console().print(table)


def measure(folder: Path, count: int) -> dict[str, Any]:
    """All figures for this number of files."""
    raw = folder / "raw"
    write_corpus(raw, count)
    size = sum(file.stat().st_size for file in raw.iterdir())
    row: dict[str, Any] = {"files": count, "raw MB": round(size / 1e6, 1)}
    for workers in (1, 2):
        seconds, busy, peak = _import(raw, folder / f"store{workers}", workers)
        title = f"{workers} process{'es' * (workers > 1)}"
        row[f"{title}: seconds"] = round(seconds, 1)
        row[f"{title}: files a second"] = round(count / seconds)
        row[f"{title}: seconds of processor time"] = round(busy, 1)  # tells on a machine that is shared
        row[f"{title}: peak MB of the largest"] = round(peak)
    found = _content(folder / "store1")
    row["store / raw, %"] = round(100 * sum(length for length, _ in found.values()) / size, 1)
    left = _killed(raw, folder / "store3")
    row["shards kept when killed, %"] = left
    seconds, *_ = _import(raw, folder / "store3", 2)
    row["seconds to continue"] = round(seconds, 1)
    row["stores that are the same"] = (
        sum(_content(folder / name) == found for name in ("store2", "store3")) + 1
    )
    wall, busy = _batches(folder / "store1")
    row[f"batches of {BATCH} a second"] = round(wall)
    row[f"batches of {BATCH} a second of processor time"] = round(busy)
    return row


def _command(raw: Path, store: Path, workers: int) -> list[str]:
    return [sys.executable, "-m", "hitrs", "import", str(raw), str(store), "--workers", str(workers)]


def _import(raw: Path, store: Path, workers: int) -> tuple[float, float, float]:
    """Seconds, those of the processor over all processes, and MB of the largest process."""
    start = time.perf_counter()
    process = subprocess.Popen(_command(raw, store, workers), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the import failed with {status}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _MAXRSS


def _killed(raw: Path, store: Path) -> float:
    """Kill an import in its midst; percentage of the shards that are done."""
    of = len(list((raw.parent / "store1" / "shards").iterdir()))
    shards = working_folder(store) / "shards"
    process = subprocess.Popen(_command(raw, store, 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not shards.is_dir() or len(list(shards.iterdir())) < of // 2:
        if process.poll() is not None:
            raise SystemExit("the import ended before it could be killed; take more files")
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(2)  # its workers notice, and end
    return round(100 * len([each for each in shards.iterdir() if not each.name.startswith(".")]) / of, 1)


def _content(store: Path) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of each file."""
    return {
        str(file.relative_to(store)): (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
        for file in sorted(store.rglob("*"))
        if file.is_file()
    }


def _batches(path: Path) -> tuple[float, float]:
    """Batches a second, by the clock and by the processor: random recordings, copied out of the store."""
    store, rng = Store.open(path), np.random.default_rng(0)
    done, start, busy = 0, time.perf_counter(), time.process_time()
    while (took := time.perf_counter() - start) < SECONDS:
        for index in rng.integers(len(store), size=BATCH):
            np.array(store.positions(int(index)))
            store.valid(int(index))
        done += 1
    return done / took, done / (time.process_time() - busy)


if __name__ == "__main__":
    main()
