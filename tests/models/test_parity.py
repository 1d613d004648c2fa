"""The authors' modules, reproduced: features, heads, losses, windows and scores of their file to 1e-5."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hitrs.models.authors import from_authors, infer_config, to_authors
from hitrs.models.config import ModelConfig
from hitrs.models.encoder import Frames, HiTRS, Videos, slot_table
from hitrs.models.pretrained import load_weights
from hitrs.pretext.objective import PretextObjective
from hitrs.transforms.windows import window_table


@pytest.fixture(scope="module")
def reference() -> dict[str, Tensor]:
    root = os.environ.get("HITRS_DATA")
    if not root:
        pytest.skip("HITRS_DATA is not set: the reference file lies beside the folder it names")
    path = Path(root).parent / "reference" / "hitrs_reference.npz"
    if not path.is_file():
        pytest.skip(f"there is no reference file {path}")
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file}


@pytest.fixture(scope="module")
def weights(reference: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("weights/"): v for name, v in reference.items() if name.startswith("weights/")}


@pytest.fixture(scope="module")
def objective(weights: dict[str, Tensor]) -> PretextObjective:
    ours = from_authors(weights)
    config, joints, coords = infer_config(ours, heads=2)
    assert config == ModelConfig(width=16, heads=2, head_width=8, layers=2, mode="paper")
    objective = PretextObjective(HiTRS(config, joints, coords))
    load_weights(
        objective, {k: v for k, v in ours.items() if not k.startswith("classifier")}, "the reference"
    )
    return objective.eval()


@pytest.fixture(scope="module")
def frames(reference, objective) -> Frames:
    """The masked sequences of the file without the padding, through the frame level."""
    lengths = reference["pretext/in_lengths"]
    masked = unpad(reference["pretext/in_masked_joints"], lengths)
    valid = (torch.arange(masked.shape[1]) < lengths[:, None])[..., None].expand(masked.shape[:-1])
    with torch.no_grad():
        return objective.encoder.encode_frames(masked, valid, lengths)


def unpad(padded: Tensor, lengths: Tensor) -> Tensor:
    pad = ModelConfig().padding
    return padded[:, pad : pad + int(lengths.max())]


@pytest.fixture(scope="module")
def clips(reference, objective, frames) -> tuple[Tensor, Tensor]:
    """Packed clip features of the windows but the last, and their slots."""
    padding_of = reference["pretext/in_clip_is_padding"].bool()
    sequences, places = (~padding_of).nonzero(as_tuple=True)
    windows = reference["pretext/in_windows"][places]
    with torch.no_grad():
        features = objective.encoder.encode_clips(frames, sequences, windows)
    return features, slot_table(sequences, places, len(padding_of))


@pytest.fixture(scope="module")
def videos(objective, clips) -> Videos:
    with torch.no_grad():
        return objective.encoder.encode_videos(*clips, want_clips=True)


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_windows(reference) -> None:
    names = [name for name in reference if name.startswith("windows/T")]
    assert len(names) == 68
    for name in names:
        theirs = reference[name]
        assert window_table(int(name.removeprefix("windows/T"))).tolist() == theirs.tolist(), name


@torch.no_grad()
def test_frame_level(reference, objective, frames) -> None:
    encoded = frames.rows >= 0
    # F = T + 12 frames of each sequence, the rest is padding to the longest
    assert encoded.sum(1).tolist() == (reference["pretext/in_lengths"] + 12).tolist()
    features = frames.features[frames.rows[encoded]]  # those of zeros share a row
    assert_same(features, reference["pretext/out_frame_features"][encoded])
    head = objective.tasks["masked_joint"].head
    assert_same(head(features), reference["pretext/out_pose"][encoded])


@torch.no_grad()
def test_masked_joint_loss(reference, objective, frames) -> None:
    sequence, frame, joint = reference["pretext/in_joint_mask"][..., 0].nonzero(as_tuple=True)
    features = frames.features[frames.rows[sequence, frame], joint]
    target = reference["pretext/in_joints"][sequence, frame, joint]
    assert_same(
        objective.tasks["masked_joint"].result(features, target).loss, reference["pretext/loss_masked_joint"]
    )


def test_clip_features(reference, clips) -> None:
    padding_of = reference["pretext/in_clip_is_padding"].bool()
    assert_same(clips[0], reference["pretext/out_clip_features"][~padding_of])


@torch.no_grad()
def test_clip_order(reference, objective, frames) -> None:
    pairs = reference["pretext/in_clip_pairs"]
    sequences = torch.arange(len(pairs))
    in_order, swapped = (objective.encoder.encode_clips(frames, sequences, pairs[:, k]) for k in (0, 1))
    task = objective.tasks["clip_order"]
    logits = torch.cat([task.head(in_order), task.head(swapped)])
    assert_same(logits, reference["pretext/out_clip_order_logits"])
    takes_part = reference["pretext/in_clip_pair_valid"].bool()
    loss = task.result(in_order[takes_part], swapped[takes_part]).loss
    assert_same(loss, reference["pretext/loss_clip_order"])
    # our objective permutes the places of the window instead
    swap = (pairs[:, 1, :, None] == pairs[:, 0, None]).int().argmax(-1)
    assert_same(objective.encoder.encode_clips(frames, sequences, pairs[:, 0], swap), swapped)


def test_video_features(reference, videos) -> None:
    padding_of = reference["pretext/in_clip_is_padding"].bool()
    assert_same(videos.video, reference["pretext/out_video_feature"])
    assert videos.clips is not None
    assert_same(videos.clips[~padding_of], reference["pretext/out_video_clip_features"][~padding_of])


@torch.no_grad()
def test_video_order(reference, objective, clips, videos) -> None:
    features, slots = clips
    swapped = objective.encoder.encode_videos(
        features, slots.gather(1, reference["pretext/in_clip_permutation"])
    )
    task = objective.tasks["video_order"]
    logits = torch.cat([task.head(videos.video), task.head(swapped.video)])
    assert_same(logits, reference["pretext/out_video_order_logits"])
    assert_same(task.result(videos.video, swapped.video).loss, reference["pretext/loss_video_order"])


@torch.no_grad()
def test_future_clip(reference, objective, frames, videos) -> None:
    last = reference["pretext/in_future_clip"]
    following = objective.encoder.encode_clips(frames, torch.arange(len(last)), last)
    task = objective.tasks["future_clip"]
    assert_same(task.head(videos.video), reference["pretext/out_future_pred"])
    assert_same(following, reference["pretext/out_future_target"])
    assert_same(task.result(videos.video, following).loss, reference["pretext/loss_future_clip"])


def scores(reference, ours: dict[str, Tensor]) -> Tensor:
    """Recognition scores of the file's clips with a recognizer of these weights."""
    config, joints, coords = infer_config(ours, heads=2)
    encoder = HiTRS(config, joints, coords).eval()
    load_weights(
        encoder, {k.removeprefix("encoder."): v for k, v in ours.items() if k.startswith("encoder.")}, "x"
    )
    clips = reference["recognition/in_clips"].permute(0, 3, 1, 2, 4, 5)  # (B, P, N, W, J, C)
    valid = ~reference["recognition/in_clip_is_padding"].bool()
    batch, persons, count, window = clips.shape[:4]
    rows = torch.arange(batch * persons * count * window)
    features = encoder.frame(clips.reshape(-1, joints, coords))
    frames = Frames(features, torch.ones(features.shape[:2], dtype=torch.bool), rows[None])
    packed = encoder.encode_clips(frames, torch.zeros(len(rows) // window).long(), rows.view(-1, window))
    slots = torch.arange(len(packed)).view(batch, persons, count).masked_fill(~valid[:, None], -1)
    video = encoder.encode_videos(packed, slots.flatten(0, 1)).video
    mean = video.view(batch, persons, -1).mean(1)
    return torch.nn.functional.linear(mean, ours["classifier.weight"], ours["classifier.bias"])


@torch.no_grad()
def test_recognition_scores_also_of_a_converted_checkpoint(reference, weights) -> None:
    theirs = reference["recognition/out_logits"]
    ours = from_authors({f"module.{name}": value for name, value in weights.items()})
    logits = scores(reference, ours)
    assert_same(logits, theirs)
    assert torch.equal(scores(reference, from_authors(to_authors(ours))), logits)


def test_names_go_round(weights) -> None:
    back = to_authors(from_authors(weights))
    assert back.keys() == weights.keys()
    for name, value in weights.items():
        assert torch.equal(back[name], value), name
