"""What a page draws of somebody who is live: upright positions, and now and then from where to look."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from hitrs.data.recording import Recording
from hitrs.data.space import TURNS, measure_space
from hitrs.skeleton.layout import Layout
from hitrs.viz.show.drawing import view_of

_REMEMBERED, _EVERY = 90, 15
"""Frames by which the view is chosen, and after how many it is chosen again; at first after half as many as
were seen."""


class LiveScene:
    """The frames of one client.

    >>> LiveScene(layout).add(positions, valid)  # (P, J, C), (P, J)
    {'skeleton': [[[0.1, 1.2, 0.3], None, ...]], 'view': {'center': [0.0, 0.9, 0.2], ...}}
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._frames: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=_REMEMBERED)
        self._since = 0
        self._up = "y"

    def add(self, positions: np.ndarray, valid: np.ndarray) -> dict[str, Any]:
        """JSON values of a frame; "view" only where it is new."""
        told: dict[str, Any] = {}
        if valid.any():
            self._frames.append((positions, valid))
            self._since += 1
        if self._frames and self._since >= min(_EVERY, 1 + len(self._frames) // 2):
            self._since = 0
            told["view"] = self._view()
        shown = np.round(self._turned(positions).astype(np.float64), 4)
        rows = zip(shown.tolist(), valid.tolist(), strict=True)
        told["skeleton"] = [[p if s else None for p, s in zip(*row, strict=True)] for row in rows]
        return told

    def _view(self) -> dict[str, Any] | None:
        positions, valid = (np.stack(parts) for parts in zip(*self._frames, strict=True))
        if self._layout.dims == 3:
            self._up = measure_space(positions, valid, self._layout).up
        return view_of(Recording(self._turned(positions), valid, self._layout))

    def _turned(self, positions: np.ndarray) -> np.ndarray:
        turn = TURNS.get(self._up)
        return positions if turn is None or self._layout.dims == 2 else positions @ turn.T
