"""What the probes read of a frozen encoder, against loops over frames and clips."""

import pytest
import torch

from factories import JOINTS, LAYOUT, sequences, tiny
from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS
from hitrs.tasks.levels import all_levels, video_feature
from hitrs.tasks.recognition import recording_features
from hitrs.transforms.batch import Batch


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
        clips = encoder.all_clips(frames, own[2])
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
def test_the_papers_feature_is_the_video_feature(encoder: HiTRS) -> None:
    batch = sequences([31, 9], seen=0.8)
    assert torch.equal(video_feature(encoder, *batch), encoder(*batch).video)


@torch.no_grad()
@pytest.mark.parametrize("describe", [video_feature, all_levels])
def test_recordings_without_anybody(encoder: HiTRS, describe) -> None:
    positions, valid, lengths = sequences([9, 9], seen=0.8)
    card = ModelCard(encoder.config, LAYOUT)
    valid[1] = False
    positions[1] = 0.0
    one = Batch(positions[:, None], valid[:, None], lengths)
    features = recording_features(encoder, one, card, describe)
    alone = describe(encoder, positions[:1], valid[:1], lengths[:1])
    torch.testing.assert_close(features[:1], alone, atol=1e-5, rtol=0)
    assert (features[1] == 0).all()
    nobody = Batch(positions[1:, None], valid[1:, None], lengths[1:])
    assert torch.equal(recording_features(encoder, nobody, card, describe), torch.zeros_like(features[:1]))
