"""Windows of recordings: what is observed and what is to be predicted, and which of them a protocol tests.

Published protocols draw few windows with a fixed seed; they are followed to the letter here:

- CMU (``cmu_windows``): every 2nd frame; eight windows of each test action.
- Human3.6M (``human36m_windows``): every 2nd frame; windows of the two takes of an action in turn, four each
  (the eight of S-RNN and after) or 128 each (the 256 of later papers).

A window is given by its cut, the first frame to be predicted, so that models that observe more or fewer
frames predict the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.tasks.prediction.config import Span

SEED = 1234567890
"""Of the literature's windows (``numpy.random.RandomState``)."""
PREFIX = 50
"""Observed frames that the literature's windows have room for."""
SPREAD = 8
"""Windows of each recording where no protocol says more."""


@dataclass(frozen=True)
class Window:
    """One test window."""

    recording: int
    """Index in the store."""
    cut: int
    """The first frame to predict, counted in every ``frame_step``-th frame."""
    action: str
    """Whose mean it belongs to."""


def stepped_frames(store: Store, recording: int, frame_step: int) -> int:
    """Frames of a recording when every ``frame_step``-th is taken, the first included."""
    return -(-int(store.frames[recording]) // frame_step)


def cmu_windows(store: Store, recordings: Sequence[int] | np.ndarray, predicted: int = 25) -> list[Window]:
    """Eight windows of each recording, drawn anew for each; a recording is an action of its own."""
    windows = []
    for i in map(int, recordings):
        random = np.random.RandomState(SEED)
        frames = stepped_frames(store, i, 2)
        room = frames - PREFIX - predicted
        if room < 1:
            raise DataError(
                f"recording {store.name(i)} of {store.path} has {frames} frames (every 2nd), too few for "
                f"{PREFIX} observed and {predicted} predicted ones"
            )
        label = int(store.labels[i])
        action = store.classes[label] if label >= 0 else store.name(i)
        windows += [Window(i, int(random.randint(0, room)) + PREFIX, action) for _ in range(SPREAD)]
    return windows


def human36m_windows(
    store: Store, recordings: Sequence[int] | np.ndarray, per_take: int = 4, tail: int = 100
) -> list[Window]:
    """``per_take`` windows of either take of every action, the takes in turn.

    Both takes of an action use one random generator: ``randint(16, frames - 50 - 100)`` (S-RNN's
    ``processdata.py``), 100 frames being left behind the 50 observed ones.

    Raises:
        DataError: if an action has not two takes of one subject, or one is too short.
    """
    takes: dict[str, list[int]] = {}
    for i in map(int, recordings):
        takes.setdefault(store.classes[int(store.labels[i])], []).append(i)
    windows = []
    for action, pair in takes.items():
        if len(pair) != 2:
            raise DataError(
                f"Human3.6M's protocol tests two takes of an action, {store.path} has {len(pair)} of {action}"
            )
        pair = sorted(pair, key=store.name)
        ends = [stepped_frames(store, i, 2) - PREFIX - tail for i in pair]
        if min(ends) <= 16:
            raise DataError(f"a take of {action} of {store.path} is too short for Human3.6M's windows")
        random = np.random.RandomState(SEED)
        for _ in range(per_take):
            windows += [
                Window(i, int(random.randint(16, end)) + PREFIX, action)
                for i, end in zip(pair, ends, strict=True)
            ]
    return windows


def spread_windows(store: Store, recordings: Sequence[int] | np.ndarray, span: Span) -> list[Window]:
    """Up to eight windows of each recording that is long enough, evenly spread; nothing is drawn."""
    windows = []
    for i in map(int, recordings):
        room = stepped_frames(store, i, span.frame_step) - span.total
        if room < 0:
            continue
        label = int(store.labels[i])
        action = store.classes[label] if label >= 0 else "all"
        starts = np.unique(np.linspace(0, room, SPREAD).round().astype(int))
        windows += [Window(i, int(start) + span.observed, action) for start in starts]
    return windows


def protocol_windows(store: Store, recordings: np.ndarray, span: Span) -> dict[str, list[Window]]:
    """The test windows of the recordings of a test part, by the name of the part: "all" is the main one.

    CMU has a second part, "walking extra", of test walks that no protocol of the literature uses: eight
    windows of each, drawn like the others. Human3.6M has "256", the larger number of windows. Other stores
    have evenly spread windows of every recording.

    Raises:
        DataError: if no recording is long enough.
    """
    data = store.meta.get("dataset")
    if data in ("cmu-motion", "human36m") and (span.frame_step != 2 or span.observed > PREFIX):
        raise DataError(
            f"the protocol of {data} takes every 2nd frame and has {PREFIX} frames to observe, the model "
            f"has frame step {span.frame_step} and observes {span.observed}; train it with "
            "predict.head.frame_step 2"
        )
    if data == "cmu-motion":
        own = [i for i in recordings if not is_extra(store, int(i))]
        extra = [
            i
            for i in range(len(store))
            if is_extra(store, i)
            and store.name(i).startswith("test_")
            and stepped_frames(store, i, 2) > PREFIX + span.predicted
        ]
        parts = {"all": cmu_windows(store, own, span.predicted)}
        if extra:
            parts["walking extra"] = cmu_windows(store, extra, span.predicted)
        return parts
    if data == "human36m":
        return {
            "all": human36m_windows(store, recordings),
            "256": human36m_windows(store, recordings, per_take=128),
        }
    windows = spread_windows(store, recordings, span)
    if not windows:
        raise DataError(
            f"no test recording of {store.path} has the {span.total} frames (every {span.frame_step}.) that "
            f"{span.observed} observed and {span.predicted} predicted ones need"
        )
    return {"all": windows}


def is_extra(store: Store, recording: int) -> bool:
    """Whether a CMU recording lies in a folder ``*_extra``."""
    return "_extra_" in store.name(recording)


def cut_out(
    store: Store, window: Window, span: Span
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A window's observed and future frames in the store's own layout.

    Returns:
        observed positions (T, P, J, C) and valid (T, P, J); future positions (H, P, J, C) and valid
        (H, P, J).
    """
    first, last = window.cut - span.observed, window.cut + span.predicted
    rows = slice(first * span.frame_step, (last - 1) * span.frame_step + 1, span.frame_step)
    positions = store.positions(window.recording)[rows]
    valid = store.valid(window.recording)[rows]
    n = span.observed
    return positions[:n], valid[:n], positions[n:], valid[n:]
