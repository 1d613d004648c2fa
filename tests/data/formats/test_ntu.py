"""NTU files: each dirt that real ones have is read right and told; each damage is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ntu_files import Body, chair, ntu_text, person

from hitrs.data.formats.ntu import read_ntu
from hitrs.data.recording import Recording
from hitrs.errors import DataError

FRAMES = 40
WHOLE = range(FRAMES)


def read(tmp_path: Path, **bodies: Body) -> Recording:
    path = tmp_path / "S001C001P001R001A001.skeleton"
    path.write_text(ntu_text({f"720575940379{name}": body for name, body in bodies.items()}, FRAMES))
    return read_ntu(path)


def joints(body: Body) -> np.ndarray:
    return np.stack([body[frame] for frame in sorted(body)])


def test_one_body(tmp_path: Path) -> None:
    body = person(WHOLE)
    body[3][5] = 0  # a joint at the sensor: lost
    found = read(tmp_path, a=body)
    assert found.positions.shape == (FRAMES, 1, 25, 3)
    np.testing.assert_allclose(found.positions[:, 0], joints(body), rtol=1e-6)
    assert np.argwhere(~found.valid).tolist() == [[3, 0, 5]]
    assert (found.notes, found.fps, found.layout.name) == ((), None, "ntu25")


def test_frames_without_a_body(tmp_path: Path) -> None:
    body = {frame: value for frame, value in person(WHOLE).items() if frame not in (0, 7, 39)}
    found = read(tmp_path, a=body)
    assert found.n_frames == FRAMES
    assert np.flatnonzero(~found.valid.any((1, 2))).tolist() == [0, 7, 39]


def test_the_id_changes(tmp_path: Path) -> None:
    first, second = person(range(18)), person(range(20, FRAMES))
    found = read(tmp_path, first=first, second=second)
    assert found.n_persons == 1
    assert np.flatnonzero(~found.valid.any((1, 2))).tolist() == [18, 19]
    np.testing.assert_allclose(found.positions[20:, 0], joints(second), rtol=1e-6)
    assert "bodies first and econd were joined" in found.notes[0]


def test_ids_take_turns(tmp_path: Path) -> None:
    body = person(WHOLE)
    odd = {frame: body[frame] for frame in WHOLE if frame % 3 == 1}
    even = {frame: body[frame] for frame in WHOLE if frame % 3 != 1}
    found = read(tmp_path, even=even, other=odd)
    assert found.n_persons == 1
    assert found.valid.all()
    np.testing.assert_allclose(found.positions[:, 0], joints(body), rtol=1e-6)


def test_a_split_body(tmp_path: Path) -> None:
    body = person(WHOLE)
    shadow = {frame: body[frame] + 0.02 for frame in range(10, 30)}
    found = read(tmp_path, whole=body, again=shadow)
    assert found.n_persons == 1
    np.testing.assert_allclose(found.positions[:, 0], joints(body), rtol=1e-6)
    assert "same place in 20 frames" in found.notes[0]


def test_a_ghost(tmp_path: Path) -> None:
    body = person(WHOLE)
    found = read(tmp_path, chair=chair(WHOLE), human=body)
    assert found.n_persons == 1
    np.testing.assert_allclose(found.positions[:, 0], joints(body), rtol=1e-6)
    assert "body chair" in found.notes[0]
    assert "too wide" in found.notes[0]


def test_a_thing_that_never_moves(tmp_path: Path) -> None:
    still = {frame: person(range(1), (1, 0, 3))[0] for frame in WHOLE}
    found = read(tmp_path, still=still, human=person(WHOLE))
    assert found.n_persons == 1
    assert "does not move" in found.notes[0]


def test_a_flash(tmp_path: Path) -> None:
    found = read(tmp_path, human=person(WHOLE), flash=person(range(5, 9), (1.5, 0, 4)))
    assert found.n_persons == 1
    assert "in 4 frames only" in found.notes[0]


def test_only_a_ghost_is_kept(tmp_path: Path) -> None:
    assert read(tmp_path, chair=chair(WHOLE)).n_persons == 1
    both = read(tmp_path, chair=chair(WHOLE), table=chair(WHOLE, (-1, -0.3, 3)))
    assert both.n_persons == 1
    assert any("nobody else is there" in note for note in both.notes)


def test_three_bodies(tmp_path: Path) -> None:
    bodies = {
        "slow": person(WHOLE, (-1, 0, 3), 0.02),
        "fast": person(WHOLE, (0, 0, 3), 0.2),
        "mid": person(WHOLE, (1, 0, 3), 0.1),
    }
    found = read(tmp_path, **bodies)
    assert found.n_persons == 2
    np.testing.assert_allclose(found.positions[:, 0], joints(bodies["fast"]), rtol=1e-6)
    np.testing.assert_allclose(found.positions[:, 1], joints(bodies["mid"]), rtol=1e-6)
    assert "body 9slow was left out: 2 others move more" in found.notes[0]


def test_nobody_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no body is seen in any of its 40 frames"):
        read(tmp_path)
    zero = {frame: np.zeros((25, 3)) for frame in WHOLE}
    with pytest.raises(DataError, match="no body is seen"):
        read(tmp_path, zero=zero)


def test_bodies_without_joints_and_windows_line_ends(tmp_path: Path) -> None:
    text = ntu_text({"1": person(range(12))}, 12).splitlines()
    text[1] = "2"
    text[2:2] = ["99 0 0 0 0 0 0 0 0 0", "0"]
    path = tmp_path / "a.skeleton"
    path.write_bytes("\r\n".join([*text, "", ""]).encode())
    assert read_ntu(path).positions.shape == (12, 1, 25, 3)


def swapped(line: int, text: str) -> Callable[[list[str]], None]:
    return lambda lines: lines.__setitem__(line - 1, text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines.clear(), "line 1: the number of frames is ''"),
        (swapped(1, "0"), "is an empty sequence"),
        (swapped(1, "many"), "line 1: the number of frames is 'many'"),
        (swapped(1, "99999999"), "line 1: the number of frames is '99999999'"),
        (swapped(1, "1"), "line 30: the file goes on after its 1 frames"),
        (swapped(1, "4"), "line 85: the file ends in frame 3"),
        (swapped(2, "-1"), "line 2, frame 0: the number of bodies is '-1'"),
        (swapped(4, "24"), "line 4, frame 0: 24 joints, expected 25"),
        (swapped(34, "1 2 3"), "line 34, frame 1: expected 12 numbers"),
        (swapped(34, "x " * 12), "line 34, frame 1: expected 12 numbers"),
        (swapped(34, "1e200 2 3" + " 0" * 9), r"frame 1: joint 2 .* is at \[1e\+200, 2.0, 3.0\]"),
        (lambda lines: lines.__delitem__(slice(60, None)), "line 60: the file ends in frame 2"),
    ],
)
def test_damage_is_named(tmp_path: Path, change: Callable[[list[str]], None], message: str) -> None:
    lines = ntu_text({"1": person(range(3))}, 3).splitlines()
    assert len(lines) == 1 + 3 * 28
    change(lines)
    path = tmp_path / "a.skeleton"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=message) as caught:
        read_ntu(path)
    assert str(path) in str(caught.value)
