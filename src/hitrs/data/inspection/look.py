"""Everything that is found out about one recording by its positions alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitrs.data.inspection.body import Bones, guess_unit, guess_up, measure_bones
from hitrs.data.inspection.copies import trace_of
from hitrs.data.inspection.identity import find_flips, find_swaps
from hitrs.data.inspection.measures import body_size
from hitrs.data.inspection.motion import HELD, find_breaks, find_frozen, find_jumps, find_repeats, find_spikes
from hitrs.skeleton.layout import Layout


@dataclass(frozen=True)
class Look:
    """Findings on one recording."""

    bodies: int
    """Frames in which a person was seen, summed over persons."""
    missing: np.ndarray
    """(J,) bodies that lack the joint."""
    empty: int
    """Frames with nobody in them."""
    zero: bool
    """Joints count as seen, but all stand at 0."""
    still: bool
    """Several frames that are all the same."""
    size: float
    """Longest side of a body; NaN if nobody was seen."""
    jumps: int
    spikes: int
    """Of single joints."""
    breaks: int
    """Frames in which the whole pose is another one, summed over persons."""
    swaps: int
    flips: int
    repeats: int
    """Frames that are exact copies of the frame before."""
    held: tuple[int, ...]
    """Joints that are frozen for a while."""
    bones: Bones | None
    """None in 2-D, where lengths change with the view."""
    unit: str
    up: str
    trace: np.ndarray
    """What ``copies.near_copies`` goes by."""


def look_at(positions: np.ndarray, valid: np.ndarray, layout: Layout) -> Look:
    """Look at one recording: positions (T, P, J, C) and valid (T, P, J)."""
    bodies = valid.any(-1)  # (T, P)
    size = body_size(positions, valid)
    repeats = find_repeats(positions, valid)
    spikes = find_spikes(positions, valid, size)
    breaks = find_breaks(spikes, valid)
    return Look(
        bodies=int(bodies.sum()),
        missing=(~valid[bodies]).sum(0),
        empty=int((~bodies.any(-1)).sum()),
        zero=bool(bodies.any()) and not positions.any(),
        still=len(positions) > 1 and bool(repeats[1:].all()),
        size=size,
        jumps=int(find_jumps(positions, valid, size).sum()),
        spikes=int(spikes[~breaks].sum()),
        breaks=int(breaks.sum()),
        swaps=len(find_swaps(positions, valid, size)),
        flips=int(find_flips(positions, valid, layout, size).sum()),
        repeats=int(repeats.sum()),
        held=tuple(np.flatnonzero((find_frozen(positions, valid) >= HELD).any(0)).tolist()),
        bones=measure_bones(positions, valid, layout) if layout.dims == 3 else None,
        unit=guess_unit(positions, valid, layout, size),
        up=guess_up(positions, valid, layout),
        trace=trace_of(positions, valid),
    )
