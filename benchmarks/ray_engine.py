"""What the Ray engine costs and survives on this machine: ``python benchmarks/ray_engine.py``.

Writes NTU-like ``.skeleton`` files and imports them with two processes of the local engine and two workers of
a Ray that runs already (``RAY_ADDRESS``, which must be set): seconds of each, and whether the stores are the
same; again with a worker killed at five moments, and with the command killed and given again; then with one
file a hundred times larger than the others, with the largest process of each engine. Linux. Needs Ray.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "data" / "formats"))

from ntu_files import ntu_text, person, write_corpus

from hitrs.data.importing.plan import working_folder

MOMENTS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the shards that an import has, so many are there when a worker is killed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    rows = []
    for count in arguments.files:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(Path(folder), count))
            print(json.dumps(rows[-1], indent=1), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"load": os.getloadavg()[1], "rows": rows}, indent=2) + "\n")


def measure(folder: Path, count: int) -> dict[str, Any]:
    """All figures for this number of files."""
    raw = folder / "raw"
    write_corpus(raw, count)
    shards = -(-count // min(256, max(32, -(-count // 16))))
    row: dict[str, Any] = {"files": count, "shards": shards}
    for name, options in (("local", ["--workers", "2"]), ("ray", ["--engine", "ray"])):
        row[f"{name}: seconds"], row[f"{name}: peak MB of a process"] = _import(raw, folder / name, options)
    wanted = _content(folder / "local")
    row["the same store"] = _content(folder / "ray") == wanted
    for moment in MOMENTS:
        store = folder / f"killed-{moment}"
        killed = _killed_worker(raw, store, round(moment * shards))
        row[f"a worker killed at {moment:.0%}"] = (
            ("the same store" if _content(store) == wanted else "ANOTHER STORE") if killed else "not reached"
        )
    row["the command killed at 50%, and again"] = _killed_command(raw, folder / "again", shards // 2)
    row["the same store after that"] = _content(folder / "again") == wanted
    frames = person(range(3000))
    (raw / "S001C001P001R001A001.skeleton").write_text(ntu_text({"7205": frames}, 3000))
    for name, options in (("local", ["--workers", "2"]), ("ray", ["--engine", "ray"])):
        _, row[f"{name}: the same with a file 100 times larger"] = _import(raw, folder / f"{name}2", options)
    return row


def _start(raw: Path, store: Path, options: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "hitrs", "import", str(raw), str(store), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _import(raw: Path, store: Path, options: list[str]) -> tuple[float, int]:
    """Seconds of an import, and the MB of the largest process that read."""
    start, peak, ended = time.perf_counter(), [0], threading.Event()
    process = _start(raw, store, options)

    def watch() -> None:
        while not ended.wait(0.3):
            for each in _workers(process.pid):
                try:
                    peak[0] = max(peak[0], each.memory_info().rss >> 20)
                except psutil.Error:
                    continue

    watching = threading.Thread(target=watch)
    watching.start()
    code = process.wait()
    ended.set()
    watching.join()
    assert code == 0, f"{store}: the import ended with {code}"
    return round(time.perf_counter() - start, 1), peak[0]


def _workers(pid: int) -> list[psutil.Process]:
    """Processes that read for a command: its children, and busy workers of this user's Ray."""
    found = []
    for each in psutil.process_iter(["name", "cmdline", "ppid"]):
        words = each.info["cmdline"] or [""]
        if each.info["ppid"] == pid or words[0].startswith("ray::_call"):
            found.append(each)
    return found


def _killed_worker(raw: Path, store: Path, shards: int) -> bool:
    """Import with Ray; a worker is killed as soon as so many shards are there."""
    process, killed = _start(raw, store, ["--engine", "ray"]), False
    while process.poll() is None and not killed:
        time.sleep(0.05)
        if _done(store) >= shards:
            for each in _workers(-1)[:1]:
                each.send_signal(signal.SIGKILL)
                killed = True
    assert process.wait() == 0
    return killed


def _killed_command(raw: Path, store: Path, shards: int) -> str:
    """Kill an import when so many shards are there, and give the command again."""
    process = _start(raw, store, ["--engine", "ray"])
    while process.poll() is None and _done(store) < shards:
        time.sleep(0.05)
    process.kill()
    process.wait()
    kept = _done(store)
    seconds, _ = _import(raw, store, ["--engine", "ray"])
    return f"{kept} shards kept, {seconds} s more"


def _done(store: Path) -> int:
    return len(list((working_folder(store) / "shards").glob("[0-9]*/index.json")))


def _content(store: Path) -> dict[str, str]:
    files = sorted(path for path in store.rglob("*") if path.is_file())
    return {str(p.relative_to(store)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


if __name__ == "__main__":
    main()
