"""Online detection: how long after its start an action is named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitrs.errors import ConfigError, DataError
from hitrs.tasks.detection.segments import Proposal


def naming_delays(truth: Sequence[Proposal], labels: np.ndarray, confirm: int = 1) -> list[int | None]:
    """Frames from the start of each action until it was named; None if it never was while it went on.

    An action is named in the first frame that ends ``confirm`` frames in a row with its label, all of them in
    the action: 0 is its first frame, and ``confirm - 1`` the least that is possible.

    Args:
        truth: actions of one recording.
        labels: (T,) the class that was said in each frame, from this and earlier frames alone.

    Raises:
        ConfigError: if ``confirm`` is below 1.
        DataError: if an action runs over the end of ``labels``.
    """
    if confirm < 1:
        raise ConfigError(f"an action is named in at least 1 frame in a row, got {confirm}")
    delays: list[int | None] = []
    for each in truth:
        if each.stop > len(labels):
            raise DataError(f"{each} runs over the {len(labels)} frames that were labeled")
        right = np.r_[0, np.cumsum(np.asarray(labels[each.start : each.stop]) == each.label)]
        full = np.flatnonzero(right[confirm:] - right[:-confirm] == confirm)
        delays.append(int(full[0]) + confirm - 1 if len(full) else None)
    return delays


def latency(
    truth: Sequence[Sequence[Proposal]], labels: Sequence[np.ndarray], confirm: int = 1
) -> dict[str, float | None]:
    """Over all actions: the share that is named at all, and mean and median delay of those, in frames.

    Returns:
        ``latency/named`` (a fraction), ``latency/median_frames``, ``latency/mean_frames``; None where
        there is no action, or none was named.
    """
    delays = [
        delay
        for segments, said in zip(truth, labels, strict=True)
        for delay in naming_delays(segments, said, confirm)
    ]
    named = [delay for delay in delays if delay is not None]
    return {
        "latency/named": len(named) / len(delays) if delays else None,
        "latency/median_frames": float(np.median(named)) if named else None,
        "latency/mean_frames": float(np.mean(named)) if named else None,
    }
