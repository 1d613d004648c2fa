"""From named segments of a recording to class numbers, of segments and of frames; with checks.

Where labeled segments overlap, a frame can carry only one label: the segment that starts later wins, and of
two that start together the shorter one. An action that begins during another is thus seen, and the other goes
on behind it. Scores of segments (mAP and the like) see both whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np

from hitrs.data.recording import Segment
from hitrs.errors import DataError
from hitrs.tasks.detection.segments import Proposal


def numbered(segments: Sequence[Segment], frames: int, classes: Sequence[str]) -> list[Proposal]:
    """Checked segments with the index of their class, by start, then stop.

    Raises:
        DataError: for a segment that is reversed, empty or not within the recording, or a name that is no
            class. The caller knows the file: ``with located(file): ...``.
    """
    index = {name: number for number, name in enumerate(classes)}
    found = []
    for each in segments:
        where = f"segment '{each.label}', frames {each.start} to {each.stop}"
        if each.label not in index:
            near = get_close_matches(each.label, classes, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(classes)}"
            raise DataError(f"{where}: there is no such class; {hint}")
        if each.stop <= each.start:
            raise DataError(f"{where}: the first frame must come before the last")
        if each.start < 0 or each.stop > frames:
            raise DataError(
                f"{where}: the recording ends at frame {frames}; is this the label file of another "
                "recording, or of another frame rate?"
            )
        found.append(Proposal(each.start, each.stop, index[each.label]))
    return sorted(found, key=lambda p: (p.start, p.stop))


def frame_labels(segments: Sequence[Segment], frames: int, classes: Sequence[str]) -> np.ndarray:
    """(T,) int64: the class of each frame, ``len(classes)`` for background.

    Raises:
        DataError: as ``numbered``.
    """
    labels = np.full(frames, len(classes), dtype=np.int64)
    for each in sorted(numbered(segments, frames, classes), key=lambda p: (p.start, -p.stop)):
        labels[each.start : each.stop] = each.label
    return labels
