"""What is done to every recording before a model sees it, in training and use alike; saved with the model.

``fit_preprocessing`` works out what is to be done to recordings; the result is applied to them or inverted.
``preprocess`` is both for a batch, ``RunningPreprocessing`` is a fit that goes on with every frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    """(B,)."""
    origin: Tensor | None = None
    """(B, 1, C) for all frames or (B, T, C) for each; after scaling."""
    turn: Tensor | None = None
    """(B, C, C) rotations of column vectors."""

    def apply(self, positions: Tensor) -> Tensor:
        """Preprocess positions (B, P, T, J, C) of the same recordings; what stands at unseen joints too."""
        if self.scale is not None:
            positions = positions * self.scale[:, None, None, None, None]
        if self.origin is not None:
            positions = positions - self.origin[:, None, :, None]
        if self.turn is not None:
            positions = torch.einsum("bptjc,bdc->bptjd", positions, self.turn)
        return positions

    def inverse(self, positions: Tensor) -> Tensor:
        """Preprocessed positions (B, P, T, J, C) back in the coordinates of the recordings."""
        if self.turn is not None:
            positions = torch.einsum("bptjd,bdc->bptjc", positions, self.turn)
        if self.origin is not None:
            positions = positions + self.origin[:, None, :, None]
        if self.scale is not None:
            positions = positions / self.scale[:, None, None, None, None]
        return positions

    def apply_to(self, batch: Batch) -> Batch:
        """A batch of the same recordings, preprocessed; unseen joints are 0."""
        positions = self.apply(batch.positions).masked_fill(~batch.valid[..., None], 0.0)
        return Batch(positions, batch.valid, batch.lengths)

    def at_last_frame(self) -> FittedPreprocessing:
        """The same for any frames: an origin of each frame stays where it is in the last one.

        What follows the fitted frames can be preprocessed, and a prediction of it taken back.
        """
        return self if self.origin is None else replace(self, origin=self.origin[:, -1:])


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
        positions = positions * scale[:, None, None, None, None]
    if config.center == "first":
        origin = first_center(positions, valid, layout)[:, None]
    elif config.center == "frame":
        origin = frame_centers(positions, valid, layout)
    if config.align == "yaw" and positions.shape[-1] == 3:
        centered = positions if origin is None else positions - origin[:, None, :, None]
        turn = yaw_matrix(facing_yaw(centered, valid, layout, config.up_axis), config.up_axis)
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
        self._previous: tuple[Tensor, Tensor] | None = None  # the last frame

    def __call__(self, positions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The next frame, (P, J, C) and (P, J), in the model's stream."""
        self._fit(positions, valid)
        if self.fitted.origin is None and self.config.center == "first":
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
        """The origin as far as it is known with this frame."""
        if self.config.center == "none":
            return
        center = list(self.layout.center)
        center_seen = valid[:, center].all(-1)  # (P,)
        counts = center_seen if self.config.center == "first" else valid.any(-1)
        if self._body is None and bool(counts.any()):
            self._body = int(counts.float().argmax())
        moves = self.fitted.origin is None or self.config.center == "frame"
        if self._body is not None and moves and bool(center_seen[self._body]):
            origin = positions[self._body, center].mean(0)
            self.fitted = FittedPreprocessing(origin=origin[None, None])


def check_online(config: PreprocessingConfig) -> None:
    """ConfigError for settings that need the whole recording; it names all of them."""
    used = {name: getattr(config, name) for name in ("align", "scale")}
    whole = {name: value for name, value in used.items() if value != "none"}
    if whole:
        settings = " and ".join(f"preprocessing.{name} = {value}" for name, value in whole.items())
        options = " ".join(f"--preprocessing.{name} none" for name in whole)
        raise ConfigError(
            f"{settings} needs the whole recording, so nothing can be detected frame by frame; train with "
            f"`{options}` (an encoder is pre-trained with the same)"
        )


def first_center(positions: Tensor, valid: Tensor, layout: Layout) -> Tensor:
    """Where each recording's center is first seen, (B, C); the mean of all seen joints if never."""
    center = list(layout.center)
    seen = valid[..., center].all(-1).flatten(1)  # (B, P T), first body first
    where = seen.float().argmax(1)
    value = positions[..., center, :].mean(-2).flatten(1, 2)[torch.arange(len(where)), where]
    weight = valid[..., None].to(positions.dtype)
    mean = (positions * weight).flatten(1, 3).sum(1) / weight.flatten(1, 3).sum(1).clamp(min=1)
    return torch.where(seen.any(1)[:, None], value, mean)


def frame_centers(positions: Tensor, valid: Tensor, layout: Layout) -> Tensor:
    """Where a body's center is in each frame, (B, T, C), by past frames only.

    Of each recording the body that is seen first. Where its center is not seen, where it was last; before it
    is first seen, 0.
    """
    center = list(layout.center)
    index = torch.arange(len(positions), device=positions.device)
    there = valid.any(-1)  # (B, P, T)
    since = there.float().argmax(2).masked_fill(~there.any(2), there.shape[2])
    first = since.argmin(1)
    seen = valid[index, first][..., center].all(-1)  # (B, T)
    value = positions[index, first][..., center, :].mean(-2)  # (B, T, C)
    frame = torch.arange(seen.shape[1], device=seen.device).expand_as(seen)
    last = frame.masked_fill(~seen, -1).cummax(1).values
    taken = value.gather(1, last.clamp(min=0)[..., None].expand_as(value))
    return taken.masked_fill((last < 0)[..., None], 0.0)


def facing_yaw(positions: Tensor, valid: Tensor, layout: Layout, up: int) -> Tensor:
    """Angle about the up axis by which the line from right to left joints is turned from +x, (B,) in radians.

    The line is the mean over shoulders and hips, and over the frames of each recording's first body.
    """
    trunk = [pair for pair in layout.pairs if layout.joints[pair[0]].endswith(("shoulder", "hip"))]
    pairs = torch.tensor(trunk or layout.pairs, dtype=torch.int64)
    if not len(pairs):
        return positions.new_zeros(len(positions))
    first = valid.flatten(2).any(-1).float().argmax(1)  # the first body in which anything was seen
    index = torch.arange(len(first))
    body, seen = positions[index, first], valid[index, first]  # (B, T, J, C)
    left, right = pairs[:, 0], pairs[:, 1]
    both = (seen[..., left] & seen[..., right])[..., None]
    line = ((body[..., left, :] - body[..., right, :]) * both).sum((1, 2))  # (B, C)
    a, b = ground_axes(up)
    return torch.atan2(line[:, b], line[:, a])


def ground_axes(up: int) -> tuple[int, int]:
    """The two axes of the ground plane: (x, z) for y up, (x, y) for z up, (z, y) for x up."""
    return {0: (2, 1), 1: (0, 2), 2: (0, 1)}[up]


def yaw_matrix(angle: Tensor, up: int) -> Tensor:
    """Rotations (B, 3, 3) about the up axis that take ``angle`` on the ground to its first axis."""
    a, b = ground_axes(up)
    turn = torch.zeros(len(angle), 3, 3, device=angle.device, dtype=angle.dtype)
    turn[:, up, up] = 1.0
    turn[:, a, a] = turn[:, b, b] = angle.cos()
    turn[:, a, b] = angle.sin()
    turn[:, b, a] = -angle.sin()
    return turn


def body_scale(positions: Tensor, valid: Tensor, layout: Layout) -> Tensor:
    """Factor that brings the mean bone length of each recording to 0.2, (B,); 1 where no bone was seen."""
    child, parent = torch.tensor(layout.bones(), dtype=torch.int64).view(-1, 2).T
    both = valid[..., child] & valid[..., parent]
    length = torch.linalg.vector_norm(positions[..., child, :] - positions[..., parent, :], dim=-1) * both
    total, count = length.flatten(1).sum(1), both.flatten(1).sum(1)
    mean = total / count.clamp(min=1)
    return torch.where(mean > 0, TYPICAL_BONE / mean.clamp(min=1e-9), torch.ones_like(mean))
