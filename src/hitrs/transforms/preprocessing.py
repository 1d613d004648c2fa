"""What is done to every recording before a model sees it, in training and use alike; saved with the model.

``fit_preprocessing`` works out what is to be done to recordings; the result is applied to them or inverted.
``preprocess`` is both for a batch, ``RunningPreprocessing`` is a fit that goes on with every frame.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from hitrs.errors import ConfigError
from hitrs.skeleton.layout import Layout
from hitrs.transforms.batch import Batch, take_stream
from hitrs.transforms.config import PreprocessingConfig

TYPICAL_BONE = 0.2
"""Meters: about the mean bone length of a person in the usual layouts; scaled data is of like size."""


@dataclass(frozen=True)
class FittedPreprocessing:
    """What is done to each of B recordings: scaled, then moved by its origin, then turned; None: not done.

    >>> fitted = fit_preprocessing(batch.positions, batch.valid, config, layout)
    >>> torch.allclose(fitted.inverse(fitted.apply(batch.positions)), batch.positions, atol=1e-5)
    True
    """

    scale: Tensor | None = None
    """(B,), or (B, T) for each frame."""
    origin: Tensor | None = None
    """(B, 1, C) for all frames or (B, T, C) for each; after scaling."""
    turn: Tensor | None = None
    """(B, C, C) rotations of column vectors, or (B, T, C, C) for each frame."""

    def apply(self, positions: Tensor) -> Tensor:
        """Preprocess positions (B, P, T, J, C) of the same recordings; what stands at unseen joints too."""
        if self.scale is not None:
            positions = positions * _per_frame(self.scale)
        if self.origin is not None:
            positions = positions - self.origin[:, None, :, None]
        if self.turn is not None:
            positions = torch.einsum(f"bptjc,{self._turned}dc->bptjd", positions, self.turn)
        return positions

    def inverse(self, positions: Tensor) -> Tensor:
        """Preprocessed positions (B, P, T, J, C) back in the coordinates of the recordings."""
        if self.turn is not None:
            positions = torch.einsum(f"bptjd,{self._turned}dc->bptjc", positions, self.turn)
        if self.origin is not None:
            positions = positions + self.origin[:, None, :, None]
        if self.scale is not None:
            positions = positions / _per_frame(self.scale)
        return positions

    def apply_to(self, batch: Batch) -> Batch:
        """A batch of the same recordings, preprocessed; unseen joints are 0."""
        positions = self.apply(batch.positions).masked_fill(~batch.valid[..., None], 0.0)
        return Batch(positions, batch.valid, batch.lengths)

    def at_last_frame(self) -> FittedPreprocessing:
        """The same for any frames: what is fitted to each frame stays as it is in the last one.

        What follows the fitted frames can be preprocessed, and a prediction of it taken back.
        """
        scale, origin, turn = self.scale, self.origin, self.turn
        return FittedPreprocessing(
            scale[:, -1] if scale is not None and scale.ndim == 2 else scale,
            None if origin is None else origin[:, -1:],
            turn[:, -1] if turn is not None and turn.ndim == 4 else turn,
        )

    @property
    def _turned(self) -> str:
        """The axes of what has a rotation of its own, for einsum."""
        return "b" if self.turn is not None and self.turn.ndim == 3 else "bt"


def _per_frame(scale: Tensor) -> Tensor:
    """Scales (B,) or (B, T) as a factor of positions (B, P, T, J, C)."""
    return scale.view(scale.shape[0], 1, -1, 1, 1)


def fit_preprocessing(
    positions: Tensor, valid: Tensor, config: PreprocessingConfig, layout: Layout
) -> FittedPreprocessing:
    """Scale, origin and turn of recordings as ``config`` asks for.

    Args:
        positions: (B, P, T, J, C), finite; valid: (B, P, T, J).
    """
    scale, origin, turn = None, None, None
    if config.scale == "body":
        scale = body_scale(positions, valid, layout)
        positions = positions * _per_frame(scale)
    if config.center == "first":
        origin = first_center(positions, valid, layout)[:, None]
    elif config.center == "frame":
        origin = frame_centers(positions, valid, layout)
    if config.align == "yaw" and positions.shape[-1] == 3:
        centered = positions if origin is None else positions - origin[:, None, :, None]
        turn = yaw_matrix(facing_yaw(centered, valid, layout, config.up_axis), config.up_axis)
    if config.align == "running" and positions.shape[-1] == 3:
        past = facing_lines(positions, valid, layout).cumsum(1)  # (B, T, C)
        turn = yaw_matrix(line_yaw(past.to(positions.dtype), config.up_axis), config.up_axis)
    if config.scale == "running":
        total, count = (each.cumsum(1) for each in bone_lengths(positions, valid, layout))
        scale = to_typical(total, count).to(positions.dtype)
        if origin is not None:  # a size that is told better and better moves nobody
            origin = origin * scale[..., None]
    return FittedPreprocessing(scale, origin, turn)


def preprocess(batch: Batch, config: PreprocessingConfig, layout: Layout) -> Batch:
    """Scale, center and align each recording as ``config`` asks; the stream is taken after augmentation."""
    return fit_preprocessing(batch.positions, batch.valid, config, layout).apply_to(batch)


class RunningPreprocessing:
    """Preprocessing frame by frame: a fit on the past of one recording that goes on with every frame.

    Results are those of ``preprocess`` and ``take_stream`` on the whole recording, with one exception: for
    ``center: first`` frames before the first body's center is first seen cannot be placed and count as not
    seen.

    >>> running = RunningPreprocessing(config, layout)
    >>> for positions, valid in frames:  # (P, J, C) and (P, J)
    ...     positions, valid = running(positions, valid)

    Raises:
        ConfigError: for settings that need the whole recording.
    """

    def __init__(self, config: PreprocessingConfig, layout: Layout):
        check_online(config)
        self.config, self.layout = config, layout
        self.fitted = FittedPreprocessing()
        self._body: int | None = None  # whose center counts
        self._first: int | None = None  # the body that is seen first, whose line and bones count
        # its sums over the past: facing line, lengths of bones, their number; of any device without axes
        self._line = torch.zeros((), dtype=torch.float64)
        self._bones = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)
        self._center: Tensor | None = None  # the origin before scaling
        self._previous: tuple[Tensor, Tensor] | None = None  # the last frame

    def __call__(self, positions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The next frame, (P, J, C) and (P, J), in the model's stream."""
        self._fit(positions, valid)
        if self._center is None and self.config.center == "first":
            valid = torch.zeros_like(valid)
        positions = self.fitted.apply(positions[None, :, None])[0, :, 0].masked_fill(~valid[..., None], 0.0)
        frames = [(positions, valid)]
        if self.config.stream in ("motion", "fused") and self._previous is not None:
            frames = [self._previous, *frames]
        self._previous = (positions, valid)
        values, seen = take_stream(
            torch.stack([p for p, _ in frames], 1),
            torch.stack([v for _, v in frames], 1),
            self.config.stream,
            self.layout,
        )
        return values[:, -1], seen[:, -1]

    def _fit(self, positions: Tensor, valid: Tensor) -> None:
        """Scale, origin and turn as far as they are known with this frame."""
        scale, turn = None, None
        if self._first is None and bool(valid.any()):
            self._first = int(valid.any(-1).float().argmax())
        body = [self._first or 0]  # before anybody is seen one is as good as another
        now, seen = positions[None, body, None], valid[None, body, None]  # (1, 1, 1, J, C)
        if self.config.align == "running" and positions.shape[-1] == 3:
            self._line = self._line + facing_lines(now, seen, self.layout)  # (1, 1, C)
            angle = line_yaw(self._line.to(positions.dtype), self.config.up_axis)
            turn = yaw_matrix(angle, self.config.up_axis)
        if self.config.scale == "running":
            total, count = bone_lengths(now, seen, self.layout)
            self._bones = self._bones[0] + total, self._bones[1] + count
            scale = to_typical(*self._bones).to(positions.dtype)  # (1, 1)
        self._follow_center(positions, valid)
        origin = None if self._center is None else self._center[None, None]
        if origin is not None and scale is not None:
            origin = origin * scale[..., None]
        self.fitted = FittedPreprocessing(scale, origin, turn)

    def _follow_center(self, positions: Tensor, valid: Tensor) -> None:
        """The center that the origin is at, as far as it is known with this frame."""
        if self.config.center == "none":
            return
        center = list(self.layout.center)
        center_seen = valid[:, center].all(-1)  # (P,)
        counts = center_seen if self.config.center == "first" else valid.any(-1)
        if self._body is None and bool(counts.any()):
            self._body = int(counts.float().argmax())
        moves = self._center is None or self.config.center == "frame"
        if self._body is not None and moves and bool(center_seen[self._body]):
            self._center = positions[self._body, center].mean(0)


_WHOLE = ("yaw", "body")
"""Forms of alignment and scale that need the whole recording."""


def frame_by_frame(config: PreprocessingConfig) -> PreprocessingConfig:
    """The same settings, in the forms that go on with every frame.

    >>> frame_by_frame(PreprocessingConfig(align="yaw", scale="body")).align
    'running'
    """
    return dataclasses.replace(
        config,
        align="running" if config.align in _WHOLE else config.align,
        scale="running" if config.scale in _WHOLE else config.scale,
    )


def check_online(config: PreprocessingConfig) -> None:
    """ConfigError for settings that need the whole recording; it names all of them."""
    used = {name: getattr(config, name) for name in ("align", "scale")}
    whole = {name: value for name, value in used.items() if value in _WHOLE}
    if whole:
        settings = " and ".join(f"preprocessing.{name} = {value}" for name, value in whole.items())
        options = " ".join(f"--preprocessing.{name} running" for name in whole)
        raise ConfigError(
            f"{settings} needs the whole recording, so nothing can be detected frame by frame; train with "
            f"`{options}` (an encoder is pre-trained with the same)"
        )


def first_center(positions: Tensor, valid: Tensor, layout: Layout) -> Tensor:
    """Where each recording's center is first seen, (B, C); the mean of all seen joints if never."""
    center = list(layout.center)
    seen = valid[..., center].all(-1).flatten(1)  # (B, P T), first body first
    where = seen.float().argmax(1)
    value = positions[..., center, :].mean(-2).flatten(1, 2)[torch.arange(where.shape[0]), where]
    weight = valid[..., None].to(positions.dtype)
    mean = (positions * weight).flatten(1, 3).sum(1) / weight.flatten(1, 3).sum(1).clamp(min=1)
    return torch.where(seen.any(1)[:, None], value, mean)


def frame_centers(positions: Tensor, valid: Tensor, layout: Layout) -> Tensor:
    """Where a body's center is in each frame, (B, T, C), by past frames only.

    Of each recording the body that is seen first. Where its center is not seen, where it was last; before it
    is first seen, 0.
    """
    center = list(layout.center)
    index = torch.arange(positions.shape[0], device=positions.device)
    first = first_body(valid)
    seen = valid[index, first][..., center].all(-1)  # (B, T)
    value = positions[index, first][..., center, :].mean(-2)  # (B, T, C)
    last = last_seen(seen, 1)
    taken = value.gather(1, last.clamp(min=0)[..., None].expand_as(value))
    return taken.masked_fill((last < 0)[..., None], 0.0)


def last_seen(seen: Tensor, dim: int) -> Tensor:
    """For each frame the newest one up to it where ``seen`` (bool) is True, -1 before the first; int64.

    Args:
        dim: which axis is time.
    """
    # what cummax would give, which an exported graph does not know: of the frames in order, the n-th is the
    # newest where n are past
    frames = torch.arange(seen.shape[dim], device=seen.device).view(-1, *[1] * (seen.ndim - 1 - dim))
    in_order = torch.where(seen, frames, seen.shape[dim]).sort(dim).values
    count = seen.cumsum(dim)
    return torch.where(count > 0, in_order.gather(dim, (count - 1).clamp(min=0)), -1)


def first_body(valid: Tensor) -> Tensor:
    """The body that is seen first, (B,) int64; of two that are seen together the one in front."""
    there = valid.any(-1)  # (B, P, T)
    since = there.float().argmax(2).masked_fill(~there.any(2), there.shape[2])
    return since.argmin(1)


def facing_yaw(positions: Tensor, valid: Tensor, layout: Layout, up: int) -> Tensor:
    """Angle about the up axis by which the line from right to left joints is turned from +x, (B,) in radians.

    The line is the mean over shoulders and hips, and over the frames of each recording's first body.
    """
    body = valid.flatten(2).any(-1).float().argmax(1)  # the first body in which anything was seen
    return line_yaw(_lines(positions, valid, layout, body).sum((1, 2)), up)


def line_yaw(line: Tensor, up: int) -> Tensor:
    """Angle about the up axis by which lines (..., C) are turned from the ground's first axis, (...)."""
    a, b = ground_axes(up)
    return torch.atan2(line[..., b], line[..., a])


def facing_lines(positions: Tensor, valid: Tensor, layout: Layout) -> Tensor:
    """The line of :func:`facing_yaw` in each frame, (B, T, C) float64, of the body that is seen first.

    It is a sum over the pairs that were seen. The sums of hours need the precision.
    """
    return _lines(positions, valid, layout, first_body(valid)).double().sum(2)


def _lines(positions: Tensor, valid: Tensor, layout: Layout, body: Tensor) -> Tensor:
    """Right to left joint of each pair of shoulders and hips (else of every pair) of one body of each
    recording, (B, T, pairs, C); 0 where one of the two was not seen."""
    trunk = [pair for pair in layout.pairs if layout.joints[pair[0]].endswith(("shoulder", "hip"))]
    left, right = torch.tensor(trunk or layout.pairs, dtype=torch.int64).view(-1, 2).T
    index = torch.arange(body.shape[0])
    own, seen = positions[index, body], valid[index, body]  # (B, T, J, C)
    both = (seen[..., left] & seen[..., right])[..., None]
    return (own[..., left, :] - own[..., right, :]) * both


def ground_axes(up: int) -> tuple[int, int]:
    """The two axes of the ground plane: (x, z) for y up, (x, y) for z up, (z, y) for x up."""
    return {0: (2, 1), 1: (0, 2), 2: (0, 1)}[up]


def yaw_matrix(angle: Tensor, up: int) -> Tensor:
    """Rotations (..., 3, 3) about the up axis that take ``angle`` (...) on the ground to its first axis."""
    a, b = ground_axes(up)
    turn = torch.zeros(*angle.shape, 3, 3, device=angle.device, dtype=angle.dtype)
    turn[..., up, up] = 1.0
    turn[..., a, a] = turn[..., b, b] = angle.cos()
    turn[..., a, b] = angle.sin()
    turn[..., b, a] = -angle.sin()
    return turn


def body_scale(positions: Tensor, valid: Tensor, layout: Layout) -> Tensor:
    """Factor that brings the mean bone length of each recording to 0.2, (B,); 1 where no bone was seen."""
    length, both = _bones(positions, valid, layout)
    return to_typical(length.flatten(1).sum(1), both.flatten(1).sum(1))


def bone_lengths(positions: Tensor, valid: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    """Sum of the bone lengths that were seen in each frame of the body that is seen first, (B, T) float64,
    and the number of them, (B, T)."""
    index, body = torch.arange(valid.shape[0]), first_body(valid)
    length, both = _bones(positions[index, body], valid[index, body], layout)
    return length.double().sum(-1), both.sum(-1)


def _bones(positions: Tensor, valid: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    """Length of each bone, (..., bones), 0 where one of its ends was not seen; and where both were."""
    child, parent = torch.tensor(layout.bones(), dtype=torch.int64).view(-1, 2).T
    both = valid[..., child] & valid[..., parent]
    length = torch.linalg.vector_norm(positions[..., child, :] - positions[..., parent, :], dim=-1) * both
    return length, both


def to_typical(total: Tensor, count: Tensor) -> Tensor:
    """Factor that brings the mean of ``count`` bones of ``total`` length to 0.2; 1 where there is none."""
    mean = total / count.clamp(min=1)
    return torch.where(mean > 0, TYPICAL_BONE / mean.clamp(min=1e-9), torch.ones_like(mean))
