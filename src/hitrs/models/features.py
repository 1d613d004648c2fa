"""Reading a frozen encoder: features of bodies, of recordings and of whole data sets, and probes on them.

From the inside out: ``video_feature`` and ``all_levels`` describe a body, ``recording_features`` takes the
mean over the bodies of a recording, ``collect`` goes through a data set, and ``knn_scores`` and
``linear_scores`` classify by the features that came out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from hitrs.engine import LocalEngine, Step, current_engine
from hitrs.errors import DataError, not_finite
from hitrs.models.card import ModelCard
from hitrs.models.encoder import Clips, Frames, HiTRS, unpack
from hitrs.transforms.batch import Batch, stream_bodies
from hitrs.transforms.dataset import ModelInputs, SkeletonDataset

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

BodyFeatures = Callable[[Any, Tensor, Tensor, Tensor], Tensor]
"""Encoder, positions (S, T, J, C), valid (S, T, J) and lengths (S,) of bodies to a feature each, (S, ...)."""


def video_feature(encoder: HiTRS, positions: Tensor, valid: Tensor, lengths: Tensor) -> Tensor:
    """The paper's: V-TRS's fusion token, (S, 4D)."""
    return encoder(positions, valid, lengths).video


def all_levels(encoder: HiTRS, positions: Tensor, valid: Tensor, lengths: Tensor) -> Tensor:
    """The video feature, and mean and deviation over time of the features of every level, (S, 16D + 2JD).

    Pre-training gives each level a task of its own, so a probe of the top level alone does not see what the
    lower ones have learned of clips and poses. In this order: V-TRS's feature per clip (4D), C-TRS's clip
    features (2D), F-TRS's joints (J D).
    """
    frames = encoder.encode_frames(positions, valid, lengths)
    clips = encoder.encode_all_clips(frames, lengths)
    videos = encoder.encode_videos(clips.features, clips.slots, want_clips=True)
    assert videos.clips is not None
    present = clips.slots >= 0
    sequence, _ = (frames.rows >= 0).nonzero(as_tuple=True)
    order = frames.rows[frames.rows >= 0]
    joints = frames.features.float() * frames.valid[..., None]  # unseen joints have no feature
    mean, deviation = _over_rows(joints.flatten(1)[order], sequence, len(lengths))
    return torch.cat(
        [
            videos.video.float(),
            *_over_time(videos.clips.float(), present),
            *_over_time(unpack(clips.features, clips.slots).float(), present),
            mean,
            deviation,
        ],
        dim=1,
    )


def pooled_features(encoder: HiTRS, positions: Tensor, valid: Tensor, lengths: Tensor) -> Tensor:
    """The video feature, the mean over clips, and mean and maximum over time of every joint, (S, 6D + 2JD).

    What a joint does stays told apart from what others do, which the fusion tokens mix. A joint that was
    never seen has 0.
    """
    frames = encoder.encode_frames(positions, valid, lengths)
    clips = encoder.encode_all_clips(frames, lengths)
    return pool_levels(frames, clips, encoder.encode_videos(clips.features, clips.slots).video)


def pool_levels(frames: Frames, clips: Clips, video: Tensor) -> Tensor:
    """:func:`pooled_features` of sequences that are encoded already; ``video``: (S, 4D)."""
    clip_mean, _ = _over_time(unpack(clips.features, clips.slots).float(), clips.slots >= 0)
    there = frames.rows >= 0
    joints = unpack(frames.features.flatten(1), frames.rows).float()
    joints = joints.unflatten(2, frames.features.shape[1:])  # (S, F, J, D)
    seen = there[..., None] & frames.valid[frames.rows.clamp(min=0)]  # (S, F, J)
    return torch.cat([video.float(), clip_mean, *pool_joints(joints, seen)], dim=1)


def pool_joints(joints: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and maximum over time, (S, J D) each, of joints (S, F, J, D) where seen (S, F, J), else 0."""
    seen = seen[..., None]
    mean = (joints * seen).sum(1) / seen.sum(1).clamp(min=1)
    most = joints.masked_fill(~seen, -math.inf).amax(1).masked_fill(~seen.any(1), 0.0)
    return mean.flatten(1), most.flatten(1)


def _over_time(values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of (S, N, D) over the places that are present (S, N)."""
    sequence, place = present.nonzero(as_tuple=True)
    return _over_rows(values[sequence, place], sequence, len(values))


def _over_rows(rows: Tensor, sequence: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation (count, D) of packed rows (Q, D) by the sequence that each belongs to."""
    zeros = rows.new_zeros(count, rows.shape[1])
    number = rows.new_zeros(count, 1).index_add(0, sequence, rows.new_ones(len(rows), 1)).clamp(min=1)
    mean = zeros.index_add(0, sequence, rows) / number
    square = zeros.index_add(0, sequence, (rows - mean[sequence]) ** 2) / number
    return mean, square.sqrt()


def body_slots(encoder: HiTRS | None, card: ModelCard) -> int | None:
    """How many bodies of a recording take part, seen or not (paper mode); None: those that are seen."""
    return card.persons if encoder is not None and encoder.config.mode == "paper" else None


def recording_features(
    encoder: HiTRS | None, batch: Batch, card: ModelCard, body_features: BodyFeatures = video_feature
) -> Tensor:
    """Mean over each recording's bodies of their features; by default (B, 4D).

    In paper mode the mean is always over ``card.persons`` slots, absent bodies being zeros that take part;
    else over the bodies that are there, and 0 for a recording in which nothing was seen.

    >>> recording_features(encoder, dataset.batch([0, 1]), encoder.card).shape
    torch.Size([2, 512])

    Args:
        encoder: None for features that need none.
        batch: preprocessed recordings.
        card: of the model; its stream is taken.
    """
    bodies = stream_bodies(batch, card.preprocessing, card.layout, body_slots(encoder, card))
    features = body_features(encoder, bodies.positions, bodies.valid, bodies.lengths).float()
    total = features.new_zeros(len(batch.lengths), features.shape[1]).index_add(0, bodies.recording, features)
    ones = features.new_ones(len(features))
    count = features.new_zeros(len(batch.lengths)).index_add(0, bodies.recording, ones)
    return total / count.clamp(min=1)[:, None]


@torch.no_grad()
def collect(
    function: Callable[[Batch], Tensor],
    module: nn.Module,
    dataset: ModelInputs,
    batch_size: int = 64,
    change: Callable[[Batch], Batch] | None = None,
    max_frames: int | None = None,
) -> np.ndarray:
    """``function`` of every recording of a data set, (N, ...) float32, without gradients.

    Recordings of like length share a batch; the result is in the order of ``dataset``.

    >>> collect(lambda batch: recording_features(encoder, batch, encoder.card), encoder, dataset).shape
    (1494, 512)

    Args:
        module: what ``function`` computes with; it is in eval mode meanwhile.
        change: applied to each preprocessed batch first, for example an augmentation.
        max_frames: most frames (of all bodies, with padding) of a batch of several recordings; None: any.
    Raises:
        DataError: if there is no recording, or the result of one is not finite.
    """
    if not len(dataset):
        raise DataError(
            f"no recording of {dataset.origin} is left to look at; see its protocols with `hitrs inspect`"
        )
    was_training = module.training
    if was_training:  # going through all parts of a model takes a tenth of recognizing a recording
        module.eval()
    device = next(module.parameters()).device
    # of a store on another machine each shard is fetched once
    order = np.lexsort((dataset.frames,) if dataset.shards is None else (dataset.frames, dataset.shards.of))
    work = partial(_of_batch, function, dataset, change, device)
    # a change may draw random numbers, batch after batch
    engine = current_engine() if change is None else LocalEngine()
    parts = list(engine.map(work, _batches(order, dataset, batch_size, max_frames)))
    if was_training:
        module.train()
    joined = np.concatenate(parts)
    result = np.empty_like(joined)
    result[order] = joined
    finite = np.isfinite(result).reshape(len(result), -1).all(1)
    if not finite.all():
        raise not_finite(dataset.name(int(finite.argmin())))
    return result


@torch.no_grad()
def _of_batch(
    function: Callable[[Batch], Tensor],
    dataset: ModelInputs,
    change: Callable[[Batch], Batch] | None,
    device: torch.device,
    which: np.ndarray,
    step: Step,
) -> np.ndarray:
    """``function`` of some recordings of a data set."""
    batch = dataset.batch(which)
    return function((change(batch) if change else batch).to(device)).float().cpu().numpy()


def _batches(
    order: np.ndarray, dataset: ModelInputs, batch_size: int, max_frames: int | None
) -> Iterator[np.ndarray]:
    """Consecutive parts of ``order`` of at most so many recordings and, unless of one recording, frames."""
    first = 0
    while first < len(order):
        which = order[first : first + batch_size]
        if max_frames is not None:
            bodies = np.maximum.accumulate(dataset.persons[which])
            longest = np.maximum.accumulate(dataset.frames[which])
            fitting = np.arange(1, len(which) + 1) * bodies * longest <= max_frames
            which = which[: max(1, int(fitting.sum()))]
        yield which
        first += len(which)


def resampled_positions(dataset: SkeletonDataset, frames: int = 16, persons: int | None = None) -> np.ndarray:
    """Preprocessed positions of each recording at ``frames`` evenly spread frames, (N, frames P J C).

    The plain description that a learned feature has to beat; absent bodies and unseen joints are 0.

    Args:
        persons: P, where it is not to be the largest number in the data set.
    """
    persons = int(dataset.persons.max()) if persons is None else persons
    rows = []
    for i in range(len(dataset)):
        batch = dataset.batch([i])
        where = np.linspace(0, int(batch.lengths[0]) - 1, frames).round().astype(int)
        taken = batch.positions[0][:, where].numpy()  # (P, frames, J, C)
        rows.append(np.pad(taken, ((0, persons - len(taken)), (0, 0), (0, 0), (0, 0))).ravel())
    return np.stack(rows)


def knn_scores(
    train: np.ndarray,
    labels: np.ndarray,
    query: np.ndarray,
    classes: int,
    k: int = 1,
    standardized: bool = True,
) -> np.ndarray:
    """Class scores (Q, classes) of k-NN: by cosine distance to the training features, (N, D) and (Q, D).

    Learned features are ``standardized`` before. Positions should not be: they share one unit, and a joint
    that hardly moves would count as much as a hand.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import Normalizer, StandardScaler

    knn = KNeighborsClassifier(min(k, len(train)), weights="distance")
    steps = [*([StandardScaler()] if standardized else []), Normalizer(), knn]
    return _probe_scores(_pipeline(steps), train, labels, query, classes)


def linear_scores(
    train: np.ndarray, labels: np.ndarray, query: np.ndarray, classes: int, C: float
) -> np.ndarray:
    """Class scores (Q, classes) of a linear probe: logistic regression on standardized features.

    Args:
        C: inverse regularization strength, as in scikit-learn.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    model = _pipeline([StandardScaler(), LogisticRegression(C=C, max_iter=2000)])
    return _probe_scores(model, train, labels, query, classes)


def _pipeline(steps: list) -> Pipeline:
    from sklearn.pipeline import make_pipeline

    return make_pipeline(*steps)


def _probe_scores(
    model: Pipeline, train: np.ndarray, labels: np.ndarray, query: np.ndarray, classes: int
) -> np.ndarray:
    if len(np.unique(labels)) == 1:  # nothing to learn: scikit-learn refuses a single class
        scores = np.zeros((len(query), classes))
        scores[:, labels[0]] = 1.0
        return scores
    model.fit(train, labels)
    scores = np.zeros((len(query), classes))
    scores[:, model.classes_] = model.predict_proba(query)
    return scores
