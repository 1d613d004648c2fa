"""The detector: what a frame's scores depend on, bodies, long histories, and a model on disk."""

import dataclasses
from pathlib import Path

import pytest
import torch

from factories import JOINTS, LAYOUT, sequences, tiny
from hitrs.errors import CheckpointError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.segments import SegmentSettings
from hitrs.transforms.batch import Batch

CLASSES = ("wave", "nod")


def make(seed: int = 0, mode: str = "default", **head) -> DetectionModel:
    torch.manual_seed(seed)
    config = tiny(mode=mode)
    shape = {"context": "video", "stride": 3, "causal": False, "hidden": 8, "layers": 2, "dropout": 0.1}
    card = ModelCard(
        config,
        LAYOUT,
        classes=CLASSES,
        task="detection",
        head={**shape, "history": 4, **head},
        postprocessing={"segments": dataclasses.asdict(SegmentSettings())},
    )
    return DetectionModel(HiTRS(config, JOINTS), card).eval()


def batch_of(lengths: list[int], persons: int = 1, seen: float = 0.9, seed: int = 0) -> Batch:
    positions, valid, every = sequences([n for n in lengths for _ in range(persons)], seen, seed)
    shape = (len(lengths), persons)
    return Batch(positions.unflatten(0, shape), valid.unflatten(0, shape), every.view(shape)[:, 0])


def cut(batch: Batch, frames: int) -> Batch:
    lengths = batch.lengths.clamp(max=frames)
    return Batch(batch.positions[:, :, :frames], batch.valid[:, :, :frames], lengths)


@pytest.mark.parametrize("mode", ["default", "paper"])
@pytest.mark.parametrize("context", ["video", "window"])
@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_padding_and_company_change_nothing(mode: str, context: str, causal: bool) -> None:
    model = make(mode=mode, context=context, causal=causal)
    batch = batch_of([25, 9, 1])
    together = model(batch)
    assert together.shape == (3, 25, len(CLASSES) + 1)
    for i, length in enumerate(batch.lengths.tolist()):
        alone = Batch(
            batch.positions[i : i + 1, :, :length],
            batch.valid[i : i + 1, :, :length],
            batch.lengths[i : i + 1],
        )
        torch.testing.assert_close(model(alone)[0], together[i, :length], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 7, 8, 20, 39])
@torch.no_grad()
def test_a_causal_detector_sees_past_frames_only(frames: int) -> None:
    model, batch = make(causal=True, layers=3), batch_of([40])
    torch.testing.assert_close(model(cut(batch, frames))[0], model(batch)[0, :frames], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_other_one_looks_ahead() -> None:
    model, batch = make(layers=3), batch_of([40])
    assert not torch.allclose(model(cut(batch, 20))[0, 10], model(batch)[0, 10], atol=1e-5)


@torch.no_grad()
def test_without_context_a_frame_depends_on_its_window_only() -> None:
    model, batch = make(context="window", stride=1), batch_of([40], seen=1.0)
    pad = model.encoder.config.padding
    changed = batch.positions.clone()
    changed[:, :, 20 + pad + 1 :] += 1.0
    changed[:, :, : 20 - pad] -= 1.0
    other = model(Batch(changed, batch.valid, batch.lengths))
    torch.testing.assert_close(other[0, 20], model(batch)[0, 20])
    assert not torch.allclose(other[0, 20 + pad], model(batch)[0, 20 + pad], atol=1e-4)


@torch.no_grad()
def test_a_causal_clip_is_seen_from_the_last_clips_alone() -> None:
    model = make(causal=True)
    batch = batch_of([60], seen=1.0)
    bodies = model.bodies(batch)
    frames = model.encoder.encode_frames(bodies.positions, bodies.valid, bodies.lengths)
    clips = model.encoder.encode_all_clips(frames, bodies.lengths, model.settings.stride)
    features = model.video_features(clips)[0]
    for newest in range(clips.slots.shape[1]):
        first = max(0, newest - model.settings.history + 1)
        alone = model.encoder.encode_videos(
            clips.features, clips.slots[:, first : newest + 1], want_clips=True
        )
        torch.testing.assert_close(features[newest], alone.clips[0, -1], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_features_of_bodies_are_averaged() -> None:
    model = make()
    one = batch_of([20], persons=1)
    twice = Batch(one.positions.repeat(1, 2, 1, 1, 1), one.valid.repeat(1, 2, 1, 1), one.lengths)
    torch.testing.assert_close(model(twice), model(one), atol=1e-5, rtol=1e-5)
    absent = Batch(
        torch.cat([one.positions, torch.zeros_like(one.positions)], 1),
        torch.cat([one.valid, torch.zeros_like(one.valid)], 1),
        one.lengths,
    )
    torch.testing.assert_close(model(absent), model(one), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_between_two_clips_features_are_interpolated_linearly() -> None:
    model = make(stride=4)
    features = torch.tensor([[[0.0], [4.0], [100.0]]]).expand(1, 3, 8)
    present = torch.tensor([[True, True, False]])
    values, seen = model.clips_to_frames(features, present, 10)
    assert values[0, :, 0].tolist() == pytest.approx([0, 1, 2, 3, 4, 4, 4, 4, 0, 0])
    assert seen[0].tolist() == [True] * 8 + [False] * 2


def test_a_model_comes_back_from_disk(tmp_path: Path) -> None:
    model, batch = make(causal=True), batch_of([15])
    model.save_pretrained(tmp_path / "model")
    again = DetectionModel.from_pretrained(tmp_path / "model")
    assert again.card.task == "detection"
    assert again.settings == model.settings
    assert again.segments == SegmentSettings()
    with torch.no_grad():
        torch.testing.assert_close(again(batch), model(batch))


def test_a_pretrained_encoder_is_no_detector(tmp_path: Path) -> None:
    encoder = HiTRS(tiny(), JOINTS)
    encoder.save_pretrained(tmp_path / "model", ModelCard(tiny(), LAYOUT))
    with pytest.raises(CheckpointError, match=r"without a head for detection.*--task detection"):
        DetectionModel.from_pretrained(tmp_path / "model")
