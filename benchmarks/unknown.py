"""How well a recognizer says "none of these", and how far its probabilities can be believed.

    hitrs import DATA/utd_mhad stores/utd_mhad
    python benchmarks/unknown.py stores/utd_mhad WORK

Three of the 27 classes of UTD-MHAD do not train, three times another three: every ninth of the data set's
list, fixed before the first run. Subjects 1, 3 and 5 train, subject 7 chooses temperature and threshold, the
even subjects test. A ridge classifier has no validation subject: it learns from all four, and
cross-validation chooses. Each finished run is a file in ``results/unknown``, and is not run again; the
table is printed.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import hitrs
from hitrs.data.protocol import protocol_split
from hitrs.files import read_json, write_json
from hitrs.models.card_files import GENERAL
from hitrs.tasks.markdown import markdown, mean_text
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.ridge import convolution_recognizer, ridge_recognizer
from hitrs.tasks.recognition.task import TASK
from hitrs.transforms.dataset import SkeletonDataset

RESULTS = Path(__file__).parents[1] / "results" / "unknown"
PROTOCOL, VALIDATION = "odd-even", "7"
FIRST = (4, 5, 6)
"""The first class that is left out in each of the runs; then every ninth."""
STEPS = 3000
METHODS = ("fine-tuned", "ridge", "random convolutions", "ridge with random convolutions")
FIGURES = {
    "top1": "top-1 of known classes",
    "error before": "calibration error before",
    "calibration_error": "after",
    "refused": "known, refused",
    "unknown_named": "unknown, named",
    "unknown_auroc": "AUROC",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("work", type=Path)
    given = parser.parse_args()
    store = hitrs.Store.open(given.store)
    rows = []
    for method in METHODS:
        results = [measured(method, first, store, given.work) for first in FIRST]
        rows.append([method, *(mean_text([result[key] for result in results]) for key in FIGURES)])
    print(markdown(["%", *FIGURES.values()], rows), end="")


def measured(method: str, first: int, store: hitrs.Store, work: Path) -> dict[str, Any]:
    """The figures of one run."""
    file = RESULTS / f"{method.replace(' ', '-')}-{first}.json"
    if not file.exists():
        unknown = store.classes[first::9]
        model = made(method, first, store, unknown, work)
        split = protocol_split(store, PROTOCOL)
        figures = dict(TASK.evaluate([model], split)["all"])
        model.confidence = dataclasses.replace(model.confidence, temperature=1.0)
        before = TASK.evaluate([model], split)["all"]["calibration_error"]
        shown = {key: {**figures, "error before": before}[key] for key in FIGURES}
        counts = {key: figures[key] for key in ("recordings", "unknown_recordings")}
        RESULTS.mkdir(parents=True, exist_ok=True)
        write_json(file, {"method": method, "unknown": unknown, **counts, **shown})
    return read_json(file)


def made(
    method: str, first: int, store: hitrs.Store, unknown: tuple[str, ...], work: Path
) -> RecognitionModel:
    """A recognizer that does not know the unknown classes."""
    if method == "fine-tuned":
        config = hitrs.load_config(GENERAL / "config.yaml", {"recognize.optim.steps": STEPS})
        folder = work / f"unknown-{first}"
        run = hitrs.finetune(
            store,
            folder,
            start="general",
            config=config,
            protocol=PROTOCOL,
            validation_subjects=[VALIDATION],
            unknown_classes=unknown,
            resume=folder.exists(),
            notify=print,
        )
        return RecognitionModel.from_pretrained(run.model)
    encoder = hitrs.HiTRS.from_pretrained("general")
    split = protocol_split(store.without_classes(unknown), PROTOCOL)
    labeled = SkeletonDataset(split.store, split.train, encoder.card.layout, encoder.card.preprocessing)
    if method == "random convolutions":
        return convolution_recognizer(labeled)
    model = ridge_recognizer(encoder, labeled, hitrs.load_config("light"))
    if method != "ridge":
        model.add_convolutions(convolution_recognizer(labeled))
    return model


if __name__ == "__main__":
    main()
