"""Drawn recordings for property tests, and small ones for all others."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hitrs.data import Recording, Segment
from hitrs.data.recording import CATEGORIES
from hitrs.skeleton import get_layout

LABELS = ("walk", "sit down", "jump ♥")


def make(name: str = "one", frames: int = 5, persons: int = 1, seed: int = 0, **facts: object) -> Recording:
    """A recording of random positions on the Kinect layout, everything seen."""
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(frames, persons, 20, 3)).astype(np.float32)
    return Recording(positions, np.ones(positions.shape[:-1], bool), get_layout("kinect20"), name, **facts)  # type: ignore[arg-type]


@st.composite
def recordings(draw: st.DrawFn, layout_name: str = "kinect20", name: str = "drawn") -> Recording:
    """Any recording of a layout: lengths, persons, holes, and facts that may be unknown."""
    layout = get_layout(layout_name)
    frames, persons = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    positions = rng.normal(size=(frames, persons, layout.n_joints, layout.dims)) * draw(
        st.sampled_from([1, 1e-6, 1e6])
    )
    valid = rng.random(positions.shape[:-1]) < draw(st.sampled_from([0, 0.5, 1]))
    text = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5)
    segments = []
    if draw(st.booleans()):
        start = draw(st.integers(0, frames - 1))
        segments = [Segment(start, draw(st.integers(start + 1, frames)), draw(st.sampled_from(LABELS)))]
    return Recording(
        positions,
        valid,
        layout,
        name,
        fps=draw(st.none() | st.floats(0.5, 1000)),
        label=draw(st.none() | st.sampled_from(LABELS)),
        segments=tuple(segments),
        subject=draw(text),
        camera=draw(text),
        session=draw(text),
    )


def assert_same(one: Recording, other: Recording) -> None:
    """Everything but the source is equal, positions to the last bit."""
    np.testing.assert_array_equal(one.positions, other.positions)
    np.testing.assert_array_equal(one.valid, other.valid)
    assert one.positions.dtype == other.positions.dtype == np.float32
    for fact in ("layout", "name", "fps", "label", "segments", *CATEGORIES):
        assert getattr(one, fact) == getattr(other, fact), fact
