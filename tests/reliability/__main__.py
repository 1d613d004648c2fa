"""``python tests/reliability NAME``: a campaign in full, and its rows of docs/reliability.md.

``all`` runs them one after another; ``--count`` and ``--seed`` change how often and what is drawn.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / each) for each in ("data/formats", "data", ""))]

from campaign import HEAD  # noqa: E402

CAMPAIGNS = ("fuzz", "kills", "starts", "full_disk", "hostile", "streams", "reader_memory")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=(*CAMPAIGNS, "all"))
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    names = CAMPAIGNS if arguments.name == "all" else (arguments.name,)
    details, faults = [], []
    print(HEAD)
    for name in names:
        module = importlib.import_module(name)
        count = arguments.count or module.COUNT
        command = f"python tests/reliability {name} --count {count} --seed {arguments.seed}"
        with tempfile.TemporaryDirectory() as folder:
            for report in module.reports(count, arguments.seed, Path(folder)):
                print(report.row(command), flush=True)
                details += [report.details] if report.details else []
                faults += report.faults
    for text in (*details, *faults):
        print(f"\n{text}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
