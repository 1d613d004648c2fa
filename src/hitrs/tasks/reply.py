"""What a model says of a recording, in one form for every task, so that a page can show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hitrs.data.recording import Recording


@dataclass(frozen=True)
class Reply:
    """What a model says of a recording; what does not apply to its task is left out."""

    recording: Recording
    """What was looked at, in the model's unit and at its frame rate."""
    said: str
    """The answer in a few words."""
    error: float | None = None
    """How far from right: the recordings of a page are sorted by it. None: nothing to compare with."""
    right: bool | None = None
    """None: there is nothing to compare with, or the answer is neither."""
    scores: tuple[tuple[str, float], ...] = ()
    """(class, probability) of the whole recording, the most probable first."""
    segments: tuple[tuple[int, int, str, float], ...] | None = None
    """What was found: start, stop, class, score; None: segments are not what the model looks for."""
    probabilities: np.ndarray | None = None
    """(T, K) of every frame."""
    labels: tuple[str, ...] = ()
    """The K of ``probabilities``."""
    predicted: Recording | None = None
    """The observed frames, and behind them those that the model predicts."""
    start: int = 0
    """The first frame of ``predicted`` that is."""


Replier: TypeAlias = Callable[[Recording], Reply]
"""Raises DataError or LayoutError for a recording that the model cannot use."""
