"""A causal detector as a graph of one frame: what it remembers goes in and comes out.

Every frame computes the token and the clip that would end with it, and takes them where one does: a graph
without decisions, of one shape, in which each frame costs the same.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models.dense import (
    DenseClips,
    DenseFrames,
    dense_clip_level,
    dense_frame_level,
    dense_newest_clip,
    repeated,
)
from hitrs.models.exported import Port
from hitrs.tasks.detection.model import KERNEL, DetectionModel
from hitrs.tasks.detection.stepping import FrameByFrame
from hitrs.tasks.graph import Graph, one_recording
from hitrs.transforms.batch import take_stream, tubelets
from hitrs.transforms.preprocessing import (
    FittedPreprocessing,
    bone_lengths,
    facing_lines,
    line_yaw,
    to_typical,
    yaw_matrix,
)

Memory = dict[str, Tensor]


class DenseOnlineDetector(nn.Module):
    """Probabilities (K + 1,) of a frame (P, J, C), those of ``FrameByFrame``, and its memory behind it."""

    before: Tensor
    """(1, 1, J, D): the joint features of a frame of zeros."""

    def __init__(self, model: DetectionModel):
        super().__init__()
        self.model, self.ports = model, memory_ports(model)
        encoder = model.encoder
        with torch.no_grad():  # in the paper's mode such frames lie before the recording, and take part
            zeros = torch.zeros(1, 1, encoder.joints, encoder.coords)
            before = dense_frame_level(encoder, zeros, torch.ones_like(zeros[..., 0], dtype=torch.bool))
        self.register_buffer("before", before.features, persistent=False)

    def forward(self, positions: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        old = {port.name: value for port, value in zip(self.ports, memory, strict=True)}
        new = {"time": old["time"] + 1}
        valid = positions.isfinite().all(-1)
        nobody = ~valid.any()
        new["absent"] = torch.where(nobody, old["absent"] + 1, 0)
        values, seen = self._preprocessed(positions.masked_fill(~valid[..., None], 0.0), valid, old, new)
        scores = self._scores(values, seen, old, new)
        background = F.one_hot(torch.tensor(scores.shape[0] - 1), scores.shape[0]).float()
        probabilities = torch.where(
            new["absent"] >= self.model.clip_times.step, background, scores.softmax(-1)
        )
        return probabilities, *(new[port.name] for port in self.ports)

    def _preprocessed(self, given: Tensor, valid: Tensor, old: Memory, new: Memory) -> tuple[Tensor, Tensor]:
        """``RunningPreprocessing``: (P, J, C) and (P, J), in the model's stream."""
        card = self.model.card
        settings, layout = card.preprocessing, card.layout
        there = valid.any(-1)
        scale, origin, turn = None, None, None
        if "first" in old:
            first = new["first"] = _chosen(old["first"], there)
            body = (first - 1).clamp(min=0)
            now, known = given[body][None, :, None], valid[body][None, :, None]  # (1, 1, 1, J, C)
        if "line" in old:
            line = new["line"] = old["line"] + facing_lines(now, known, layout)[0, 0]
            turn = yaw_matrix(line_yaw(line.to(given.dtype), settings.up_axis)[None, None], settings.up_axis)
        if "bones" in old:
            total, count = bone_lengths(now, known, layout)
            bones = new["bones"] = old["bones"] + torch.cat([total[0], count[0].double()])
            scale = to_typical(bones[:1], bones[1:])[None].to(given.dtype)  # (1, 1)
        if "center" in old:
            center, center_seen = list(layout.center), valid[:, list(layout.center)].all(-1)
            first_only = settings.center == "first"
            body = new["center_body"] = _chosen(old["center_body"], center_seen if first_only else there)
            body = (body - 1).clamp(min=0)
            moves = (new["center_body"] > 0) & center_seen[body]
            if first_only:
                moves = moves & ~old["centered"]
            place = given[body][:, center].mean(1)[0]
            new["center"] = torch.where(moves, place, old["center"])
            new["centered"] = old["centered"] | moves
            if first_only:
                valid = valid & new["centered"]
            origin = new["center"][None, None]
            origin = origin if scale is None else origin * scale[..., None]
        fitted = FittedPreprocessing(scale, origin, turn)
        positions = fitted.apply(given[None, :, None])[0, :, 0].masked_fill(~valid[..., None], 0.0)
        two, both = self._with_before("frame", positions, valid, old, new)
        values, seen = take_stream(two, both, settings.stream, layout)
        return values[:, -1], seen[:, -1]

    def _with_before(
        self, name: str, values: Tensor, seen: Tensor, old: Memory, new: Memory
    ) -> tuple[Tensor, Tensor]:
        """A frame behind the one before, (P, 2, J, C) and (P, 2, J); the first one behind itself."""
        if name not in old:
            return values[:, None], seen[:, None]
        begins = old["time"] == 0
        before = torch.where(begins, values, old[name]), _either(begins, seen, old[f"{name}_seen"])
        new[name], new[f"{name}_seen"] = values, seen
        return torch.stack([before[0], values], 1), torch.stack([before[1], seen], 1)

    def _scores(self, values: Tensor, seen: Tensor, old: Memory, new: Memory) -> Tensor:
        """``OnlineModel``: scores (K + 1,)."""
        model, time = self.model, old["time"]
        if model.paper:
            slots = model.card.persons
            values = F.pad(values, (0, 0, 0, 0, 0, slots))[:slots]
            seen = F.pad(seen, (0, 0, 0, slots))[:slots]
        size = model.token_times.size
        self._take_token(values, seen, (time + 1) % size == 0, old, new)
        times = model.clip_times
        late = time - (times.first + times.size - 1)
        self._take_clip((late >= 0) & (late % times.step == 0), late // times.step + 1, old, new)
        in_frame = torch.ones_like(new["token_seen"]) if model.paper else seen.any(-1)
        raw = model.raw_features(*self._with_before("values", values, seen, old, new))[:, -1]
        raw = model.input_proj(raw) * in_frame[:, None]
        known = (in_frame | new["token_seen"] | new["context_seen"])[:, None].float()
        value = ((new["token"] + raw + new["context"]) * known).sum(0) / known.sum().clamp(min=1)
        return self._head(value, old, new)

    def _take_token(self, values: Tensor, seen: Tensor, ends: Tensor, old: Memory, new: Memory) -> None:
        """The joint features and the projection of the token that ends with this frame, if one does."""
        model = self.model
        positions, valid = values[:, None], seen[:, None]
        if "frames" in old:
            frames = new["frames"] = _pushed(old["frames"], values)
            known = new["frames_seen"] = _pushed(old["frames_seen"], seen)
            size, bodies = model.token_times.size, frames.shape[0]
            positions, valid, _ = tubelets(frames, known, repeated(size, bodies), size)
        if model.paper:
            valid = torch.ones_like(valid)
        token = dense_frame_level(model.encoder, positions, valid)
        joints, joints_seen = old["joints"], old["joints_seen"]
        if model.paper:
            joints = torch.where(old["time"] == 0, self.before.expand_as(joints), joints)
            joints_seen = joints_seen | (old["time"] == 0)
        new["joints"] = torch.where(ends, _pushed(joints, token.features[:, 0]), joints)
        new["joints_seen"] = _either(ends, _pushed(joints_seen, token.valid[:, 0]), joints_seen)
        projected = (
            model.pose_proj((token.features * token.valid[..., None]).flatten(2)) * token.present[..., None]
        )
        new["token"] = torch.where(ends, projected[:, 0], old["token"])
        new["token_seen"] = _either(ends, token.present[:, 0], old["token_seen"])

    def _take_clip(self, ends: Tensor, count: Tensor, old: Memory, new: Memory) -> None:
        """The projection of the clip that ends with this frame, if one does; ``count``: clips so far."""
        model, config = self.model, self.model.encoder.config
        places = torch.arange(config.window) * config.dilation
        joints, known = new["joints"][:, places], new["joints_seen"][:, places]
        frames = DenseFrames(joints, known, known.any(-1))
        clip = dense_clip_level(model.encoder, frames, torch.arange(config.window)[None])
        features, present = clip.features[:, 0], clip.present[:, 0]
        if "clips" in old:
            clips, clips_seen = _pushed(old["clips"], features), _pushed(old["clips_seen"], present)
            newest = DenseClips(clips, clips_seen)
            video = dense_newest_clip(model.encoder, newest, count.clamp(max=clips.shape[1]))
            features = torch.cat([features, video], dim=-1)
            new["clips"] = torch.where(ends, clips, old["clips"])
            new["clips_seen"] = _either(ends, clips_seen, old["clips_seen"])
        projected = model.clip_proj(features) * present[:, None]
        new["context"] = torch.where(ends, projected, old["context"])
        new["context_seen"] = _either(ends, present, old["context_seen"])

    def _head(self, value: Tensor, old: Memory, new: Memory) -> Tensor:
        """``TemporalHead.step``."""
        head = self.model.head
        x, start, kept = F.gelu(head.norm(value)), 0, []
        for depth, (mixer, linear) in enumerate(zip(head.mixers, head.maps, strict=True)):
            assert isinstance(mixer, nn.Conv1d)
            span = (KERNEL - 1) * 2**depth
            past = old["head"][start : start + span]
            taps = torch.stack([past[0], past[span // 2], x], dim=1)  # (H, 3)
            kept.append(_pushed(past[None], x[None])[0])
            x = x + linear(F.gelu(F.linear(taps.flatten(), mixer.weight.flatten(1), mixer.bias)))
            start += span
        if kept:
            new["head"] = torch.cat(kept)
        scores: Tensor = head.out(x)
        return scores


def memory_ports(model: DetectionModel) -> tuple[Port, ...]:
    """What a causal detector remembers from frame to frame; zeros before the first one."""
    card, encoder, config, head = model.card, model.encoder, model.encoder.config, model.settings
    settings, joints, dims = card.preprocessing, card.layout.n_joints, card.layout.dims
    size, bodies = model.token_times.size, card.persons if model.paper else "persons"
    channels = encoder.coords // size
    span = (config.window - 1) * config.dilation + 1
    ports = [
        Port("time", (1,), "frames so far", "int64"),
        Port("absent", (1,), "frames in a row in which nobody was seen", "int64"),
    ]
    turns = settings.align == "running" and dims == 3
    if turns or settings.scale == "running":
        ports.append(
            Port("first", (1,), "number from 1 of the body that was seen first; 0: none yet", "int64")
        )
    if turns:
        ports.append(Port("line", (dims,), "sum of that body's lines from right to left", "float64"))
    if settings.scale == "running":
        ports.append(
            Port("bones", (2,), "sum of that body's bones that were seen, and their number", "float64")
        )
    if settings.center != "none":
        ports += [
            Port("center_body", (1,), "number from 1 of the body whose center counts; 0: none yet", "int64"),
            Port("center", (dims,), "where its center was last"),
            Port("centered", (1,), "whether it was seen yet", "bool"),
        ]
    if settings.stream in ("motion", "fused"):
        ports += _pair("frame", ("persons", joints), (dims,), "the frame before, preprocessed")
    if model.adds_change:
        ports += _pair("values", (bodies, joints), (channels,), "the frame before, in the model's stream")
    if size > 1:
        ports += _pair("frames", (bodies, size, joints), (channels,), "the last frames, for a token")
    ports += _pair("joints", (bodies, span, joints), (config.width,), "joint features of the last tokens")
    ports += _pair("token", (bodies,), (head.hidden,), "projection of the newest token")
    if head.context == "video":
        history = min(head.history, config.max_clips)
        ports += _pair("clips", (bodies, history), (encoder.clip_width,), "features of the last clips")
    ports += _pair("context", (bodies,), (head.hidden,), "projection of the newest clip")
    if len(model.head.mixers):
        spans = sum((KERNEL - 1) * 2**depth for depth in range(len(model.head.mixers)))
        ports.append(Port("head", (spans, head.hidden), "inputs that the temporal layers look back on"))
    return tuple(ports)


def online_detection_graph(model: DetectionModel) -> Graph:
    """The graph of a causal detector that takes one frame after the other.

    Raises:
        ConfigError: if the model looks at frames to come, or its preprocessing needs the whole recording.
    """
    FrameByFrame(model, 1)
    card, times, ports = model.card, model.clip_times, memory_ports(model)

    def answer(positions: np.ndarray) -> np.ndarray:
        recording = one_recording(positions, card)
        step = FrameByFrame(model, recording.n_persons)
        return np.stack([step(*frame) for frame in zip(recording.positions, recording.valid, strict=True)])

    joints, coords = card.layout.n_joints, card.layout.dims
    about = "one frame in the unit and with the up axis of the card's space; NaN: not seen"
    input_ = Port("positions", ("persons", joints, coords), about)
    about = "of this frame: the classes in the order of the card's classes, then background"
    output = Port("probabilities", (len(card.classes) + 1,), about)
    clips = min(model.settings.history, model.encoder.config.max_clips) + 2
    full = clips * times.step + times.size  # frames after which the oldest clip is forgotten
    return Graph(DenseOnlineDetector(model).eval(), input_, output, answer, longest=full, state=ports)


def _either(condition: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """``torch.where`` of booleans, which onnxruntime has not."""
    return (condition & one) | (~condition & other)


def _chosen(before: Tensor, candidates: Tensor) -> Tensor:
    """The number from 1, (1,), of the first body that ever was a candidate (P,); 0: none yet."""
    first = candidates.float().argmax(0, keepdim=True) + 1
    return torch.where((before == 0) & candidates.any(), first, before)


def _pushed(queue: Tensor, newest: Tensor) -> Tensor:
    """(P, N, ...) without the oldest and with the newest (P, ...) at its end."""
    return torch.cat([queue[:, 1:], newest[:, None]], dim=1)


def _pair(name: str, axes: tuple[str | int, ...], features: tuple[int, ...], about: str) -> tuple[Port, Port]:
    """Values and where there are any."""
    return Port(name, (*axes, *features), about), Port(f"{name}_seen", axes, "where it was seen", "bool")
