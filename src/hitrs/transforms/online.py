"""Preprocessing frame by frame: what ``preprocess`` and ``take_stream`` do, by past frames only."""

from __future__ import annotations

import torch
from torch import Tensor

from hitrs.errors import ConfigError
from hitrs.skeleton.layout import Layout
from hitrs.transforms.preprocess import Preprocessing
from hitrs.transforms.streams import take_stream


def check_online(settings: Preprocessing) -> None:
    """ConfigError for settings that need the whole recording; it names all of them."""
    used = {name: getattr(settings, name) for name in ("align", "scale")}
    whole = {name: value for name, value in used.items() if value != "none"}
    if whole:
        found = " and ".join(f"preprocessing.{name} = {value}" for name, value in whole.items())
        options = " ".join(f"--preprocessing.{name} none" for name in whole)
        raise ConfigError(
            f"{found} needs the whole recording, so nothing can be detected frame by frame; train with "
            f"`{options}` (an encoder is pre-trained with the same)"
        )


class OnlinePreprocessing:
    """The state that preprocessing has between two frames of one recording.

    Results are those of the whole recording, with one exception: ``center: first`` needs the first body's
    center; frames before it is first seen cannot be placed and count as not seen.

    Raises:
        ConfigError: for settings that need the whole recording.
    """

    def __init__(self, settings: Preprocessing, layout: Layout):
        check_online(settings)
        self.settings, self.layout = settings, layout
        self._joints = list(layout.center)
        self._body: int | None = None  # whose center counts
        self._center: Tensor | None = None
        self._before: tuple[Tensor, Tensor] | None = None

    def __call__(self, positions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The next frame, (P, J, C) and (P, J), in the model's stream."""
        if self.settings.center != "none":
            positions, valid = self._centered(positions, valid)
        positions = positions.masked_fill(~valid[..., None], 0.0)
        frame = (positions, valid)
        both = [frame] if self._before is None or self.settings.stream != "motion" else [self._before, frame]
        self._before = frame
        values, seen = take_stream(
            torch.stack([p for p, _ in both], 1),
            torch.stack([v for _, v in both], 1),
            self.settings.stream,
            self.layout,
        )
        return values[:, -1], seen[:, -1]

    def _centered(self, positions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        found = valid[:, self._joints].all(-1)  # (P,)
        counts = found if self.settings.center == "first" else valid.any(-1)
        if self._body is None and bool(counts.any()):
            self._body = int(counts.float().argmax())
        moves = self._center is None or self.settings.center == "frame"
        if self._body is not None and moves and bool(found[self._body]):
            self._center = positions[self._body, self._joints].mean(0)
        if self._center is not None:
            return positions - self._center, valid
        return positions, valid if self.settings.center == "frame" else torch.zeros_like(valid)
