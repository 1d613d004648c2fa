"""The detector: what a frame's scores depend on, bodies, long histories, and a model on disk."""

import dataclasses
from pathlib import Path

import pytest
import torch

from detectors import detector, light, scene
from factories import JOINTS, LAYOUT, sequences, tiny
from hitrs.errors import CheckpointError, ConfigError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.segments import SegmentSettings
from hitrs.transforms.batch import Batch
from hitrs.transforms.config import PreprocessingConfig

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


BEFORE = {  # what the detector gave before it knew tubelets: scores of frames 0, 15 and 39, and its size
    (False, "joint"): (
        7076,
        [
            [0.032966, -0.678722, -0.673606, -0.713359],
            [-0.302173, 0.363823, -0.719496, -0.025701],
            [-0.090969, 3.056103, 0.831474, -0.496977],
        ],
    ),
    (False, "fused"): (
        7700,
        [
            [-0.900608, 0.131445, -1.003774, -1.005257],
            [0.012595, -2.043767, 0.487784, 0.433676],
            [0.072006, -2.401469, 1.32005, -0.232784],
        ],
    ),
    (True, "joint"): (
        7076,
        [
            [-0.099143, 0.765996, 0.714911, -1.049881],
            [-0.173164, 0.620283, -1.541602, 0.23332],
            [-0.013064, 2.140444, 0.921334, -0.491528],
        ],
    ),
    (True, "fused"): (
        7700,
        [
            [-0.66491, 0.824716, -0.591503, -0.6061],
            [-1.743889, -1.504708, -0.366998, -2.199764],
            [0.319911, -2.354509, 0.443242, -2.632469],
        ],
    ),
}


@pytest.mark.parametrize(("causal", "stream"), BEFORE)
@torch.no_grad()
def test_without_tubelets_nothing_changed(causal: bool, stream: str) -> None:
    size, expected = BEFORE[causal, stream]
    model = detector(causal=causal, preprocessing=PreprocessingConfig(stream=stream))
    assert sum(each.numel() for each in model.parameters()) == size
    scores = model(scene(40, gap=(12, 20)))[0, [0, 15, 39]]
    torch.testing.assert_close(scores, torch.tensor(expected), atol=2e-5, rtol=0)


LIGHT = {
    "side by side": {},
    "overlapping": {"stride": 1},
    "apart": {"stride": 5},
    "padded": {"sizes": {"window": 3}},
    "paper": {"sizes": {"window": 3}, "mode": "paper"},
    "one joint stream": {"preprocessing": PreprocessingConfig(tubelet=3)},
    "one frame a token": {"preprocessing": PreprocessingConfig(stream="fused")},
}
"""Ways to have clips of tokens, or clips that are not padded."""


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("changes", LIGHT.values(), ids=LIGHT)
@torch.no_grad()
def test_tubelets_leave_every_frame_its_scores(changes: dict, causal: bool) -> None:
    """Of recordings that do not end with a token, alone and in company."""
    model, batch = light(causal=causal, **changes), batch_of([46, 30, 9, 3, 1], persons=2)
    together = model(batch)
    assert together.shape == (5, 46, 4)
    for i, length in enumerate(batch.lengths.tolist()):
        alone = Batch(
            *(each[i : i + 1, :, :length] for each in (batch.positions, batch.valid)),
            batch.lengths[i : i + 1],
        )
        torch.testing.assert_close(model(alone)[0], together[i, :length], atol=1e-5, rtol=1e-5)
    # frames of one token differ: their positions are their own
    assert (together[0, 20] - together[0, 21]).abs().max() > 1e-3


@pytest.mark.parametrize("changes", LIGHT.values(), ids=LIGHT)
@torch.no_grad()
def test_causal_tubelets_see_past_frames_only(changes: dict) -> None:
    model, batch = light(**changes), batch_of([50])
    for frames in (1, 3, 4, 12, 31):
        torch.testing.assert_close(
            model(cut(batch, frames))[0], model(batch)[0, :frames], atol=1e-5, rtol=1e-5
        )
    ahead = light(causal=False, **changes)
    assert not torch.allclose(ahead(cut(batch, 26))[0, 24], ahead(batch)[0, 24], atol=1e-5)


@torch.no_grad()
def test_a_tubelet_counts_from_its_last_frame() -> None:
    """Frames 8 to 11 are a token. Without positions of their own and clips, what is said of a frame does not
    depend on them before they are all there."""
    model = light(context="window")
    for weight in (*model.input_proj.parameters(), *model.clip_proj[1].parameters()):
        weight.zero_()
    batch = batch_of([30], seen=1.0)
    changed = batch.positions.clone()
    changed[:, :, 8] += 1.0
    other = model(Batch(changed, batch.valid, batch.lengths))
    differs = (other - model(batch)).abs().amax(-1)[0] > 1e-4
    assert differs.nonzero()[:, 0].tolist() == [11, 12, 13, 14]


def test_training_leaves_out_tokens_but_no_positions() -> None:
    """With dropped tokens a frame still has its own positions, and every frame gets a gradient."""
    sizes = {"window": 3, "stride": 3, "dilation": 1, "padded": False, "frame_drop": 0.6}
    model, batch = light(causal=False, sizes=sizes).train(), batch_of([36], seen=1.0)
    batch.positions.requires_grad_()
    bodies = model.bodies(batch)
    tokens = model.tokens(bodies)
    frames = model.encoder.encode_frames(tokens.positions, tokens.valid, tokens.lengths)
    assert (frames.rows < 0).sum() == 6  # two of three tokens of each clip
    _, seen = model.pose_features(frames, bodies)
    assert seen.all()
    model(batch).square().sum().backward()
    assert batch.positions.grad is not None
    assert (batch.positions.grad[0, 0].abs().sum((1, 2)) > 0).all()


def test_resampled_recordings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"preprocessing\.frames = 48 change.*`--preprocessing\.frames 0`"):
        light(preprocessing=PreprocessingConfig(stream="fused", tubelet=4, frames=48))


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
