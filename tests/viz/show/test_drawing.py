"""What a page holds of a recording: small, and as it was."""

import base64

import numpy as np
import pytest

from hitrs.data.recording import Recording, Segment
from hitrs.viz.show.drawing import draw, quantize


def decoded(drawing: dict) -> tuple[np.ndarray, np.ndarray]:
    """Positions and valid as ``show.js`` reads them."""
    shape = (drawing["drawn"], drawing["persons"], len(drawing["joints"]))
    values = np.frombuffer(base64.b64decode(drawing["positions"]), "<i2").reshape(*shape, drawing["dims"])
    bits = np.frombuffer(base64.b64decode(drawing["valid"]), np.uint8)
    valid = np.array([bits[i >> 3] >> (i & 7) & 1 for i in range(np.prod(shape))], bool)
    return np.array(drawing["origin"]) + drawing["quantum"] * values, valid.reshape(shape)


def seen(drawing: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(drawing["seen"]), np.uint8).reshape(-1, drawing["drawn"])


@pytest.mark.parametrize("layout", ["ntu25", "coco17"])
def test_positions_come_back_within_half_a_step(layout: str) -> None:
    rng = np.random.default_rng(0)
    dims, joints = (3, 25) if layout == "ntu25" else (2, 17)
    positions = rng.normal(size=(50, 2, joints, dims)).cumsum(0) + 100
    recording = Recording(positions, rng.random((50, 2, joints)) < 0.8, layout)
    small = quantize(recording.positions, recording.valid)
    off = np.abs(small.positions() - recording.positions)[recording.valid]
    assert off.max() <= small.step / 2 * (1 + 1e-9)
    assert small.step < np.ptp(positions) / 60_000
    assert small.moved == 0


def test_what_a_page_reads_is_the_recording(person) -> None:
    recording = person(frames=9, persons=2)
    recording.valid[3:5, 1, 7] = False
    recording.positions[3:5, 1, 7] = 0
    drawing = draw(recording)
    positions, valid = decoded(drawing)
    np.testing.assert_array_equal(valid, recording.valid)
    off = np.abs(positions - recording.positions)[valid]
    assert off.max() <= drawing["quantum"] / 2 * 1.001
    assert len(drawing["positions"]) < recording.positions.nbytes  # half of it, a third more as text


def test_a_stray_joint_does_not_make_the_others_coarse(person) -> None:
    recording = person(frames=40)
    recording.positions[4, 0, 3] = 1e6
    drawing = draw(recording)
    assert drawing["quantum"] < 0.002  # meters
    assert drawing["notes"] == ["1 position far outside of the scene is drawn at its edge"]
    positions, _ = decoded(drawing)
    rest = np.ones(recording.valid.shape, bool)
    rest[4, 0, 3] = False
    assert np.abs(positions - recording.positions)[rest].max() <= drawing["quantum"] / 2 * 1.001


def test_a_long_recording_is_thinned_and_it_is_said(person) -> None:
    recording = person(frames=1000, fps=30.0, segments=(Segment(10, 900, "stand"),))
    recording.valid[501] = False
    recording.positions[501] = 0
    drawing = draw(recording, most_numbers=6000)  # 100 frames of 20 joints
    assert (drawing["frames"], drawing["step"], drawing["drawn"]) == (1000, 10, 100)
    assert "of its 1,000 frames every 10th is drawn" in drawing["notes"][0]
    positions, _ = decoded(drawing)
    np.testing.assert_allclose(positions, recording.positions[::10], atol=drawing["quantum"])
    assert drawing["lanes"] == [{"title": "labels", "spans": [[10, 900, "stand"]]}]  # frames of the recording
    assert np.flatnonzero(seen(drawing)[0] == 0).tolist() == [50]  # a gap between two drawn frames is told


def test_who_was_seen_when(person) -> None:
    recording = person(frames=8, persons=2)
    recording.valid[:4, 1] = False
    recording.valid[5, 0, :10] = False
    strip = seen(draw(recording))
    assert strip[1].tolist() == [0] * 4 + [255] * 4
    assert strip[0, 5] == 127


def test_nobody_at_all(person) -> None:
    recording = person()
    drawing = draw(Recording(recording.positions, np.zeros_like(recording.valid), recording.layout))
    assert drawing["view"] is None


def test_another_axis_points_up(person) -> None:
    standing = person(frames=6)
    z_up = Recording(standing.positions[..., [2, 0, 1]], standing.valid, standing.layout)
    positions, _ = decoded(draw(z_up))
    height = np.ptp(positions[0, 0], axis=0)
    assert height.argmax() == 1


def test_a_2d_recording_has_no_floor(person) -> None:
    standing = person(frames=6)
    flat = Recording(standing.positions[:, :, :17, :2] * 200, layout="coco17")
    view = draw(flat)["view"]
    assert view["floor"] == []
    assert view["height"] > view["radius"]
