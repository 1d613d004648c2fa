"""The frame rate that time stamps tell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_REGULAR = 0.2
"""Time stamps are regular if no step differs from the median by more than this part."""


def regular_rate(times: Mapping[int, float]) -> tuple[float | None, list[str]]:
    """Frames per second by the time stamp of each frame, and what is to be said about it.

    Args:
        times: in seconds or milliseconds.

    Returns:
        None where they are irregular or do not rise.
    """
    order = sorted(times)
    steps = np.diff([times[frame] for frame in order]) / np.diff(order)
    if len(steps) == 0 or not np.isfinite(steps).all() or not (steps > 0).all():
        return None, ["the time stamps do not rise from frame to frame; the frame rate stays unknown"]
    step = float(np.median(steps))
    if step > 1:  # nobody films a frame every few seconds: these are milliseconds
        steps, step = steps / 1000, step / 1000
    if np.abs(steps - step).max() > _REGULAR * step:
        return None, [
            f"the time stamps are irregular, {steps.min():.3g} to {steps.max():.3g} s from frame to frame; "
            "the frame rate stays unknown"
        ]
    return round(1 / step, 3), [f"frame rate by the time stamps: {1 / step:.3f}"]
