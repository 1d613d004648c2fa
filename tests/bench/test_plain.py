"""The plain computation is ours: features, losses and gradients to 1e-5 in the paper's mode."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from factories import JOINTS, LAYOUT, keyed_generator, sequences, tiny
from hitrs.bench.plain import PlainHiTRS, windows
from hitrs.bench.training import draw_pretext_batch
from hitrs.models.authors import to_authors
from hitrs.models.card import ModelCard
from hitrs.models.config import ModelConfig
from hitrs.models.encoder import HiTRS
from hitrs.pretext.objective import PretextObjective
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.transforms.batch import collate
from hitrs.transforms.windows import window_table

LENGTHS = [40, 23, 12, 1, 6, 19]


def roughen(module: torch.nn.Module) -> torch.nn.Module:
    """Layers start as copies, biases small: make all of them matter."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("seed", [0, 1])
def test_pretraining(seed: int) -> None:
    torch.manual_seed(seed)
    ours = roughen(PretextObjective(HiTRS(tiny(mode="paper"), JOINTS)))
    plain = PlainHiTRS(tiny(), JOINTS)
    plain.load_state_dict(to_authors(ours.state_dict()))
    positions, valid, lengths = sequences(LENGTHS, seed=seed)
    total, metrics = ours(
        positions, valid, lengths, torch.arange(len(lengths)), keyed_generator(len(lengths), seed)
    )
    drawn = draw_pretext_batch(ours, positions, valid, lengths, keyed_generator(len(lengths), seed))
    losses = plain.losses(positions, lengths, drawn)
    assert losses.keys() == {"masked_joint", "clip_order", "video_order", "future_clip"}
    for name, loss in losses.items():
        torch.testing.assert_close(loss, metrics[f"{name}/loss"], atol=1e-5, rtol=1e-5)
    total.backward()
    torch.stack(list(losses.values())).sum().backward()
    ours_by_name = to_authors({name: p.grad for name, p in ours.named_parameters()})
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(parameter.grad, ours_by_name[name], atol=1e-5, rtol=1e-4)


def test_short_sequences_leave_tasks_out() -> None:
    ours = PretextObjective(HiTRS(tiny(mode="paper"), JOINTS))
    plain = PlainHiTRS(tiny(), JOINTS)
    for lengths, tasks in (([7, 5], {"masked_joint", "clip_order"}), ([1, 1], {"masked_joint"})):
        batch = sequences(lengths)
        drawn = draw_pretext_batch(ours, *batch, keyed_generator(2))
        assert plain.losses(batch[0], batch[2], drawn).keys() == tasks


@torch.no_grad()
def test_recognition() -> None:
    torch.manual_seed(0)
    config = tiny(mode="paper")
    card = ModelCard(config, LAYOUT, classes=("wave", "nod", "bow"))
    ours = roughen(RecognitionModel(HiTRS(config, JOINTS), card)).eval()
    plain = PlainHiTRS(config, JOINTS, classes=3).eval()
    plain.load_state_dict(to_authors(ours.state_dict()))
    rng = np.random.default_rng(0)
    shapes = [(30, 2, JOINTS), (9, 1, JOINTS), (1, 2, JOINTS)]
    batch = collate([(rng.normal(size=(*s, 3)).astype(np.float32), np.ones(s, bool)) for s in shapes])
    torch.testing.assert_close(
        plain.recognize(batch.positions, batch.lengths), ours(batch), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("sizes", [{}, {"stride": 1}, {"window": 5, "dilation": 3, "stride": 2}], ids=str)
def test_windows(sizes: dict[str, int]) -> None:
    config = ModelConfig(**sizes)
    for frames in range(1, 60):
        expected = window_table(frames, config.window, config.stride, config.dilation, config.padding)
        assert windows(frames, config) == expected.tolist()


@torch.no_grad()
def test_the_authors_outputs() -> None:
    root = os.environ.get("HITRS_DATA")
    path = Path(root or "").parent / "reference" / "hitrs_reference.npz"
    if not root or not path.is_file():
        pytest.skip("HITRS_DATA is not set, or there is no reference file beside the folder that it names")
    with np.load(path) as file:
        found = {name: torch.from_numpy(file[name]) for name in file}
    weights = {name.removeprefix("weights/"): v for name, v in found.items() if name.startswith("weights/")}
    classifier = {name: v for name, v in weights.items() if name.startswith("v_cls")}
    config = ModelConfig(width=16, heads=2, head_width=8, layers=2)
    plain = PlainHiTRS(config, 25).eval()
    plain.load_state_dict({name: v for name, v in weights.items() if name not in classifier})
    pad = (config.window // 2) * config.dilation
    frames = plain.frames(found["pretext/in_masked_joints"][:, pad:-pad])
    inside = torch.arange(frames.shape[1]) < found["pretext/in_lengths"][:, None] + 2 * pad
    torch.testing.assert_close(frames[inside], found["pretext/out_frame_features"][inside], atol=1e-5, rtol=0)
    hidden = found["pretext/in_clip_is_padding"].bool()
    table = found["pretext/in_windows"].expand(len(frames), -1, -1)
    rows = torch.arange(len(frames))[:, None, None]
    clips = plain.clips(frames[rows, table].flatten(0, 1)).unflatten(0, table.shape[:2])
    torch.testing.assert_close(clips[~hidden], found["pretext/out_clip_features"][~hidden], atol=1e-5, rtol=0)
    videos = plain.videos(clips, (~hidden).sum(1))
    torch.testing.assert_close(videos, found["pretext/out_video_feature"], atol=1e-5, rtol=0)
