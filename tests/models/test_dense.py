"""The dense form of the encoder, which leaves the package as ONNX, gives what the packed one gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import JOINTS, LAYOUT, tiny
from hitrs.models.dense import (
    DenseBodies,
    dense_batch,
    dense_bodies,
    dense_clips,
    dense_frames,
    dense_pooled,
    dense_videos,
    dense_windows,
)
from hitrs.models.encoder import HiTRS, unpack
from hitrs.models.features import pooled_features
from hitrs.skeleton.descriptors import joint_descriptors
from hitrs.transforms.batch import Batch, stream_bodies
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.preprocessing import last_seen, preprocess
from hitrs.transforms.windows import window_table

SIDE_BY_SIDE = {"window": 3, "stride": 3, "dilation": 1, "padded": False}


def recording(frames: int, persons: int, seen: float, seed: int) -> torch.Tensor:
    """(T, P, J, C) with NaN: unseen joints, and of two bodies one that comes late and one that goes early."""
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randn(frames, persons, JOINTS, 3, generator=generator).cumsum(0) / 3
    valid = torch.rand(positions.shape[:-1], generator=generator) < seen
    if persons > 1:
        valid[: frames // 2, 0] = False
        valid[frames // 3 :, 1] = False
    valid[0, -1, 0] = True
    return positions.masked_fill(~valid[..., None], float("nan"))


def encoder(mode: str, sizes: dict, coords: int = 3) -> HiTRS:
    torch.manual_seed(0)
    config = tiny(mode=mode, max_clips=4, **sizes)
    known = torch.from_numpy(joint_descriptors(LAYOUT)) if config.joint_embedding == "descriptor" else None
    model = HiTRS(config, JOINTS, coords, known).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(2.0)
    return model


@settings(max_examples=60)
@given(
    frames=st.integers(1, 90),
    persons=st.integers(1, 4),
    seen=st.sampled_from([1.0, 0.8, 0.1]),
    mode=st.sampled_from(["default", "paper"]),
    sizes=st.sampled_from(
        [
            {},
            {"window": 5, "stride": 2, "joint_embedding": "descriptor"},
            SIDE_BY_SIDE,
            {**SIDE_BY_SIDE, "stride": 2},
        ]
    ),
    seed=st.integers(0, 1000),
)
@torch.no_grad()
def test_dense_and_packed_agree_at_every_level(frames, persons, seen, mode, sizes, seed) -> None:
    model = encoder(mode, sizes)
    (given,) = [dense_batch(recording(frames, persons, seen, seed))]
    positions, valid = given.positions[0], given.valid[0]
    if mode == "default":  # the packed form leaves absent bodies out
        keep = valid.flatten(1).any(1)
        positions, valid = positions[keep], valid[keep]
    lengths = torch.full((len(positions),), frames)
    packed_frames = model.encode_frames(positions, valid, lengths)
    packed_clips = model.encode_all_clips(packed_frames, lengths)
    packed = model.encode_videos(packed_clips.features, packed_clips.slots, want_clips=True)

    dense = dense_frames(model, DenseBodies(positions, valid))
    clips = dense_clips(model, dense)
    video, each = dense_videos(model, clips)

    there = packed_frames.rows >= 0
    assert torch.equal(there, dense.present)
    rows = packed_frames.rows[there]
    seen_joints = packed_frames.valid[rows]
    torch.testing.assert_close(
        dense.features[there][seen_joints], packed_frames.features[rows][seen_joints], atol=2e-5, rtol=1e-5
    )
    count = packed_clips.slots.shape[1]
    in_slots = packed_clips.slots >= 0
    assert torch.equal(in_slots, clips.present[:, :count])
    assert not clips.present[:, count:].any()
    expected = unpack(packed_clips.features, packed_clips.slots)[in_slots]
    torch.testing.assert_close(clips.features[:, :count][in_slots], expected, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(video, packed.video, atol=2e-5, rtol=1e-5)
    assert packed.clips is not None
    torch.testing.assert_close(each[:, :count][in_slots], packed.clips[in_slots], atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(
        dense_pooled(dense, clips, video),
        pooled_features(model, positions, valid, lengths),
        atol=2e-5,
        rtol=1e-5,
    )


@torch.no_grad()
def test_a_body_that_is_not_there_harms_nobody() -> None:
    model = encoder("default", {})
    given = dense_batch(recording(20, 2, 0.9, 0))
    bodies = DenseBodies(given.positions[0], given.valid[0])
    nobody = DenseBodies(
        torch.cat([bodies.positions, torch.zeros(1, 20, JOINTS, 3)]),
        torch.cat([bodies.valid, torch.zeros(1, 20, JOINTS, dtype=torch.bool)]),
    )
    assert nobody.present.tolist() == [True, True, False]
    alone, beside = (dense_frames(model, each) for each in (bodies, nobody))
    videos = [dense_videos(model, dense_clips(model, each))[0] for each in (alone, beside)]
    assert videos[1].isfinite().all()
    torch.testing.assert_close(videos[1][:2], videos[0])


@settings(max_examples=60)
@given(
    frames=st.integers(1, 40),
    persons=st.integers(1, 3),
    stream=st.sampled_from(["joint", "bone", "motion", "fused"]),
    center=st.sampled_from(["none", "first", "frame"]),
    align=st.sampled_from(["none", "yaw", "running"]),
    scale=st.sampled_from(["none", "body", "running"]),
    resampled=st.sampled_from([0, 11]),
    tubelet=st.sampled_from([1, 4]),
    slots=st.sampled_from([None, 1, 5]),
    seed=st.integers(0, 1000),
)
def test_preprocessing_of_one_recording(
    frames, persons, stream, center, align, scale, resampled, tubelet, slots, seed
) -> None:
    wanted = PreprocessingConfig(stream, center, align, "y", scale, resampled, tubelet)
    given = dense_batch(recording(frames, persons, 0.7, seed))
    batch = Batch(given.positions, given.valid, torch.tensor([frames]))
    expected = stream_bodies(preprocess(batch, wanted, LAYOUT), wanted, LAYOUT, slots)
    found = dense_bodies(given, wanted, LAYOUT, slots)
    own = torch.ones_like(found.present) if slots else found.present
    torch.testing.assert_close(found.positions[own], expected.positions, atol=1e-6, rtol=1e-6)
    assert torch.equal(found.valid[own], expected.valid)


@pytest.mark.parametrize(("window", "stride", "dilation", "pad"), [(7, 7, 2, 6), (7, 1, 2, 6), (5, 2, 1, 0)])
def test_windows(window: int, stride: int, dilation: int, pad: int) -> None:
    for frames in range(1, 60):
        table = window_table(frames, window, stride, dilation, pad)
        found = dense_windows(frames + 2 * pad, window, stride, dilation, pad)
        assert found.tolist() == table.tolist()


@given(seen=st.lists(st.booleans(), min_size=1, max_size=20))
def test_last_seen(seen: list[bool]) -> None:
    expected = [max((k for k in range(t + 1) if seen[k]), default=-1) for t in range(len(seen))]
    both = torch.tensor([seen, [False] * len(seen)])
    assert last_seen(both, 1).tolist() == [expected, [-1] * len(seen)]
    assert last_seen(both.T, 0)[:, 0].tolist() == expected
