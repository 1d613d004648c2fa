"""Metrics against hand-computed cases."""

import numpy as np

from factories import LAYOUT
from hitrs.data.protocol import protocol_split
from hitrs.data.recording import Recording
from hitrs.data.store import write_store
from hitrs.tasks.recognition.metrics import recognition_metrics, split_metrics


def test_top1_top5_per_class_and_confusion_by_hand():
    scores = np.eye(6)[[0, 1, 1, 3]] + 0.01 * np.arange(6)  # predicted 0, 1, 1, 3; after that 5, 4, 3, ...
    metrics = recognition_metrics(scores, np.array([0, 1, 0, 2]))
    assert metrics["top1"] == 50.0
    assert (
        metrics["top5"] == 75.0
    )  # class 0 stands sixth behind 1, 5, 4, 3, 2; class 2 stands fourth behind 3, 5, 4
    assert metrics["per_class"] == [50.0, 100.0, 0.0, None, None, None]
    assert metrics["confusion"][0] == [1, 1, 0, 0, 0, 0]
    assert metrics["recordings"] == 4


def test_ties_count_against_the_truth():
    # a 1-NN vote leaves all other classes at 0: they must not all count as second best
    scores = np.zeros((1, 7))
    scores[0, 3] = 1
    assert recognition_metrics(scores, np.array([0]))["top5"] == 0.0


def test_top5_says_nothing_about_five_classes():
    assert recognition_metrics(np.eye(5), np.arange(5))["top5"] is None


def store_with_a_duplicate(path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 9, 1, LAYOUT.n_joints, 3)).astype(np.float32)

    def recordings():
        for n, name in enumerate(("a", "b", "c", "d", "duplicate of a", "new")):
            yield Recording(
                positions=values[0 if name == "duplicate of a" else n],
                valid=np.ones(values.shape[1:4], bool),
                layout=LAYOUT,
                name=name,
                label=("x", "y")[n % 2],
            )

    parts = {"duplicate of a": "test", "new": "test"}
    return write_store(
        path,
        recordings(),
        layout=LAYOUT,
        classes=("x", "y"),
        protocols={"p": lambda r: parts.get(r.name, "train")},
        meta={},
    )


def test_duplicates_of_training_recordings_are_left_out_of_a_part_of_their_own(tmp_path):
    split = protocol_split(store_with_a_duplicate(tmp_path / "s"))
    assert (len(split.train), len(split.test), len(split.duplicates)) == (4, 2, 1)
    metrics = split_metrics(np.array([[1.0, 0.0], [1.0, 0.0]]), split, split.store.classes)
    assert metrics["all"]["top1"] == 50.0
    assert metrics["deduplicated"]["recordings"] == 1
    assert metrics["deduplicated"]["top1"] == 0.0
