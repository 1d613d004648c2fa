"""The encoder: position embeddings and sizes; on batches packing, masking, short and long sequences."""

import math

import pytest
import torch
from torch import Tensor, nn

from factories import JOINTS, LAYOUT, sequences, tiny
from hitrs.errors import ConfigError, LayoutError
from hitrs.models.config import ModelConfig
from hitrs.models.encoder import (
    HiTRS,
    VideoEncoder,
    clip_bias,
    sinusoidal_embedding,
    sinusoidal_embedding_2d,
    unpack,
)
from hitrs.models.layers import TransformerStack
from hitrs.skeleton.layout import Layout
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.windows import window_table

LENGTHS = [23, 1, 40, 6, 14, 2]


def make(**changes) -> HiTRS:
    torch.manual_seed(0)
    encoder = HiTRS(tiny(**changes), JOINTS).eval()
    with torch.no_grad():  # layers start as copies, biases small: make all of them matter
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder


@pytest.fixture(scope="module")
def encoder() -> HiTRS:
    return make()


@torch.no_grad()
def test_joints_told_apart_by_what_they_are_may_stand_in_any_order() -> None:
    torch.manual_seed(0)
    config, settings = tiny(joint_embedding="descriptor"), PreprocessingConfig()
    encoder = HiTRS.untrained(config, LAYOUT, settings).eval()
    order = [3, 0, 5, 1, 4, 2]
    where = {joint: place for place, joint in enumerate(order)}
    turned = Layout(
        "turned",
        tuple(LAYOUT.joints[joint] for joint in order),
        tuple(where[LAYOUT.parents[joint]] for joint in order),
        tuple((where[left], where[right]) for left, right in LAYOUT.pairs),
        tuple(where[joint] for joint in LAYOUT.center),
    )
    other = HiTRS.untrained(config, turned, settings).eval()
    other.load_state_dict(encoder.state_dict())
    positions, valid, lengths = sequences(LENGTHS, seen=0.8)
    same(
        other(positions[:, :, order], valid[:, :, order], lengths).video,
        encoder(positions, valid, lengths).video,
    )
    assert not torch.allclose(
        encoder(positions[:, :, order], valid[:, :, order], lengths).video,
        encoder(positions, valid, lengths).video,
        atol=1e-3,
    )


def same(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_position_embeddings_start_as_the_usual_sinusoids() -> None:
    embedding = sinusoidal_embedding(6, 8)
    for position in range(6):
        for channel in range(0, 8, 2):
            angle = position / 10000 ** (channel / 8)
            assert embedding[position, channel].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert embedding[position, channel + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_embeddings_of_two_axes_hold_joint_then_frame() -> None:
    embedding = sinusoidal_embedding_2d(3, 5, 8)
    assert embedding.shape == (3, 5, 8)
    for frame in range(3):
        for joint in range(5):
            assert torch.equal(embedding[frame, joint, :4], sinusoidal_embedding(5, 4)[joint])
            assert torch.equal(embedding[frame, joint, 4:], sinusoidal_embedding(3, 4)[frame])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", 10),
        ("width", 0),
        ("heads", 0),
        ("window", 4),
        ("dropout", 1.0),
        ("max_clips", 1),
        ("stride", 0),
    ],
)
def test_sizes_that_make_no_model(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"model.{name}"):
        ModelConfig(**{name: value})


@torch.no_grad()
@pytest.mark.parametrize("mode", ["default", "paper"])
def test_a_batch_is_its_sequences_one_by_one(mode: str) -> None:
    encoder = make(mode=mode)
    positions, valid, lengths = sequences(LENGTHS, seen=0.7)
    valid[4, 3:9] = False  # a body that goes away and comes back
    positions = positions.masked_fill(~valid[..., None], 0.0)
    together = encoder(positions, valid, lengths, want_clips=True)
    for s, length in enumerate(LENGTHS):
        own = slice(s, s + 1)
        alone = encoder(positions[own, :length], valid[own, :length], lengths[own], want_clips=True)
        same(together.video[s], alone.video[0])
        same(together.clips[s, : alone.clips.shape[1]], alone.clips[0])


def literal_features(encoder: HiTRS, positions: Tensor, valid: Tensor) -> Tensor:
    """Video feature (4D,) of one sequence, (T, J, C) and (T, J), from its definition, token by token."""
    config, frames = encoder.config, len(positions)
    pad = (config.window // 2) * config.dilation
    embedded, alive = {}, {}
    for f in range(frames + 2 * pad):
        real = pad <= f < pad + frames
        seen = valid[f - pad] if real else torch.zeros(JOINTS, dtype=torch.bool)
        if seen.any():
            x = encoder.frame.embed(positions[f - pad][seen]) + encoder.frame.pos_embed[seen]
            out = encoder.frame.stack(x[None])[0]
            embedded[f] = encoder.clip.embed(out)
            alive[f] = seen.nonzero()[:, 0].tolist()
    clips = []
    sizes = config.window, config.stride, config.dilation, config.padding
    for n, window in enumerate(window_table(frames, *sizes).tolist()):
        tokens, owners = [], []
        for place, f in enumerate(window):
            for row, joint in enumerate(alive.get(f, [])):
                tokens.append(embedded[f][row] + encoder.clip.pos_embed[place, joint])
                owners.append(place)
        if not tokens:
            continue
        count = len(tokens)
        bias = torch.zeros(count + 1, count + 1)
        for a in range(count):
            for b in range(count):
                if owners[a] == owners[b] and a != b:
                    bias[a, b] = -torch.inf
        x = torch.stack([*tokens, encoder.clip.fusion_token])
        clips.append((n, encoder.clip.stack(x[None], bias)[0, -1]))
    tokens = [encoder.video.embed(feature) + encoder.video.pos_embed[n] for n, feature in clips]
    return encoder.video.stack(torch.stack([*tokens, encoder.video.fusion_token])[None])[0, -1]


@torch.no_grad()
@pytest.mark.parametrize("stride", [3, 7])
def test_only_what_is_there_is_seen(stride: int) -> None:
    encoder = make(stride=stride)
    positions, valid, lengths = sequences([19, 1, 8, 30], seen=0.6, seed=3)
    valid[3, 5:24] = False
    video = encoder(positions, valid, lengths).video
    for s, length in enumerate(lengths.tolist()):
        same(video[s], literal_features(encoder, positions[s, :length], valid[s, :length]))


@torch.no_grad()
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e30, -7.0])
def test_values_that_are_not_valid_change_nothing(encoder: HiTRS, garbage: float) -> None:
    positions, valid, lengths = sequences(LENGTHS, seen=0.6)
    clean = encoder(positions, valid, lengths, want_clips=True)
    dirty = encoder(positions.masked_fill(~valid[..., None], garbage), valid, lengths, want_clips=True)
    assert torch.equal(clean.video, dirty.video)
    assert torch.equal(clean.clips, dirty.clips)


@torch.no_grad()
def test_the_paper_sees_zeros_where_ours_sees_nothing() -> None:
    positions, valid, lengths = sequences([20], seen=0.6)
    paper, default = make(mode="paper"), make()
    zeros = paper(positions, torch.ones_like(valid), lengths).video
    same(paper(positions.masked_fill(~valid[..., None], 5.0), valid, lengths).video, zeros)
    assert (default(positions, valid, lengths).video - zeros).abs().max() > 1e-3


@torch.no_grad()
def test_an_absent_body_takes_part_in_paper_mode_only() -> None:
    positions, valid, lengths = sequences([20, 20])
    positions[1], valid[1] = 0.0, False
    assert make(mode="paper")(positions, valid, lengths).video.isfinite().all()
    default = make()
    frames = default.encode_frames(positions, valid, lengths)
    assert (frames.rows[1] == -1).all()
    assert len(frames.features) == 20  # neither padding nor the absent body is computed


@torch.no_grad()
def test_frames_of_zeros_are_computed_once_except_in_training() -> None:
    encoder, computed = make(mode="paper"), []
    encoder.frame.register_forward_pre_hook(lambda _, given: computed.append(len(given[0])))
    encoder.clip.register_forward_pre_hook(lambda _, given: computed.append(len(given[1])))
    positions, valid, lengths = sequences([28, 28])
    positions[1], valid[1] = 0.0, False  # an absent body
    shared = encoder(positions, valid, lengths, want_clips=True)
    pad, windows = 6, len(window_table(28, 7, 7, 2))
    assert computed == [28 + 1, windows + 1]
    plain = encoder.train()(positions, valid, lengths, want_clips=True)  # the tiny model has no dropout
    assert computed[2:] == [2 * (28 + 2 * pad), 2 * windows]
    same(shared.video, plain.video)
    same(shared.clips, plain.clips)


@torch.no_grad()
@pytest.mark.parametrize(("window", "dilation"), [(1, 1), (3, 1), (5, 3), (7, 2)])
def test_other_windows_and_very_short_sequences(window: int, dilation: int) -> None:
    encoder = make(window=window, dilation=dilation, stride=2)
    positions, valid, lengths = sequences([1, 2, 3, 11], seen=0.8)
    video = encoder(positions, valid, lengths).video
    assert video.isfinite().all()
    for s, length in enumerate(lengths.tolist()):
        same(video[s], literal_features(encoder, positions[s, :length], valid[s, :length]))


@torch.no_grad()
def test_two_dimensions_and_one_joint() -> None:
    for joints, coords in ((17, 2), (1, 3), (1, 2)):
        encoder = HiTRS(tiny(), joints, coords).eval()
        video = encoder(*sequences([9, 1], joints=joints, coords=coords)).video
        assert video.shape == (2, encoder.video_width)
        assert video.isfinite().all()


@torch.no_grad()
def test_seen_only_where_no_window_looks(encoder: HiTRS) -> None:
    # the only window of two frames takes padded frames 0, 2, ..., 12, so the second real one is left out
    positions, valid, lengths = sequences([2, 30])
    valid[0, 0] = False
    video = encoder(positions, valid, lengths).video
    assert video.isfinite().all()
    alone = encoder(positions[:1], valid[:1], lengths[:1]).video
    same(alone[0], video[0])
    assert torch.equal(unpack(torch.zeros(0, 3), torch.full((2, 4), -1)), torch.zeros(2, 4, 3))


@torch.no_grad()
def test_no_sequence_at_all(encoder: HiTRS) -> None:
    positions, valid, lengths = (x[:0] for x in sequences([5]))
    assert encoder(positions, valid, lengths).video.shape == (0, encoder.video_width)


@torch.no_grad()
def test_last_only_computes_the_same(encoder: HiTRS) -> None:
    x = torch.randn(3, 13, 8)
    stack = encoder.frame.stack
    for bias in (None, torch.randn(13, 13), torch.randn(3, 1, 1, 13), torch.randn(3, 1, 13, 13)):
        same(stack(x, bias, last_only=True), stack(x, bias)[:, -1:])


@torch.no_grad()
def test_video_features_do_not_depend_on_asking_for_clips(encoder: HiTRS) -> None:
    batch = sequences(LENGTHS, seen=0.8)
    assert encoder(*batch).clips is None
    same(encoder(*batch).video, encoder(*batch, want_clips=True).video)


@torch.no_grad()
def test_swapped_places_are_swapped_frames(encoder: HiTRS) -> None:
    positions, valid, lengths = sequences([13], seen=0.7)
    frames = encoder.encode_frames(positions, valid, lengths)
    sequence, window = torch.tensor([0]), torch.tensor(window_table(13)[:1])
    swap = torch.tensor([[0, 1, 5, 3, 4, 2, 6]])
    swapped = encoder.encode_clips(frames, sequence, window, swap)
    same(swapped, encoder.encode_clips(frames, sequence, window.gather(1, swap)))
    assert (swapped - encoder.encode_clips(frames, sequence, window)).abs().max() > 1e-4


@torch.no_grad()
def test_a_stride_of_one_gives_a_clip_per_frame(encoder: HiTRS) -> None:
    positions, valid, lengths = sequences([9, 4])
    frames = encoder.encode_frames(positions, valid, lengths)
    clips = encoder.encode_all_clips(frames, lengths, stride=1)
    assert (clips.slots >= 0).sum(1).tolist() == [9, 4]
    assert clips.features.shape == (13, encoder.clip_width)


def test_data_of_another_layout_is_refused(encoder: HiTRS) -> None:
    for joints, coords in ((JOINTS + 1, 3), (JOINTS, 2)):
        with pytest.raises(LayoutError, match=f"{joints} joints with {coords}"):
            encoder(*sequences([5], joints=joints, coords=coords))


def test_clip_mask_is_its_definition() -> None:
    window, joints = 3, 4
    bias = clip_bias(window, joints, torch.device("cpu"))
    tokens = [(w, j) for w in range(window) for j in range(joints)]
    for a, (w, j) in enumerate(tokens):
        for b, (other, joint) in enumerate(tokens):
            sees = other != w or joint == j  # other frames and itself
            assert bias[a, b] == (0 if sees else -torch.inf)
    assert (bias[-1] == 0).all()
    assert (bias[:, -1] == 0).all()


def test_what_inference_made_first_can_be_trained_with() -> None:
    clip_bias.cache_clear()
    with torch.inference_mode():
        clip_bias(3, 4, torch.device("cpu"))
    assert not clip_bias(3, 4, torch.device("cpu")).is_inference()


@pytest.mark.parametrize("count", [1, 2, 7])
@torch.no_grad()
def test_the_last_clip_alone_is_as_among_all(count: int) -> None:
    torch.manual_seed(0)
    video = VideoEncoder(ModelConfig(width=8, heads=2, head_width=4, layers=2)).eval()
    clips, valid = torch.randn(3, count, 16), torch.ones(3, count, dtype=torch.bool)
    for hidden in (False, True):
        valid[1:, 0] &= not hidden or count == 1
        expected = video(clips, valid, want_clips=True)[1][:, -1]
        torch.testing.assert_close(video.encode_last_clip(clips, valid), expected, atol=1e-5, rtol=1e-5)


def test_layers_start_as_copies() -> None:
    stack = TransformerStack(3, 8, 4, 2, 4, 0.1)
    first, *others = (layer.state_dict() for layer in stack.layers)
    for other in others:
        assert all(torch.equal(first[name], other[name]) for name in first)
    parameters = [p.data_ptr() for p in stack.parameters()]
    assert len(set(parameters)) == len(parameters)  # copies, not the same


def test_all_parameters_get_a_gradient() -> None:
    encoder = make()
    encoder(*sequences(LENGTHS, seen=0.7), want_clips=True).video.square().sum().backward()
    missing = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert missing == []


@torch.no_grad()
def test_bfloat16_stays_close(encoder: HiTRS) -> None:
    batch = sequences(LENGTHS, seen=0.8)
    exact = encoder(*batch).video
    with torch.autocast("cpu", torch.bfloat16):
        rough = encoder(*batch).video.float()
    assert rough.isfinite().all()
    assert nn.functional.cosine_similarity(exact, rough).min() > 0.99


def test_the_backward_pass_repeats_bit_by_bit(encoder: HiTRS) -> None:
    batch = sequences(LENGTHS, seen=0.8)
    gradients = []
    for _ in range(2):
        encoder.zero_grad()
        encoder(*batch).video.square().sum().backward()
        gradients.append([p.grad.clone() for p in encoder.parameters() if p.grad is not None])
    encoder.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


SIDE_BY_SIDE = {"padded": False, "window": 4, "stride": 4, "dilation": 1}


def test_training_leaves_out_half_of_each_clip() -> None:
    encoder = make(**SIDE_BY_SIDE, frame_drop=0.5)
    positions, valid, lengths = sequences([16, 12, 16], seen=1.0)
    valid[0, 4:7] = False  # the second clip of the first sequence shows one frame
    with torch.no_grad():
        whole = encoder.encode_frames(positions, valid, lengths)
        encoder.train()
        drawn = [encoder.encode_frames(positions, valid, lengths).rows >= 0 for _ in range(60)]
    there = whole.rows >= 0
    assert torch.equal(there, valid.any(-1))  # nothing is left out in use
    for kept in drawn:
        assert not (kept & ~there).any()
        assert kept.unflatten(1, (4, 4)).sum(-1).tolist() == [[2, 1, 2, 2], [2, 2, 2, 0], [2, 2, 2, 2]]
    often = torch.stack(drawn).float().mean(0)[2]
    assert ((often > 0.25) & (often < 0.75)).all()  # every frame has its turn


def test_what_is_left_out_costs_and_changes_nothing() -> None:
    encoder = make(**SIDE_BY_SIDE, frame_drop=0.5).train()
    positions, valid, lengths = sequences([16, 12], seen=1.0)
    with torch.no_grad():
        torch.manual_seed(3)
        frames = encoder.encode_frames(positions, valid, lengths)
        assert len(frames.features) == 14
        kept = frames.rows >= 0
        torch.manual_seed(3)
        spoiled = positions.masked_fill(~kept[..., None, None], 1e6)
        again = encoder.encode_frames(spoiled, valid, lengths)
    same(again.features, frames.features)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 4}, "odd .* unless model.padded is false"),
        ({"frame_drop": 0.5}, "side by side"),
        ({**SIDE_BY_SIDE, "stride": 2, "frame_drop": 0.5}, "side by side"),
        ({**SIDE_BY_SIDE, "frame_drop": 1.0}, r"lie in \[0, 1\)"),
    ],
)
def test_windows_that_cannot_be(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig(**changes)
