"""The objective on whole batches, against the tasks worked out sequence by sequence."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from factories import JOINTS, draws, sequences, tiny
from hitrs.errors import ConfigError
from hitrs.models.hitrs import HiTRS
from hitrs.pretext.clip_order import displacement
from hitrs.pretext.objective import PretextConfig, PretextObjective
from hitrs.transforms.masking import mask_joints
from hitrs.transforms.windows import window_table

TASKS = ("masked_joint", "clip_order", "video_order", "future_clip")
LENGTHS = [40, 23, 12, 1, 6, 19]


def make(mode: str = "default", weights: PretextConfig | None = None, **changes) -> PretextObjective:
    torch.manual_seed(0)
    encoder = HiTRS(tiny(mode=mode, **changes), JOINTS)
    objective = PretextObjective(encoder, weights or PretextConfig())
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return objective


def run(objective: PretextObjective, batch: tuple[Tensor, Tensor, Tensor], seed: int = 0):
    identity = torch.arange(len(batch[2]))
    return objective(*batch, identity, draws(len(identity), seed))


def literal(
    objective: PretextObjective, batch: tuple[Tensor, Tensor, Tensor], seed: int
) -> dict[str, Tensor]:
    """The four losses from loops over sequences; only the draws are the objective's own."""
    positions, valid, lengths = batch
    encoder, tasks = objective.encoder, objective.tasks
    config = encoder.config
    pad = (config.window // 2) * config.dilation
    drawn = draws(len(lengths), seed)
    masked = mask_joints(positions, valid, lengths, drawn)
    frames = [
        encoder.encode_frames(masked.positions[s : s + 1, :n], valid[s : s + 1, :n], lengths[s : s + 1])
        for s, n in enumerate(lengths.tolist())
    ]
    longest = max(f.rows.shape[1] for f in frames)
    usable = torch.stack([F.pad(f.rows[0] >= 0, (0, longest - f.rows.shape[1])) for f in frames])
    pairs = tasks["clip_order"].draw(displacement(positions, valid), usable, lengths, drawn)

    joint_losses = []
    for s, t, j in masked.chosen.nonzero().tolist():
        feature = frames[s].features[frames[s].rows[0, t + pad], j]
        distance = (10 * tasks["masked_joint"].head(feature) - 10 * positions[s, t, j]).abs()
        joint_losses += [0.5 * d * d if d < 1 else d - 0.5 for d in distance]

    zero = torch.tensor([0])
    order_losses = []
    for s, window, swap in zip(pairs.sequences.tolist(), pairs.windows, pairs.swap, strict=True):
        for frames_of, target in ((window, 1), (window[swap], 0)):
            feature = encoder.encode_clips(frames[s], zero, frames_of[None])
            order_losses.append(-tasks["clip_order"].head(feature)[0].log_softmax(0)[target])

    clips = []  # of each sequence {place: feature}
    for s, n in enumerate(lengths.tolist()):
        own = {}
        for place, window in enumerate(window_table(n, config.window, config.stride, config.dilation)):
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
    width = max(len(window_table(n, config.window, config.stride, config.dilation)) for n in lengths.tolist())
    swapped_sequences, swapped = tasks["video_order"].draw(context[:, :width], drawn)
    video_losses = []
    for s, row in zip(swapped_sequences.tolist(), swapped.tolist(), strict=True):
        negative = {place: at[number] for place, number in enumerate(row) if number >= 0}
        for feature, target in ((video(clips[s]), 1), (video(negative), 0)):
            video_losses.append(-tasks["video_order"].head(feature).log_softmax(0)[target])

    taking_part = [s for s, feature in enumerate(held_out) if feature is not None]
    future_losses = []
    for s in taking_part:
        query = tasks["future_clip"].head(video(clips[s]))
        scores = [F.cosine_similarity(query, held_out[other], dim=0) / 0.07 for other in taking_part]
        future_losses.append(torch.stack(scores).logsumexp(0) - scores[taking_part.index(s)])

    found = zip(TASKS, (joint_losses, order_losses, video_losses, future_losses), strict=True)
    return {name: torch.stack(losses).mean() for name, losses in found}


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
    weights = PretextConfig(masked_joint=2.0, clip_order=0.0, video_order=0.5, future_clip=0.0)
    objective = make(weights=weights).eval()
    assert set(objective.tasks) == {"masked_joint", "video_order"}
    assert not objective.needs_views
    total, metrics = run(objective, batch)
    assert {name.split("/")[0] for name in metrics} == {"masked_joint", "video_order"}
    expected = 2.0 * metrics["masked_joint/loss"] + 0.5 * metrics["video_order/loss"]
    assert total.item() == pytest.approx(expected.item())


@pytest.mark.parametrize("name", [*TASKS, "views"])
@torch.no_grad()
def test_each_task_alone(name: str) -> None:
    others = dict.fromkeys([*TASKS, "views"], 0.0)
    objective = make(weights=PretextConfig(**{**others, name: 1.0})).eval()
    positions, valid, lengths = sequences([20, 9, 20, 9])
    identity = torch.tensor([0, 1, 0, 1])
    total, metrics = objective(positions, valid, lengths, identity, draws(4))
    assert total.item() == pytest.approx(metrics[f"{name}/loss"].item())
    assert total.item() > 0
    assert objective.needs_views == (name == "views")


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
    objective = make(mode, PretextConfig(views=1.0))
    positions, valid, lengths = sequences([40, 23, 40, 23], seen=0.8)
    loss, _ = objective(positions, valid, lengths, torch.tensor([0, 1, 0, 1]), draws(4))
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
            PretextConfig(**wrong)
