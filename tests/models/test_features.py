"""Features of bodies, recordings and a whole store, against loops; and the probes that read them."""

import numpy as np
import pytest
import torch

from factories import JOINTS, LAYOUT, sequences, small_store, tiny
from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.models.features import (
    all_levels,
    collect,
    knn_scores,
    linear_scores,
    pooled_features,
    recording_features,
    resampled_positions,
    video_feature,
)
from hitrs.transforms.batch import Batch
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset


@pytest.fixture(scope="module")
def encoder() -> HiTRS:
    torch.manual_seed(0)
    return HiTRS(tiny(max_clips=4, stride=5), JOINTS).eval()


def mean_and_deviation(rows: list[torch.Tensor]) -> list[torch.Tensor]:
    stacked = torch.stack(rows)
    return [stacked.mean(0), stacked.std(0, correction=0)]


@torch.no_grad()
def test_all_levels_over_time(encoder: HiTRS) -> None:
    positions, valid, lengths = sequences([31, 1, 12], seen=0.7)
    valid[2, 4:9] = False
    features = all_levels(encoder, positions, valid, lengths)
    assert features.shape == (3, 16 * 8 + 2 * JOINTS * 8)
    for s, length in enumerate(lengths.tolist()):
        own = (positions[s : s + 1, :length], valid[s : s + 1, :length], lengths[s : s + 1])
        frames = encoder.encode_frames(*own)
        clips = encoder.encode_all_clips(frames, own[2])
        videos = encoder.encode_videos(clips.features, clips.slots, want_clips=True)
        joints = []
        for t in range(length):
            if valid[s, t].any():
                row = encoder.encode_frames(own[0][:, t : t + 1], own[1][:, t : t + 1], torch.tensor([1]))
                joints.append((row.features[0] * valid[s, t][:, None]).flatten())
        present = (clips.slots[0] >= 0).nonzero()[:, 0].tolist()
        expected = [
            videos.video[0],
            *mean_and_deviation([videos.clips[0, n] for n in present]),
            *mean_and_deviation([clips.features[clips.slots[0, n]] for n in present]),
            *mean_and_deviation(joints),
        ]
        torch.testing.assert_close(features[s], torch.cat(expected), atol=1e-4, rtol=0)


@torch.no_grad()
@torch.no_grad()
def test_pooled_features(encoder: HiTRS) -> None:
    positions, valid, lengths = sequences([30, 9], seen=0.6)
    valid[1, :, 2] = False
    pooled = pooled_features(encoder, positions, valid, lengths)
    frames = encoder.encode_frames(positions, valid, lengths)
    width = encoder.config.width
    for s, length in enumerate(lengths.tolist()):
        alone = positions[s : s + 1, :length], valid[s : s + 1, :length], lengths[s : s + 1]
        clips = encoder.encode_all_clips(encoder.encode_frames(*alone), alone[2]).features
        expected = [encoder(*alone).video[0], clips.mean(0)]
        means, most = [], []
        for joint in range(JOINTS):
            rows = [row for row in frames.rows[s].tolist() if row >= 0 and frames.valid[row, joint]]
            own = frames.features[rows, joint] if rows else torch.zeros(1, width)
            means.append(own.mean(0))
            most.append(own.max(0).values)
        expected += [*means, *most]
        torch.testing.assert_close(pooled[s], torch.cat(expected), atol=1e-5, rtol=1e-4)


def test_the_papers_feature_is_the_video_feature(encoder: HiTRS) -> None:
    batch = sequences([31, 9], seen=0.8)
    assert torch.equal(video_feature(encoder, *batch), encoder(*batch).video)


@torch.no_grad()
@pytest.mark.parametrize("body_features", [video_feature, all_levels])
def test_recordings_without_anybody(encoder: HiTRS, body_features) -> None:
    positions, valid, lengths = sequences([9, 9], seen=0.8)
    card = ModelCard(encoder.config, LAYOUT)
    valid[1] = False
    positions[1] = 0.0
    one = Batch(positions[:, None], valid[:, None], lengths)
    features = recording_features(encoder, one, card, body_features)
    alone = body_features(encoder, positions[:1], valid[:1], lengths[:1])
    torch.testing.assert_close(features[:1], alone, atol=1e-5, rtol=0)
    assert (features[1] == 0).all()
    nobody = Batch(positions[1:, None], valid[1:, None], lengths[1:])
    assert torch.equal(
        recording_features(encoder, nobody, card, body_features), torch.zeros_like(features[:1])
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("features") / "store")


def test_features_are_in_the_order_of_the_data_set(store: Store) -> None:
    torch.manual_seed(0)
    encoder = HiTRS(tiny(dropout=0.5), JOINTS).train()
    card = ModelCard(encoder.config, LAYOUT)
    source = SkeletonDataset(store, [7, 2, 11, 0, 5], LAYOUT, PreprocessingConfig())

    def run(batch: Batch) -> torch.Tensor:
        assert not encoder.training
        return recording_features(encoder, batch, card)

    features = collect(run, encoder, source, batch_size=2)
    assert encoder.training
    assert features.dtype == np.float32
    assert features.shape == (5, encoder.video_width)
    for row in range(5):
        alone = collect(
            run, encoder, SkeletonDataset(store, source.indices[[row]], LAYOUT, PreprocessingConfig())
        )
        np.testing.assert_allclose(features[row], alone[0], atol=1e-5)


def test_a_change_comes_before_the_features(store: Store) -> None:
    encoder = HiTRS(tiny(), JOINTS)
    source = SkeletonDataset(store, [0, 1], LAYOUT, PreprocessingConfig())

    def longest(batch: Batch) -> torch.Tensor:
        return batch.lengths[:, None]

    def halved(batch: Batch) -> Batch:
        return Batch(batch.positions, batch.valid, batch.lengths // 2)

    assert collect(longest, encoder, source)[:, 0].tolist() == store.frames[:2].tolist()
    assert collect(longest, encoder, source, change=halved)[:, 0].tolist() == (store.frames[:2] // 2).tolist()


def test_no_recording(store: Store) -> None:
    encoder = HiTRS(tiny(), JOINTS)
    with pytest.raises(DataError, match="no recording"):
        collect(lambda b: b.lengths, encoder, SkeletonDataset(store, [], LAYOUT, PreprocessingConfig()))


def test_resampled_positions(store: Store) -> None:
    indices = [0, 3, 5]
    rows = resampled_positions(SkeletonDataset(store, indices, LAYOUT, PreprocessingConfig()), frames=4)
    persons = int(store.persons[indices].max())
    rows = rows.reshape(3, persons, 4, JOINTS, 3)
    for row, index in zip(rows, indices, strict=True):
        last = store.frames[index] - 1
        for k, frame in enumerate([0, round(last / 3), round(2 * last / 3), last]):
            np.testing.assert_array_equal(row[: store.persons[index], k], store.positions(index)[frame])
        assert (row[store.persons[index] :] == 0).all()


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes in five dimensions that standardizing has to make comparable."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    centers = np.random.default_rng(9).normal(size=(3, 5)) * 3
    return (centers[labels] + rng.normal(size=(count, 5))) * [1, 100, 0.01, 1, 1] + 7, labels


def test_knn_compares_by_cosine() -> None:
    (train, labels), (query, _) = blobs(40, 0), blobs(30, 1)
    scores = knn_scores(train, labels, query, classes=4)
    mean, spread = train.mean(0), train.std(0)
    a, b = (query - mean) / spread, (train - mean) / spread
    cosine = (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)
    assert scores.argmax(1).tolist() == labels[cosine.argmax(1)].tolist()
    assert scores.shape == (30, 4)
    assert (scores[:, 3] == 0).all()


def test_positions_are_compared_as_they_are() -> None:
    train, labels = np.array([[1.0, 0.0], [0.0, 100.0]]), np.array([0, 1])
    query = np.array([[50.0, 60.0], [60.0, 50.0]])
    scores = knn_scores(train, labels, query, 2, standardized=False)
    assert scores.argmax(1).tolist() == [1, 0]


def test_linear_probe_separates_what_is_separable() -> None:
    (train, labels), (query, truth) = blobs(90, 0), blobs(60, 1)
    scores = linear_scores(train, labels * 2, query, classes=5, C=1.0)
    assert (scores.argmax(1) == truth * 2).mean() > 0.85
    np.testing.assert_allclose(scores.sum(1), 1)
    assert (scores[:, [1, 3]] == 0).all()  # classes without an example


@pytest.mark.parametrize("probe", [knn_scores, lambda *a: linear_scores(*a, C=1.0)])
def test_one_class_is_all_there_is(probe) -> None:
    train, query = np.random.default_rng(0).normal(size=(4, 3)), np.zeros((2, 3))
    assert probe(train, np.full(4, 1), query, 3).argmax(1).tolist() == [1, 1]


def test_fewer_examples_than_k() -> None:
    train, labels = blobs(3, 0)
    labels = np.array([0, 1, 1])
    assert knn_scores(train, labels, train, 2, k=10).shape == (3, 2)
