"""Random convolutions as a public tool computes them: aeon's MultiRocketHydraClassifier on our recordings.

It measures whether our own bank (`do: convolutions` in a plan) is as good, on the same recordings, subsets of
labels and copies. aeon wants an older numpy, so it has an environment of its own, and a file goes between:

    python -m venv peer && peer/bin/pip install -c constraints/peer.txt aeon torch
    python benchmarks/peer.py prepare stores/nw_ucla cross-view arrays.npz --fraction 0.1 --subset 0
    peer/bin/python benchmarks/peer.py fit arrays.npz

Positions are centered on the first frame's pelvis, turned to face the camera and resampled to 48 frames; each
training recording comes with turned and scaled copies. `fit` prints a line of JSON: accuracy on all test
recordings, and on those without duplicates.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np


def prepare(arguments: argparse.Namespace) -> None:
    """Write sequences (N, channels, frames), labels, and which test recordings are duplicates."""
    from hitrs.config import load_config
    from hitrs.data.protocol import protocol_split
    from hitrs.data.store import Store
    from hitrs.experiments.label_subsets import read_label_subset
    from hitrs.models.convolutions import convolution_settings
    from hitrs.tasks.recognition.ridge import body_sequences, turned_and_scaled
    from hitrs.transforms.dataset import SkeletonDataset

    store = Store.open(arguments.store)
    split = protocol_split(store, arguments.protocol, np.asarray(store.labels) >= 0)
    train = split.train
    if arguments.fraction < 1:
        name = f"{Path(arguments.store).name}-{arguments.protocol}.json"
        lists = Path(__file__).parent / "label_subsets" / "recognition" / name
        train = read_label_subset(store, train, arguments.fraction, arguments.subset, lists)
    settings = convolution_settings(load_config("light").preprocessing)

    def sequences(indices: np.ndarray, view: int) -> np.ndarray:
        dataset = SkeletonDataset(store, indices, store.layout, settings)
        change = turned_and_scaled(dataset, view) if view else None
        parts = []
        for which in np.array_split(np.arange(len(dataset)), -(-len(dataset) // 64)):
            batch = dataset.batch(which)
            values, recording = body_sequences(change(batch) if change else batch, settings, store.layout)
            if len(recording) != len(which):
                raise SystemExit(f"{store.path}: every recording must show one body")
            parts.append(values.numpy())
        return np.concatenate(parts)

    labels = np.asarray(store.labels)
    views = range(arguments.copies + 1)
    np.savez(
        arguments.file,
        train=np.concatenate([sequences(train, view) for view in views]),
        labels=np.tile(labels[train], len(views)),
        test=sequences(split.test, 0),
        truth=labels[split.test],
        duplicate=np.isin(split.test, split.duplicates),
    )


def fit(arguments: argparse.Namespace) -> None:
    """Fit aeon's classifier and print its accuracy."""
    from aeon.classification.convolution_based import MultiRocketHydraClassifier

    arrays = np.load(arguments.file)
    began = time.perf_counter()
    classifier = MultiRocketHydraClassifier(random_state=arguments.seed)
    classifier.fit(arrays["train"], arrays["labels"])
    right = classifier.predict(arrays["test"]) == arrays["truth"]
    figures = {
        "all": round(100 * float(right.mean()), 2),
        "deduplicated": round(100 * float(right[~arrays["duplicate"]].mean()), 2),
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    first = commands.add_parser("prepare", help="in the environment of hitrs")
    first.add_argument("store")
    first.add_argument("protocol")
    first.add_argument("file")
    first.add_argument("--fraction", type=float, default=1.0)
    first.add_argument("--subset", type=int, default=0)
    first.add_argument("--copies", type=int, default=3)
    first.set_defaults(run=prepare)
    second = commands.add_parser("fit", help="in the environment of aeon")
    second.add_argument("file")
    second.add_argument("--seed", type=int, default=0)
    second.set_defaults(run=fit)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
