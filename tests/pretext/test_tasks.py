"""What each task draws, and its loss and accuracy, against loops."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from factories import JOINTS, keyed_generator, sequences, tiny
from hitrs.errors import ConfigError
from hitrs.models.convolutions import FRAMES
from hitrs.models.encoder import HiTRS
from hitrs.models.features import pooled_features
from hitrs.pretext.clip_motion import ClipMotion
from hitrs.pretext.clip_order import ClipOrder, displacement
from hitrs.pretext.convolutions import Convolutions
from hitrs.pretext.future_clip import FutureClip
from hitrs.pretext.losses import draw_pair, exchange
from hitrs.pretext.masked_joint import MaskedJoint
from hitrs.pretext.objective import PretextObjective
from hitrs.pretext.video_order import VideoOrder
from hitrs.pretext.views import Views

D = tiny().width


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoder(**sizes: int) -> HiTRS:
    """What tasks read their sizes from."""
    return HiTRS(tiny(**sizes), JOINTS)


def two_way_loss(logits: list[Tensor], targets: list[int]) -> float:
    """Mean cross-entropy by hand."""
    total = 0.0
    for pair, target in zip(logits, targets, strict=True):
        a, b = pair.tolist()
        total += math.log(math.exp(a) + math.exp(b)) - pair[target].item()
    return total / len(logits)


# --- drawing pairs


@settings(max_examples=60)
@given(data=st.data(), rows=st.integers(1, 5), places=st.integers(2, 8))
def test_pairs_are_valid_and_far_apart_where_possible(data: st.DataObject, rows: int, places: int) -> None:
    valid = torch.zeros(rows, places, dtype=torch.bool)
    for row in range(rows):
        chosen = data.draw(st.lists(st.integers(0, places - 1), min_size=2, unique=True))
        valid[row, chosen] = True
    pairs = draw_pair(valid, keyed_generator(rows, data.draw(st.integers(0, 99))), "pair")
    for row, (a, b) in enumerate(pairs.tolist()):
        assert a < b
        assert valid[row, a]
        assert valid[row, b]
        where = valid[row].nonzero()[:, 0].tolist()
        far = [(i, j) for i in where for j in where if j - i >= 2]
        if far:
            assert (a, b) in far


def test_pairs_are_uniform() -> None:
    valid = torch.tensor([[True, True, False, True, True]]).expand(6000, -1)
    pairs = draw_pair(valid, keyed_generator(6000), "pair").tolist()
    possible = [(0, 3), (0, 4), (1, 3), (1, 4)]  # two apart or more, both valid
    for pair in possible:
        assert pairs.count(list(pair)) == pytest.approx(1500, abs=150)


def test_exchange_swaps_two_places() -> None:
    values = torch.tensor([[10, 11, 12, 13], [20, 21, 22, 23]])
    swapped = exchange(values, torch.tensor([[0, 2], [1, 3]]))
    assert swapped.tolist() == [[12, 11, 10, 13], [20, 23, 22, 21]]


# --- frame level


def test_masked_joint_loss() -> None:
    torch.manual_seed(0)
    task = MaskedJoint(encoder())
    features, target = torch.randn(20, D), 0.2 * torch.randn(20, 3)
    result = task.result(features, target)
    loss, error = 0.0, 0.0
    for feature, value in zip(features, target, strict=True):
        prediction = task.head(feature)
        for p, t in zip(prediction.tolist(), value.tolist(), strict=True):
            distance = abs(10 * p - 10 * t)
            loss += 0.5 * distance**2 if distance < 1 else distance - 0.5
        error += (prediction - value).norm().item()
    assert result.loss.item() == pytest.approx(loss / 60, rel=1e-5)
    assert result.metric.item() == pytest.approx(error / 20, rel=1e-5)


# --- clip level


def test_displacement() -> None:
    positions = torch.randn(2, 5, 3, 3)
    valid = torch.rand(2, 5, 3, generator=generator()) < 0.7
    moved = displacement(positions.masked_fill(~valid[..., None], float("nan")), valid)
    for s in range(2):
        assert moved[s, 0] == 0
        for t in range(1, 5):
            expected = 0.0
            for j in range(3):
                if valid[s, t, j] and valid[s, t - 1, j]:
                    expected += (positions[s, t, j] - positions[s, t - 1, j]).abs().sum().item()
            assert moved[s, t].item() == pytest.approx(expected, abs=1e-5)


def eligible_starts(moved: Tensor, usable: Tensor, length: int, window: int, dilation: int) -> list[int]:
    """First padded frames of the windows that may be drawn, by loops."""
    pad = (window // 2) * dilation
    starts = []
    for start in range(length):
        frames = [start + place * dilation for place in range(window)]
        distance = sum(moved[f - pad].item() for f in frames if 0 <= f - pad < len(moved))
        if distance > 0 and sum(bool(usable[f]) for f in frames) >= min(3, window):
            starts.append(start)
    return starts


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 16), min_size=1, max_size=4),
    window=st.sampled_from([3, 5, 7]),
    dilation=st.integers(1, 3),
    seed=st.integers(0, 999),
)
def test_drawn_windows_move(lengths: list[int], window: int, dilation: int, seed: int) -> None:
    task, longest = ClipOrder(encoder(window=window, dilation=dilation)), max(lengths)
    pad = (window // 2) * dilation
    moved = torch.rand(len(lengths), longest, generator=generator(seed))
    moved = moved * (torch.rand(moved.shape, generator=generator(seed + 1)) < 0.3)  # mostly still
    usable = torch.zeros(len(lengths), longest + 2 * pad, dtype=torch.bool)
    for s, length in enumerate(lengths):
        moved[s, length:] = 0
        usable[s, pad : pad + length] = torch.rand(length, generator=generator(seed + 2)) < 0.8
    drawn = task.draw(moved, usable, torch.tensor(lengths), keyed_generator(len(lengths), seed))
    sequences, windows, orders = (tensor.tolist() for tensor in drawn)
    possible = [
        eligible_starts(moved[s], usable[s], length, window, dilation) for s, length in enumerate(lengths)
    ]
    assert sequences == [s for s, starts in enumerate(possible) if starts]
    for s, frames, swap in zip(sequences, windows, orders, strict=True):
        assert frames[0] in possible[s]
        assert frames == [frames[0] + place * dilation for place in range(window)]
        changed = [place for place in range(window) if swap[place] != place]
        assert len(changed) == 2
        a, b = changed
        assert (swap[a], swap[b]) == (b, a)
        assert b - a >= 2 or sum(bool(usable[s, f]) for f in frames) == 2
        assert usable[s, frames[a]]
        assert usable[s, frames[b]]


def test_every_moving_window_comes_up() -> None:
    task = ClipOrder(encoder(window=3, dilation=1))
    moved = torch.zeros(3000, 8)
    moved[:, 4] = 1.0  # padded frame 5: the windows that start at 3, 4 and 5
    usable = torch.ones(3000, 10, dtype=torch.bool)
    starts = task.draw(moved, usable, torch.full((3000,), 8), keyed_generator(3000))[1][:, 0]
    assert starts.unique().tolist() == [3, 4, 5]
    for start in (3, 4, 5):
        assert (starts == start).float().mean().item() == pytest.approx(1 / 3, abs=0.03)


def test_nobody_moves_or_a_clip_is_one_frame() -> None:
    usable = torch.ones(2, 9, dtype=torch.bool)
    still = ClipOrder(encoder(window=3)).draw(
        torch.zeros(2, 5), usable, torch.tensor([5, 5]), keyed_generator(2)
    )
    one = ClipOrder(encoder(window=1)).draw(
        torch.ones(2, 5), usable[:, :5], torch.tensor([5, 5]), keyed_generator(2)
    )
    assert [len(tensor) for tensor in (*still, *one)] == [0] * 6


@pytest.mark.parametrize("kind", [ClipOrder, VideoOrder])
def test_order_loss(kind: type[ClipOrder] | type[VideoOrder]) -> None:
    torch.manual_seed(0)
    task = kind(encoder())
    in_order, swapped = torch.randn(2, 4, task.head.in_features)
    result = task.result(in_order, swapped)
    logits = [task.head(f) for f in [*in_order, *swapped]]
    targets = [1] * 4 + [0] * 4
    assert result.loss.item() == pytest.approx(two_way_loss(logits, targets), rel=1e-5)
    right = sum(int(pair.argmax()) == target for pair, target in zip(logits, targets, strict=True))
    assert result.metric.item() == pytest.approx(right / 8)


# --- video level


def test_video_order_swaps_clips_of_those_with_two_or_more() -> None:
    slots = torch.tensor([[0, 1, 2, 3], [4, -1, -1, -1], [5, 6, -1, -1], [-1, 7, -1, 8], [9, 10, 11, -1]])
    for seed in range(20):
        request = VideoOrder(encoder()).draw(slots, keyed_generator(len(slots), seed))
        assert request.sequences.tolist() == [0, 2, 3, 4]
        swapped = request.slots
        assert swapped[1].tolist() == [6, 5, -1, -1]  # two clips: exchanged
        assert swapped[2].tolist() == [-1, 8, -1, 7]  # the places where nothing was seen stay
        assert swapped[3].tolist() == [11, 10, 9, -1]  # the only ones two apart
        changed = (swapped[0] != slots[0]).nonzero()[:, 0].tolist()
        assert changed in ([0, 2], [0, 3], [1, 3])
    nothing = VideoOrder(encoder()).draw(slots[1:2], keyed_generator(1))
    assert len(nothing.sequences) == len(nothing.slots) == 0


def cosine(a: Tensor, b: Tensor) -> float:
    return (a @ b / (a.norm() * b.norm())).item()


def test_future_clip_loss() -> None:
    torch.manual_seed(0)
    task = FutureClip(encoder())
    videos, following = (torch.randn(4, n * D, requires_grad=True) for n in (4, 2))
    result = task.result(videos, following)
    loss, right = 0.0, 0
    for i in range(4):
        scores = [cosine(task.head(videos[i]), following[j]) / 0.07 for j in range(4)]
        loss += math.log(sum(math.exp(s) for s in scores)) - scores[i]
        right += max(range(4), key=scores.__getitem__) == i
    assert result.loss.item() == pytest.approx(loss / 4, rel=1e-4)
    assert result.metric.item() == pytest.approx(right / 4)
    result.loss.backward()
    assert videos.grad is not None
    assert videos.grad.abs().sum() > 0
    assert following.grad is None  # what is to be predicted does not move towards the prediction


def test_views_loss() -> None:
    torch.manual_seed(0)
    task = Views(encoder())
    videos = torch.randn(7, 4 * D, requires_grad=True)
    identity = torch.tensor([3, 8, 5, 3, 5, 8, 9])  # the last one's other view is missing
    result = task.result(videos, identity)
    projected = [task.project(v) for v in videos]
    loss, right, count = 0.0, 0, 0
    for i in range(7):
        partners = [j for j in range(7) if j != i and identity[j] == identity[i]]
        if not partners:
            continue
        others = [j for j in range(7) if j != i]
        scores = {j: cosine(projected[i], projected[j]) / 0.1 for j in others}
        loss += math.log(sum(math.exp(s) for s in scores.values())) - scores[partners[0]]
        right += max(scores, key=scores.__getitem__) == partners[0]
        count += 1
    assert count == 6
    assert result.loss.item() == pytest.approx(loss / count, rel=1e-4)
    assert result.metric.item() == pytest.approx(right / count)
    result.loss.backward()
    assert videos.grad is not None
    assert (videos.grad[6].abs().sum() > 0).item()  # as a negative of the others


def test_nobody_takes_part() -> None:
    def some(count: int, levels: int) -> Tensor:
        return torch.randn(count, levels * D, requires_grad=True)

    pooled = torch.randn(0, encoder().pooled_width, requires_grad=True)
    cases = [
        (MaskedJoint, (some(0, 1), torch.empty(0, 3))),
        (ClipOrder, (some(0, 2), torch.empty(0, 2 * D))),
        (VideoOrder, (some(0, 4), torch.empty(0, 4 * D))),
        (FutureClip, (some(0, 4), torch.empty(0, 2 * D))),
        (Views, (some(2, 4), torch.tensor([0, 1]))),
        (Views, (some(0, 4), torch.empty(0, dtype=torch.int64))),
        (Convolutions, (pooled, torch.empty(0, FRAMES, JOINTS, 3))),
    ]
    for kind, inputs in cases:
        task = kind(encoder())
        result = task.result(*inputs)
        assert result.loss.item() == 0
        assert result.count == 0
        result.loss.backward()  # every process of a run finds a gradient for the same parameters
        assert all(p.grad is not None and (p.grad == 0).all() for p in task.parameters())
        assert inputs[0].grad is not None


SIDE_BY_SIDE = {"padded": False, "window": 4, "stride": 4, "dilation": 1}


def test_clip_motion_against_a_loop() -> None:
    torch.manual_seed(0)
    encoder = HiTRS(tiny(**SIDE_BY_SIDE, frame_drop=0.5), JOINTS)
    weights = {**dict.fromkeys(("masked_joint", "clip_order", "video_order", "future_clip"), 0.0)}
    objective = PretextObjective(encoder, {**weights, "clip_motion": 1.0}).train()
    positions, valid, lengths = sequences([16, 11, 3], seen=0.8)
    task, asked = objective.tasks["clip_motion"], {}
    task.register_forward_pre_hook(lambda _, inputs: asked.update(encoded=inputs[0]))
    loss, metrics = objective(positions, valid, lengths, torch.arange(3), keyed_generator(3))
    encoded = asked["encoded"]
    assert torch.equal(encoded.masked.positions, positions)  # nothing is hidden but the frames left out
    rows, slots = encoded.frames.rows, encoded.clips.slots
    features, targets = [], []
    for s, length in enumerate(lengths.tolist()):
        for f in range(length):
            for joint in range(JOINTS):
                clip, place = divmod(f, 4)
                others = [
                    g
                    for g in range(4 * clip, min(4 * clip + 4, length))
                    if rows[s, g] >= 0 and encoded.frames.valid[rows[s, g], joint]
                ]
                if not valid[s, f, joint] or rows[s, f] >= 0 or not others:
                    continue
                joints = encoded.frames.features[rows[s, others], joint].mean(0)
                of_clip = encoded.clips.features[slots[s, clip]]
                features.append(task.joint(joints) + task.clip(of_clip) + task.place[place])
                targets.append(positions[s, f, joint] - positions[s, others, joint].mean(0))
    assert len(features) > 50
    target = torch.stack(targets)
    target = target / target.std(0)
    prediction = task.head(torch.stack(features))
    torch.testing.assert_close(loss, torch.nn.functional.smooth_l1_loss(prediction, target))
    torch.testing.assert_close(metrics["clip_motion/error"], (prediction - target).square().mean().sqrt())
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in task.parameters())


def test_clip_motion_needs_frames_that_are_left_out() -> None:
    with pytest.raises(ConfigError, match=r"set model\.frame_drop"):
        ClipMotion(encoder())


def test_other_tasks_beside_clip_motion() -> None:
    torch.manual_seed(0)
    model = HiTRS(tiny(**SIDE_BY_SIDE, frame_drop=0.5), JOINTS)
    objective = PretextObjective(model, {"clip_motion": 1.0, "views": 1.0}).train()
    positions, valid, lengths = sequences([16, 11, 13, 14], seen=0.9)
    loss, metrics = objective(positions, valid, lengths, torch.tensor([0, 1, 0, 1]), keyed_generator(4))
    assert {name.split("/")[0] for name in metrics} == set(objective.tasks)
    assert len(objective.tasks) == 6
    assert loss.isfinite()


# --- random convolutions


def test_the_targets_of_convolutions_are_standardized_over_all_batches() -> None:
    torch.manual_seed(0)
    task = Convolutions(encoder()).train()
    clean = torch.randn(24, FRAMES, JOINTS, 3).cumsum(1)
    first = task.targets(clean[:8])
    assert first.shape == (8, task.bank.width)
    task.targets(clean[8:16])
    task.targets(clean[16:])
    features = task.bank(clean.flatten(2).transpose(1, 2))
    mean, deviation = features.mean(0), features.std(0, correction=0).clamp(min=1e-2)
    expected = ((features - mean) / deviation).clamp(-4, 4)
    assert torch.allclose(task.eval().targets(clean), expected, atol=2e-2)
    before = task.moments.clone()
    task.targets(clean[:4])
    assert torch.equal(task.moments, before)  # only training counts


def test_flat_sequences_have_a_target_too() -> None:
    task = Convolutions(HiTRS(tiny(), JOINTS, 2)).train()
    flat = torch.randn(5, FRAMES, JOINTS, 2)
    with_zeros = torch.cat([flat, torch.zeros(5, FRAMES, JOINTS, 1)], 3)
    assert torch.equal(task.targets(flat), task.eval().targets(with_zeros))


def test_convolutions_learn_from_the_pooled_features_of_whole_sequences() -> None:
    torch.manual_seed(0)
    model = encoder(**SIDE_BY_SIDE)
    weights = {**dict.fromkeys(("masked_joint", "clip_order", "video_order", "future_clip"), 0.0)}
    objective = PretextObjective(model, {**weights, "convolutions": 1.0}).eval()
    assert objective.clean
    positions, valid, lengths = sequences([16, 11, 3], seen=0.8)
    task, clean = objective.tasks["convolutions"], torch.randn(3, FRAMES, JOINTS, 3)
    task.train().targets(clean)
    task.eval()
    loss, metrics = objective(positions, valid, lengths, torch.arange(3), keyed_generator(3), clean)
    prediction = task.head(pooled_features(model, positions, valid, lengths))
    expected = (prediction - task.targets(clean)).square().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert metrics["convolutions/error"].item() == pytest.approx(expected.item() ** 0.5, rel=1e-5)
    loss.backward()
    assert all(p.grad is not None for p in model.video.parameters())
