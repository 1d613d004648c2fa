"""PKU-MMD from files to scores: import, labels of frames, proposals, text, both scorers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from scenes import spans

from hitrs.data import Store, import_dataset
from hitrs.errors import DataError
from hitrs.tasks.detection.detection import Detection
from hitrs.tasks.detection.files import read_pku, write_pku
from hitrs.tasks.detection.metrics.score import score_detection
from hitrs.tasks.detection.segments import SegmentSettings, propose
from hitrs.tasks.detection.truth import frame_labels, to_proposals

FRAMES = 60
LABELS = {"0002-L": "3,41,60,1\n10,1,20,2\n", "0002-M": "3,11,30,1\n", "0003-R": "51,5,24,1\n3,31,50,1\n"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    rng = np.random.default_rng(0)
    for kind in ("skeletons", "labels"):
        (tmp_path / "source" / kind).mkdir(parents=True)
    for name, text in LABELS.items():
        values = np.c_[rng.normal(size=(FRAMES, 75)), np.zeros((FRAMES, 75))].round(4)
        lines = "\n".join(" ".join(map(str, row)) for row in values.tolist())
        (tmp_path / "source" / "skeletons" / f"{name}.txt").write_text(lines + "\n")
        (tmp_path / "source" / "labels" / f"{name}.txt").write_text(text)
    return import_dataset(tmp_path / "source", tmp_path / "store")


def probabilities(labels: np.ndarray, n_classes: int, sure: float = 0.875) -> np.ndarray:
    """Of a detector that is right everywhere."""
    values = np.full((len(labels), n_classes + 1), (1 - sure) / n_classes)
    values[np.arange(len(labels)), labels] = sure
    return values


def scored(store: Store, folder: Path, labels: list[np.ndarray]) -> dict:
    """Through the text files and back."""
    detections = []
    for recording, own in zip(store, labels, strict=True):
        proposals = tuple(propose(probabilities(own, len(store.classes)), SegmentSettings()))
        detections.append(Detection(recording.name, recording.n_frames, 30.0, proposals, store.classes))
    write_pku(folder, detections)
    return score_detection(
        [to_proposals(r.segments, r.n_frames, store.classes) for r in store],
        [read_pku(folder / f"{r.name}.txt", len(store.classes), r.n_frames) for r in store],
        [frame_labels(r.segments, r.n_frames, store.classes) for r in store],
        labels,
        store.classes,
    )


def test_a_detector_that_is_right_scores_1_both_ways(store, tmp_path):
    labels = [frame_labels(r.segments, r.n_frames, store.classes) for r in store]
    scores = scored(store, tmp_path / "found", labels)
    assert (tmp_path / "found" / "0002-L.txt").read_text().startswith("10,1,20,0.875\n")
    assert (scores["recordings"], scores["segments"]) == (3, 5)
    keys = ("voc/map@0.95", "pku/map_action@0.95", "pku/map_video@0.95", "pku/2d_ap", "frame/f1@50")
    assert [scores[key] for key in keys] == pytest.approx([1] * 5)
    assert scores["voc/ap@0.5"]["3"] == 1
    assert scores["voc/ap@0.5"]["4"] is None


def test_the_two_scorers_differ_where_their_rules_do(store, tmp_path):
    """0002-M: only frames 11 to 20 of 11 to 30 are found: 10/20 as frames, 9/19 as PKU-MMD's numbers."""
    labels = [frame_labels(r.segments, r.n_frames, store.classes) for r in store]
    labels[1][20:30] = len(store.classes)
    scores = scored(store, tmp_path / "found", labels)
    assert scores["voc/map@0.5"] == 1
    # Equal scores rank by recording: class 3 has right, wrong, right; classes 10 and 51 are right.
    assert scores["pku/map_action@0.5"] == pytest.approx(((1 + 2 / 3) / 3 + 1 + 1) / 3)
    assert scores["pku/map_video@0.5"] == pytest.approx(2 / 3)
    assert scores["pku/f1@0.5"] == pytest.approx(4 / 5)
    assert scores["frame/accuracy"] == pytest.approx(170 / 180)


@given(spans())
def test_text_keeps_proposals(tmp_path_factory, proposals):
    folder = tmp_path_factory.mktemp("text")
    write_pku(folder, [Detection("found", FRAMES, 30.0, tuple(proposals), ("a", "b", "c"))])
    assert read_pku(folder / "found.txt", 3) == sorted(proposals, key=lambda p: (p.start, p.stop, p.label))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4,1,5,0.5", r"found\.txt: there is no class 4; classes are 1 to 3"),
        ("1,1,61,0.5", "frames 1 to 61, but the recording has 60"),
        ("1,9,5,0.5", "line 1: frames 9 to 5"),
        ("1,0,5,0.5", "line 1: frames 0 to 5"),
        ("1,2,5,0.5\nwave,1,5,1", "line 2"),
    ],
)
def test_wrong_proposals_are_told(tmp_path, text, message):
    (tmp_path / "found.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_pku(tmp_path / "found.txt", 3, FRAMES)
