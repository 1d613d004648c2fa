"""What hitrs-runtime answers and costs: the figures of docs/runtime.md.

Recordings of stores go through the model here (PyTorch) and through its exported file in the runtime's
Python, as arrays with the name of their layout; and a process of that Python is timed from its start to the
answer for one recording, by the clock and in processor time, which other work beside it does not change much.

    pip wheel ./runtime -w WORK
    python -m venv WORK/environment && WORK/environment/bin/pip install WORK/hitrs_runtime-*.whl
    python benchmarks/runtime.py WORK/environment/bin/python MODEL MODEL.onnx --stores STORE... --each 50
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hitrs import Recognizer, Store
from hitrs.errors import HitrsError

CHILD = """
import json, sys
import numpy as np
import hitrs_runtime
recognizer = hitrs_runtime.Recognizer(sys.argv[1])
for path in sys.argv[2:]:
    file = np.load(path)
    fps = None if np.isnan(file["fps"]) else float(file["fps"])
    try:
        found = recognizer(file["positions"], layout=str(file["layout"]), fps=fps, resample=True)
        answer = {"scores": {each.label: each.probability for each in found.scores}, "label": found.label,
                  "notes": found.notes}
    except hitrs_runtime.HitrsError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


def answers(recognizer: Recognizer, file: Path) -> dict:
    """The same as ``CHILD`` here."""
    given = np.load(file)
    fps = None if np.isnan(given["fps"]) else float(given["fps"])
    try:
        found = recognizer(given["positions"], layout=str(given["layout"]), fps=fps, resample=True)
    except HitrsError as error:
        return {"error": str(error)}
    scores = {each.label: each.probability for each in found.scores}
    return {"scores": scores, "label": found.label, "notes": list(found.notes)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("python", type=Path)
    parser.add_argument("model")
    parser.add_argument("file", type=Path)
    parser.add_argument("--stores", type=Path, nargs="+", required=True)
    parser.add_argument("--each", type=int, default=50)
    parser.add_argument("--starts", type=int, default=20)
    options = parser.parse_args()
    recognizer = Recognizer(options.model)
    with TemporaryDirectory() as folder:
        for path in options.stores:
            store, files = Store.open(path), []
            for number in np.linspace(0, len(store) - 1, options.each).astype(int).tolist():
                recording = store[number]
                hidden = np.where(recording.valid[..., None], recording.positions, np.nan)
                files.append(Path(folder) / f"{path.name}-{number}.npz")
                fps = np.nan if recording.fps is None else recording.fps
                np.savez(files[-1], positions=hidden, layout=store.layout.name, fps=fps)
            words = [options.python, "-c", CHILD, options.file, *files]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            *lines, memory = done.stdout.splitlines()
            pairs = [
                (answers(recognizer, file), json.loads(line)) for file, line in zip(files, lines, strict=True)
            ]
            both = [(own, other) for own, other in pairs if "scores" in own and "scores" in other]
            largest = max(
                (abs(own["scores"][k] - other["scores"][k]) for own, other in both for k in own["scores"]),
                default=float("nan"),
            )
            same = sum(own.get("label") == other.get("label") for own, other in both)
            told = sum(own["notes"] == other["notes"] for own, other in both)
            refused = sum(own.get("error", 0) == other.get("error", 1) for own, other in pairs)
            print(
                f"{path.name} ({store.layout.name}): {len(pairs)} recordings, {len(both)} answered, {same} "
                f"with the same label, {told} with the same notes, {refused} refused in the same words; "
                f"largest difference of a probability {largest:.1e}; {int(memory) / 1024:.0f} MB of memory"
            )
        clock, processor = [], []
        for _ in range(options.starts):
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(
                [options.python, "-c", CHILD, options.file, files[0]], stdout=subprocess.DEVNULL, check=True
            )
            clock.append(time.perf_counter() - start)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        for kind, times in (("by the clock", clock), ("processor time", processor)):
            print(
                f"start to first answer, {kind}: {min(times):.3f} to {max(times):.3f} s, "
                f"median {np.median(times):.3f} s"
            )


if __name__ == "__main__":
    sys.exit(main())
