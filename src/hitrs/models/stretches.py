"""Long recordings: overlapping stretches that the video level can see at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Stretch:
    """Clips [start, stop) are encoded together; those of [keep_start, keep_stop) keep theirs."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


def stretches(clips: int, longest: int) -> list[Stretch]:
    """Cut ``clips`` clips into stretches of ``longest`` that overlap by at least half and cover all.

    A clip's feature is taken from the stretch in which it stands most central, so the kept parts tile
    [0, clips).
    """
    if clips <= longest:
        return [Stretch(0, clips, 0, clips)]
    step = max(1, longest // 2)
    count = -(-(clips - longest) // step) + 1
    starts = [round(i * (clips - longest) / (count - 1)) for i in range(count)]
    # between two stretches the border lies where a clip is equally far from both centers
    borders = [0, *((a + b + longest) // 2 for a, b in pairwise(starts)), clips]
    return [Stretch(s, s + longest, borders[i], borders[i + 1]) for i, s in enumerate(starts)]
