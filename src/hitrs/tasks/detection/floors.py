"""What a detector has to beat: the most frequent class everywhere, and the nearest neighbor of each frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hitrs.data.protocol import ProtocolSplit
from hitrs.errors import counted
from hitrs.models.card import ModelCard
from hitrs.tasks.base import Metrics, drawn
from hitrs.tasks.detection.job import SEGMENTS
from hitrs.tasks.detection.metrics.score import score_detection, to_percent
from hitrs.tasks.detection.segments import propose
from hitrs.tasks.detection.truth import true_labels, true_segments
from hitrs.transforms.dataset import SkeletonDataset

FRAMES = 16_384
"""Most training frames in which a neighbor is looked for."""
COMPARISONS = 2_000_000_000
"""Most pairs of a training and a test frame: half a minute of one core."""
CHUNK = 4096
"""Test frames at a time."""


def detection_floors(
    split: ProtocolSplit, card: ModelCard, tell: Callable[[str], None] = lambda line: None
) -> dict[str, Metrics]:
    """Scores of both on the test part, in percent; frames become segments as where nobody chose how.

    Args:
        card: of the model beside which they stand, for its classes, layout and preprocessing.
        tell: called with what is done, and where not all of the training part is used.
    """
    # the training part may show a class that the model does not know
    classes = tuple(dict.fromkeys([*card.classes, *split.store.classes]))
    train, test = (
        SkeletonDataset(split.store, part, card.layout, card.preprocessing)
        for part in (split.train, split.test)
    )
    labels = np.concatenate(true_labels(train, classes))
    most = max(1, min(FRAMES, COMPARISONS // int(test.frames.sum())))
    chosen = drawn(np.arange(len(labels)), most)
    tell(
        "beside it the most frequent class, and the nearest neighbor of each frame among "
        f"{counted(len(chosen), 'training frame')}"
    )
    if len(chosen) < len(labels):
        tell(f"note: neighbors are looked for in {len(chosen)} of {len(labels)} frames, drawn at random")
    nearest = _nearest(train, chosen, labels[chosen], test)
    majority = int(np.bincount(labels).argmax())
    constant = [np.full(int(count), majority) for count in test.frames]
    actions, truth = true_segments(test, classes), true_labels(test, classes)

    def scores(predicted: list[np.ndarray]) -> Metrics:
        background = len(classes)
        certain = [np.eye(background + 1)[frames] for frames in predicted]
        proposals = [propose(rows, SEGMENTS) for rows in certain]
        return {"all": to_percent(score_detection(actions, proposals, truth, predicted, classes))}

    return {"majority class": scores(constant), "nearest frame": scores(nearest)}


def _nearest(
    train: SkeletonDataset, chosen: np.ndarray, labels: np.ndarray, test: SkeletonDataset
) -> list[np.ndarray]:
    """The label of the nearest chosen frame, for every frame (T,) of every test recording.

    Args:
        chosen: (M,) ascending numbers of frames of ``train``, its recordings one after the other.
        labels: (M,) of these.
    """
    persons = int(max(train.persons.max(), test.persons.max()))
    starts = np.cumsum([0, *train.frames])
    known = []
    for i in range(len(train)):
        own = chosen[(chosen >= starts[i]) & (chosen < starts[i + 1])] - starts[i]
        if len(own):
            known.append(_poses(train, i, persons)[own])
    frames = np.concatenate(known)  # (M, P J C)
    center = frames.mean(0)
    frames = frames - center
    squares = (frames**2).sum(1)
    found = []
    for i in range(len(test)):
        poses = _poses(test, i, persons) - center
        parts = [poses[start : start + CHUNK] for start in range(0, len(poses), CHUNK)]
        found.append(np.concatenate([labels[(squares - 2 * part @ frames.T).argmin(1)] for part in parts]))
    return found


def _poses(dataset: SkeletonDataset, i: int, persons: int) -> np.ndarray:
    """Preprocessed positions of a recording, (T, P J C); absent bodies and unseen joints are 0."""
    poses = dataset.batch([i]).positions[0].numpy().swapaxes(0, 1)  # (T, P, J, C)
    absent = persons - poses.shape[1]
    return np.pad(poses, ((0, 0), (0, absent), (0, 0), (0, 0))).reshape(len(poses), -1)
