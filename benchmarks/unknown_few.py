"""What a recognizer of three classes names that is none of them, by people who did not train.

    hitrs import DATA/nw_ucla stores/nw_ucla
    hitrs import DATA/utd_mhad stores/utd_mhad
    python benchmarks/unknown_few.py stores/nw_ucla stores/utd_mhad

Of each store three classes are known, three times another three, fixed before the first run. A ridge
classifier on `general` learns from the training part without the people who test (UTD-MHAD: the odd subjects
train, the even ones test; NW-UCLA: three of the ten test, seen by the third camera). Unknown are their
recordings of all other classes, and the test part of the other store. "Probability alone": the distance of
the features to those that trained is not looked at. It takes some minutes; the table is printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator

import numpy as np

import hitrs
from hitrs.data.protocol import ProtocolSplit, protocol_split
from hitrs.tasks.markdown import markdown, mean_text
from hitrs.tasks.recognition.calibration import choose_threshold
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.predict import predict
from hitrs.tasks.recognition.ridge import convolution_recognizer, ridge_recognizer
from hitrs.transforms.dataset import SkeletonDataset

TRIPLES = {"nw_ucla": ((0, 1, 2), (3, 4, 5), (6, 7, 8)), "utd_mhad": ((4, 13, 22), (5, 14, 23), (6, 15, 24))}
TESTERS = {"nw_ucla": 3, "utd_mhad": 0}
"""Last subjects of the training part that do not train, and alone test; 0: the protocol says who tests."""
FIGURES = ("recordings that train", "known, right", "known, refused", "unknown, named", "other store, named")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stores", nargs=2)
    splits = [protocol_split(hitrs.Store.open(path)) for path in parser.parse_args().stores]
    rows = []
    for split, other in (splits, splits[::-1]):
        measured: dict[str, list[np.ndarray]] = {}
        for known in TRIPLES[split.store.path.name]:
            for method, figures in results(split, known, other):
                measured.setdefault(method, []).append(figures)
        for method, each in measured.items():
            name = f"{split.store.path.name}, {method}"
            rows.append([name, *(mean_text(list(values)) for values in np.transpose(each))])
            print(*rows[-1], sep=" | ", file=sys.stderr)
    print(markdown(["%", *FIGURES], rows), end="")


def results(
    split: ProtocolSplit, known: tuple[int, ...], other: ProtocolSplit
) -> Iterator[tuple[str, np.ndarray]]:
    """Method and its figures."""
    store, encoder = split.store, hitrs.HiTRS.from_pretrained("general")
    labels, subjects = np.asarray(store.labels), np.asarray(store.subjects)
    train, test = split.train, split.test
    if count := TESTERS[store.path.name]:
        testers = np.unique(subjects[train])[-count:]
        train = train[~np.isin(subjects[train], testers)]
        test = test[np.isin(subjects[test], testers)]
    few = store.without_classes([name for n, name in enumerate(store.classes) if n not in known])
    settings = encoder.card.layout, encoder.card.preprocessing
    labeled = SkeletonDataset(few, train[np.isin(labels[train], known)], *settings)
    parts = {
        "known": SkeletonDataset(few, test[np.isin(labels[test], known)], *settings),
        "unknown": SkeletonDataset(store, test[~np.isin(labels[test], known)], *settings),
        "other": SkeletonDataset(other.store, other.test, *settings),
    }
    model = ridge_recognizer(encoder, labeled, hitrs.load_config("light"))
    convolutions = convolution_recognizer(labeled)
    yield "random convolutions", figures(convolutions, parts, len(labeled))
    yield "ridge", figures(model, parts, len(labeled))
    whole = model.confidence
    model.confidence = dataclasses.replace(
        whole, threshold=choose_threshold(model.held_out.probabilities), distance=1e9
    )
    yield "ridge, probability alone", figures(model, parts, len(labeled))
    model.confidence = whole
    model.add_convolutions(convolutions)
    yield "ridge with random convolutions", figures(model, parts, len(labeled))


def figures(model: RecognitionModel, parts: dict[str, SkeletonDataset], recordings: int) -> np.ndarray:
    """``FIGURES`` of a model."""
    answers = {}
    for name, dataset in parts.items():
        own = SkeletonDataset(dataset.store, dataset.indices, model.card.layout, model.card.preprocessing)
        answers[name] = predict(model, own)
    named = {name: answer.max(1) >= model.confidence.threshold for name, answer in answers.items()}
    right = answers["known"].argmax(1) == parts["known"].labels
    shares = right, ~named["known"], named["unknown"], named["other"]
    return np.array([recordings, *(100 * share.mean() for share in shares)])


if __name__ == "__main__":
    main()
