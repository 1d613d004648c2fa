"""Made-up truths and proposals of a few recordings, for properties."""

from __future__ import annotations

from hypothesis import strategies as st

from hitrs.tasks.detection.segments import Proposal

FRAMES, CLASSES = 40, 3


def spans(max_size: int = 6) -> st.SearchStrategy[list[Proposal]]:
    """Segments of one recording that may overlap; few scores, so that some are equal."""
    one = st.builds(
        lambda start, length, label, score: Proposal(start, min(start + length, FRAMES), label, score),
        st.integers(0, FRAMES - 1),
        st.integers(1, 15),
        st.integers(0, CLASSES - 1),
        st.sampled_from([0.2, 0.5, 0.7, 0.9]),
    )
    return st.lists(one, max_size=max_size)


def apart() -> st.SearchStrategy[list[Proposal]]:
    """Segments that do not touch, of at least two frames."""

    def place(parts: list[tuple[int, int, int]]) -> list[Proposal]:
        segments, frame = [], 0
        for gap, length, label in parts:
            segments.append(Proposal(frame + gap, frame + gap + length, label))
            frame += gap + length
        return segments

    return st.lists(
        st.tuples(st.integers(1, 3), st.integers(2, 6), st.integers(0, CLASSES - 1)), max_size=4
    ).map(place)


recordings = st.lists(st.tuples(spans(), spans()), min_size=1, max_size=3).filter(
    lambda pairs: any(truth for truth, _ in pairs)
)
"""(truth, proposals) of each recording, with at least one truth."""
