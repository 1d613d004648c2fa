"""The objective on whole batches, against the tasks worked out sequence by sequence."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from factories import JOINTS, keyed_generator, sequences, tiny
from hitrs.errors import ConfigError
from hitrs.models.encoder import HiTRS
from hitrs.pretext.base import (
    ClipRequest,
    EncodedFrames,
    EncodedVideos,
    PretextTask,
    TaskResult,
    VideoRequest,
)
from hitrs.pretext.clip_order import displacement
from hitrs.pretext.losses import regression_result
from hitrs.pretext.objective import PretextObjective
from hitrs.pretext.registry import PRETEXT_TASKS, register_pretext_task
from hitrs.transforms.masking import JointMasking, Masked
from hitrs.transforms.windows import window_table

TASKS = ("masked_joint", "clip_order", "video_order", "future_clip")
LENGTHS = [40, 23, 12, 1, 6, 19]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(PRETEXT_TASKS, "_loaded", dict(PRETEXT_TASKS._loaded))


def make(mode: str = "default", weights: dict[str, float] | None = None, **changes) -> PretextObjective:
    torch.manual_seed(0)
    encoder = HiTRS(tiny(mode=mode, **changes), JOINTS)
    objective = PretextObjective(encoder, weights)
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return objective


def run(objective: PretextObjective, batch: tuple[Tensor, Tensor, Tensor], seed: int = 0):
    identity = torch.arange(len(batch[2]))
    return objective(*batch, identity, keyed_generator(len(identity), seed))


def literal(
    objective: PretextObjective, batch: tuple[Tensor, Tensor, Tensor], seed: int
) -> dict[str, Tensor]:
    """The four losses from loops over sequences; only what is drawn is the objective's own."""
    positions, valid, lengths = batch
    encoder, tasks = objective.encoder, objective.tasks
    config = encoder.config
    pad = (config.window // 2) * config.dilation
    generator = keyed_generator(len(lengths), seed)
    masked = JointMasking()(positions, valid, lengths, generator)
    frames = [
        encoder.encode_frames(masked.positions[s : s + 1, :n], valid[s : s + 1, :n], lengths[s : s + 1])
        for s, n in enumerate(lengths.tolist())
    ]
    longest = max(f.rows.shape[1] for f in frames)
    usable = torch.stack([F.pad(f.rows[0] >= 0, (0, longest - f.rows.shape[1])) for f in frames])
    pairs = tasks["clip_order"].draw(displacement(positions, valid), usable, lengths, generator)

    joint_losses = []
    for s, t, j in masked.chosen.nonzero().tolist():
        feature = frames[s].features[frames[s].rows[0, t + pad], j]
        distance = (10 * tasks["masked_joint"].head(feature) - 10 * positions[s, t, j]).abs()
        joint_losses += [0.5 * d * d if d < 1 else d - 0.5 for d in distance]

    zero = torch.tensor([0])
    order_losses = []
    for s, window, swap in zip(pairs[0].tolist(), *pairs[1:], strict=True):
        for frames_of, target in ((window, 1), (window[swap], 0)):
            feature = encoder.encode_clips(frames[s], zero, frames_of[None])
            order_losses.append(-tasks["clip_order"].head(feature)[0].log_softmax(0)[target])

    sizes = config.window, config.stride, config.dilation, config.padding
    clips = []  # of each sequence {place: feature}
    for s, n in enumerate(lengths.tolist()):
        own = {}
        for place, window in enumerate(window_table(n, *sizes)):
            window = torch.tensor(window)
            if (frames[s].rows[0, window] >= 0).any():
                own[place] = encoder.encode_clips(frames[s], zero, window[None])[0]
        clips.append(own)
    held_out = [own.popitem()[1] if len(own) > 1 else None for own in clips]

    def video(own: dict[int, Tensor]) -> Tensor:
        places = max(own, default=0) + 1
        features = torch.stack([own.get(n, torch.zeros(encoder.clip_width)) for n in range(places)])
        there = torch.tensor([[n in own for n in range(places)]])
        return encoder.video(features[None], there)[0][0]

    # the objective numbers clips through the batch; so do we, to use its draw
    numbers, context = 0, torch.full((len(lengths), max(max(own, default=0) for own in clips) + 2), -1)
    at = {}
    for s, own in enumerate(clips):
        for place in own:
            context[s, place], at[numbers] = numbers, own[place]
            numbers += 1
    width = max(len(window_table(n, *sizes)) for n in lengths.tolist())
    swapped = tasks["video_order"].draw(context[:, :width], generator)
    video_losses = []
    for s, row in zip(swapped.sequences.tolist(), swapped.slots.tolist(), strict=True):
        negative = {place: at[number] for place, number in enumerate(row) if number >= 0}
        for feature, target in ((video(clips[s]), 1), (video(negative), 0)):
            video_losses.append(-tasks["video_order"].head(feature).log_softmax(0)[target])

    taking_part = [s for s, feature in enumerate(held_out) if feature is not None]
    future_losses = []
    for s in taking_part:
        query = tasks["future_clip"].head(video(clips[s]))
        scores = [F.cosine_similarity(query, held_out[other], dim=0) / 0.07 for other in taking_part]
        future_losses.append(torch.stack(scores).logsumexp(0) - scores[taking_part.index(s)])

    by_task = zip(TASKS, (joint_losses, order_losses, video_losses, future_losses), strict=True)
    return {name: torch.stack(losses).mean() for name, losses in by_task}


@torch.no_grad()
@pytest.mark.parametrize("mode", ["default", "paper"])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_literal_version(mode: str, seed: int) -> None:
    objective = make(mode).eval()
    batch = sequences(LENGTHS, seen=0.7, seed=seed)
    total, metrics = run(objective, batch, seed)
    expected = literal(objective, batch, seed)
    for name in TASKS:
        assert metrics[f"{name}/loss"].item() == pytest.approx(expected[name].item(), rel=2e-4), name
    assert total.item() == pytest.approx(sum(v.item() for v in expected.values()), rel=2e-4)


@torch.no_grad()
def test_weights_scale_and_zero_leaves_a_task_out() -> None:
    batch = sequences(LENGTHS, seen=0.8)
    weights = {"masked_joint": 2.0, "clip_order": 0.0, "video_order": 0.5, "future_clip": 0.0}
    objective = make(weights=weights).eval()
    assert set(objective.tasks) == {"masked_joint", "video_order"}
    assert objective.views == 1
    total, metrics = run(objective, batch)
    assert {name.split("/")[0] for name in metrics} == {"masked_joint", "video_order"}
    expected = 2.0 * metrics["masked_joint/loss"] + 0.5 * metrics["video_order/loss"]
    assert total.item() == pytest.approx(expected.item())


@pytest.mark.parametrize("name", [*TASKS, "views"])
@torch.no_grad()
def test_each_task_alone(name: str) -> None:
    others = dict.fromkeys([*TASKS, "views"], 0.0)
    objective = make(weights={**others, name: 1.0}).eval()
    positions, valid, lengths = sequences([20, 9, 20, 9])
    identity = torch.tensor([0, 1, 0, 1])
    total, metrics = objective(positions, valid, lengths, identity, keyed_generator(4))
    assert total.item() == pytest.approx(metrics[f"{name}/loss"].item())
    assert total.item() > 0
    assert objective.views == (2 if name == "views" else 1)


def test_short_sequences_take_part_in_what_they_are_long_enough_for() -> None:
    # one clip only: no context, no order of clips; one frame: no motion either
    one_frame = run(make(), sequences([1, 1, 1, 1, 1, 1]))[1]
    assert {name.split("/")[0] for name in one_frame} == {"masked_joint"}
    one_clip = run(make(), sequences([7, 7, 5]))[1]
    assert {name.split("/")[0] for name in one_clip} == {"masked_joint", "clip_order"}
    two_clips = run(make(), sequences([14, 14, 8]))[1]
    assert {name.split("/")[0] for name in two_clips} == {"masked_joint", "clip_order", "future_clip"}
    assert {name.split("/")[0] for name in run(make(), sequences([15]))[1]} == set(TASKS)


@pytest.mark.parametrize(
    ("lengths", "frames_seen"),
    [([1], None), ([1, 2, 3], None), ([2], 1), ([30, 2], 1), ([], None)],
    ids=["one frame", "few frames", "seen where no window looks", "one of two so", "nobody"],
)
@pytest.mark.parametrize("changes", [{}, {"window": 1}, {"window": 3, "stride": 9, "dilation": 1}], ids=str)
def test_edges_give_finite_losses_and_gradients(lengths, frames_seen, changes) -> None:
    positions, valid, _ = sequences(lengths or [4])
    positions, valid, lengths = positions[: len(lengths)], valid[: len(lengths)], torch.tensor(lengths).long()
    if frames_seen is not None:  # the last sequence is seen in this frame only
        valid[-1] = False
        valid[-1, frames_seen] = True
        positions = positions.masked_fill(~valid[..., None], 0.0)
    objective = make(**changes)
    total, metrics = run(objective, (positions, valid, lengths))
    assert total.isfinite()
    assert all(value.isfinite() for value in metrics.values())
    total.backward()
    assert all(p.grad.isfinite().all() for p in objective.parameters() if p.grad is not None)


@torch.no_grad()
def test_values_that_are_not_valid_change_nothing() -> None:
    objective = make().eval()
    positions, valid, lengths = sequences(LENGTHS, seen=0.6)
    clean, _ = run(objective, (positions, valid, lengths))
    for garbage in (float("nan"), 1e30):
        dirty, _ = run(objective, (positions.masked_fill(~valid[..., None], garbage), valid, lengths))
        assert torch.equal(clean, dirty)


@pytest.mark.parametrize("mode", ["default", "paper"])
def test_all_parameters_learn(mode: str) -> None:
    objective = make(mode, {"views": 1.0})
    positions, valid, lengths = sequences([40, 23, 40, 23], seen=0.8)
    loss, _ = objective(positions, valid, lengths, torch.tensor([0, 1, 0, 1]), keyed_generator(4))
    loss.backward()
    still = [name for name, p in objective.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_nothing_else_is_random() -> None:
    objective, batch = make().eval(), sequences(LENGTHS, seen=0.8)
    torch.manual_seed(1)
    first, _ = run(objective, batch, seed=5)
    torch.manual_seed(2)
    again, _ = run(objective, batch, seed=5)
    other, _ = run(objective, batch, seed=6)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_weights_are_checked() -> None:
    for wrong in ({"views": -1.0}, dict.fromkeys(TASKS, 0.0)):
        with pytest.raises(ConfigError, match="pretext weights"):
            make(weights=wrong)
    with pytest.raises(ConfigError, match="no pretext task 'clip_oder'; did you mean 'clip_order'"):
        make(weights={"clip_oder": 1.0})


# --- tasks of other packages, and what they may ask for


class Copies(PretextTask):
    """Asks for what is encoded anyway: first windows and contexts of two sequences, in another order."""

    name, level, metric, title = "copies", "video", "error", "Copies"

    def __init__(self, encoder: HiTRS):
        super().__init__(encoder)
        self.seen: dict[str, EncodedVideos] = {}

    def request_clips(self, encoded: EncodedFrames) -> ClipRequest:
        sequences = torch.tensor([3, 0])
        windows = torch.stack([torch.arange(7) * 2] * 2)  # the first window begins at padded frame 0
        return ClipRequest(sequences, windows)

    def request_videos(self, encoded) -> VideoRequest:
        return VideoRequest(torch.tensor([1, 0]), encoded.context[[1, 0]])

    def forward(self, encoded: EncodedVideos) -> TaskResult:
        self.seen["encoded"] = encoded
        return regression_result(encoded.requested_videos, encoded.videos[encoded.video_request.sequences])


@torch.no_grad()
def test_what_a_task_asks_for_comes_back_and_changes_nothing_else(registry) -> None:
    batch = sequences([40, 23, 12, 30], seen=0.9)
    alone, metrics_alone = run(make().eval(), batch)
    register_pretext_task(Copies)
    objective = make(weights={"copies": 1.0})
    objective.load_state_dict(make().state_dict())
    total, metrics = run(objective.eval(), batch)
    assert list(objective.tasks) == [*TASKS, "copies"]
    encoded = objective.tasks["copies"].seen["encoded"]
    first = encoded.clips.slots[[3, 0], 0]
    torch.testing.assert_close(encoded.requested_clips, encoded.clips.features[first])
    assert encoded.requested_videos.shape == (2, objective.encoder.video_width)
    assert metrics["copies/error"].item() == pytest.approx(0, abs=1e-4)
    assert total.item() == pytest.approx(alone.item(), rel=1e-5)
    for name, value in metrics_alone.items():
        assert metrics[name].item() == pytest.approx(value.item(), rel=1e-5, abs=1e-6), name


def passes(objective: PretextObjective, batch: tuple[Tensor, Tensor, Tensor]) -> dict[str, int]:
    """How often each level of the encoder computes in a step."""
    counts = dict.fromkeys(("frame", "clip", "video"), 0)
    for level in counts:

        def count(*_: object, level: str = level) -> None:
            counts[level] += 1

        objective.encoder.get_submodule(level).register_forward_hook(count)
    run(objective, batch)
    return counts


def only(*names: str) -> dict[str, float]:
    return {**dict.fromkeys(TASKS, 0.0), **dict.fromkeys(names, 1.0)}


def test_a_level_is_encoded_once_for_all_tasks_and_only_if_one_needs_it(registry) -> None:
    register_pretext_task(Copies)
    batch = sequences([40, 23, 12, 30], seen=0.9)
    once_each = {"frame": 1, "clip": 1, "video": 1}
    assert passes(make(), batch) == once_each
    assert passes(make(weights={"copies": 1.0, "views": 1.0}), batch) == once_each
    assert passes(make(weights=only("clip_order", "masked_joint")), batch) == {**once_each, "video": 0}
    assert passes(make(weights=only("masked_joint")), batch) == {"frame": 1, "clip": 0, "video": 0}


class FirstFrames:
    """A masking that hides nothing but lets the encoder see the first frames alone."""

    def __init__(self, frames: int):
        self.frames = frames

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FirstFrames) and other.frames == self.frames

    def __repr__(self) -> str:
        return f"FirstFrames({self.frames})"

    def __call__(self, positions, valid, lengths, generator) -> Masked:
        seen = valid.clone()
        seen[:, self.frames :] = False
        return Masked(positions, seen, torch.zeros_like(valid))


class Beginning(Copies):
    name, title, masking = "beginning", "Beginning", FirstFrames(8)


class Sooner(Copies):
    name, title, masking = "sooner", "Sooner", FirstFrames(4)


@torch.no_grad()
def test_a_task_brings_its_own_masking(registry) -> None:
    register_pretext_task(Beginning)
    register_pretext_task(Sooner)
    objective = make(weights={**only("beginning"), "masked_joint": 1.0}).eval()
    positions, valid, lengths = sequences([40, 23, 12, 30], seen=0.9)
    _, metrics = run(objective, (positions, valid, lengths))
    assert "masked_joint/loss" not in metrics  # nothing is to be predicted
    encoded = objective.tasks["beginning"].seen["encoded"]
    shown, pad = encoded.frames.rows >= 0, 6
    assert shown[:, pad : pad + 8].any(1).all()
    assert not shown[:, pad + 8 :].any()
    assert encoded.inputs.valid is valid
    with pytest.raises(ValueError, match="not valid in the masked sequence"):
        encoded.joint_features(valid)
    with pytest.raises(
        ConfigError, match=r"'beginning' and 'sooner' mask .*FirstFrames\(8\) and FirstFrames\(4"
    ):
        make(weights={"beginning": 1.0, "sooner": 1.0})
    make(weights={"beginning": 1.0, "sooner": 0.0})


def test_what_is_no_task_is_refused(registry) -> None:
    class Nameless(PretextTask):
        level = "frame"

    class Deep(PretextTask):
        name, level, metric, title = "deep", "joint", "error", "Deep"

    class Own(PretextTask):
        name, level, metric, title = "views", "frame", "error", "Mine"

    for wrong, reason in (
        (Nameless, "no name and no metric and no title"),
        (Deep, "its level is 'joint', expected frame or clip or video"),
        (Own, "'views' is a pretext task of hitrs itself"),
        (dict, "expected a subclass of hitrs.pretext.base.PretextTask"),
    ):
        with pytest.raises(ConfigError, match=reason):
            register_pretext_task(wrong)


def test_names_are_known_without_torch() -> None:
    code = (
        "import sys; from hitrs.pretext.registry import pretext_weights; "
        "assert pretext_weights()['views'] == 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
