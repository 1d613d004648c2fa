"""Inspection finds each defect that was put into a store, and nothing in a clean one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import make

from hitrs.data import Recording, Segment, Store, inspect_store, write_store
from hitrs.errors import ConfigError
from hitrs.skeleton import get_layout

KINECT = get_layout("kinect20")
HEIGHTS = [
    0.95,
    1.15,
    1.4,
    1.6,
    1.35,
    1.1,
    0.85,
    0.8,
    1.35,
    1.1,
    0.85,
    0.8,
    0.9,
    0.5,
    0.08,
    0.0,
    0.9,
    0.5,
    0.08,
    0.0,
]
"""Of the joints of a standing person, in meters."""


DEFECTS = (
    "one_frame", "unlabeled", "glitches", "overlaps", "repeats", "unseen", "mostly_unseen", "empty", "nobody",
    "all_zero", "frozen", "frozen_joints", "jumps", "breaks", "spikes", "swaps", "flips", "bone_drift",
    "odd_size", "copies", "contradictions", "odd_unit", "quarantined", "notes", "lost", "flat", "exchanged",
)  # fmt: skip


def person(name: str, frames: int = 30, seed: int = 0, scale: float = 1.0, **facts: object) -> Recording:
    """A body 1.6 high that drifts slowly and trembles."""
    rng = np.random.default_rng(seed)
    pose = rng.uniform(-0.2, 0.2, (20, 3))
    pose[:, 1] = HEIGHTS
    left, right, feet = (
        [name.startswith(part) or name.endswith(part) for name in KINECT.joints]
        for part in ("left", "right", "foot")
    )
    pose[left, 0], pose[right, 0] = 0.1, -0.1
    pose[feet, 2] = 0.3  # ahead
    drift = np.cumsum(rng.normal(0, 0.01, (frames, 1, 1, 3)), axis=0)
    positions = (pose + drift + rng.normal(0, 0.005, (frames, 1, 20, 3))) * scale
    return Recording(positions, np.ones((frames, 1, 20), bool), KINECT, name, **facts)  # type: ignore[arg-type]


def changed(recording: Recording, **parts: np.ndarray) -> Recording:
    return Recording(
        parts.get("positions", recording.positions),
        parts.get("valid", recording.valid),
        KINECT,
        recording.name,
    )


def store_of(tmp_path: Path, *items: Recording, **options: object) -> Store:
    arguments: dict[str, object] = {"layout": KINECT, "classes": ("a", "b"), "protocols": {}, "meta": {}}
    return write_store(tmp_path / "store", items, **{**arguments, **options})  # type: ignore[arg-type]


def test_a_clean_store(tmp_path: Path) -> None:
    items = [
        person(f"r{n}", 20 + n, n, label="ab"[n % 2], subject=f"s{n}", camera="c", fps=25) for n in range(4)
    ]
    halves = {"halves": lambda recording: "train" if recording.subject in ("s0", "s1") else "test"}
    found = inspect_store(store_of(tmp_path, *items, protocols=halves, meta={"dataset": "own"}))
    assert (found.dataset, found.layout, found.recordings, found.frames) == ("own", "kinect20", 4, 86)
    assert (found.shortest, found.median_length, found.longest) == (20, 21.5, 23)
    assert found.classes == {"a": 2, "b": 2}
    assert found.subjects == {"s0": 1, "s1": 1, "s2": 1, "s3": 1}
    assert found.cameras == {"c": 4}
    assert (found.fps, found.unknown_fps) == ({"25": 4}, 0)
    assert found.protocols == {"halves": (2, 2)}
    assert (found.unit, found.unit_agreement, found.up, found.up_agreement) == ("meters", 1, "y", 1)
    assert found.body_size == pytest.approx(1.6, abs=0.1)
    for name in DEFECTS:
        assert not getattr(found, name), name
    assert not any(line.startswith("!") for line in found.lines())


def test_defects_are_named(tmp_path: Path) -> None:
    frozen = person("frozen")
    zero = make("zero", frames=30)
    lost = person("lost", label=None)
    seen = np.ones((30, 1, 20), bool)
    seen[:3] = False  # nobody there for three frames
    seen[10:12, :, 3] = False  # the head is lost for two more
    jumping = person("jumping")
    jumped = jumping.positions.copy()
    jumped[15:, :, :, 0] += 1.1
    jumped[20:, :, :, 0] += 0.4  # a quick step
    hips = np.ones((30, 1, 20), bool)
    hips[12, :, KINECT.center] = False  # far from the origin, but not seen is not a jump
    items = [
        changed(frozen, positions=np.broadcast_to(frozen.positions[0], frozen.positions.shape)),
        changed(zero, positions=np.zeros_like(zero.positions)),
        changed(lost, valid=seen),
        changed(jumping, positions=jumped),
        person("single", frames=1),
        person("short", frames=10),
        person("below", frames=18),
        person("fine", label="a"),
        changed(person("away"), positions=person("away").positions + 5, valid=hips),
    ]
    found = inspect_store(store_of(tmp_path, *items))
    assert found.frozen == ("frozen",)
    assert found.all_zero == ("zero",)
    assert found.jumps == {"jumping": 1}
    assert found.one_frame == ("single",)
    assert (found.short, found.below_paper) == (2, 3)
    assert found.empty_frames == 3
    assert set(found.unseen) == {"head", "pelvis"}
    assert found.unseen["head"] == pytest.approx(2 / (found.frames - 3))
    assert len(found.unlabeled) == 8
    text = "\n".join(line for line in found.lines() if line.startswith("!"))
    for word in ("8 without a label", "single", "frozen", "zero", "jumping", "3 with nobody", "head"):
        assert word in text
    json.dumps(found.to_dict())


def test_leaks(tmp_path: Path) -> None:
    items = [
        person("a", seed=1, subject="s", label="a"),
        person("b", seed=1, subject="s", label="a"),
        person("c", seed=2, subject="t", label="b"),
    ]
    found = inspect_store(
        store_of(
            tmp_path, *items, protocols={"p": lambda recording: "train" if recording.name == "a" else "test"}
        )
    )
    assert found.duplicates == {"p": ("b",)}
    assert found.shared_subjects == {"p": ("s",)}
    assert any("1 test recording is an exact copy" in line for line in found.lines())
    assert any("1 test recording remains without them" in line for line in found.lines())


@pytest.mark.parametrize(
    ("scale", "unit"), [(1, "meters"), (100, "centimeters"), (1000, "millimeters"), (1e-3, "unclear")]
)
def test_unit(tmp_path: Path, scale: float, unit: str) -> None:
    assert inspect_store(store_of(tmp_path, person("a", scale=scale))).unit == unit


def test_nobody_at_all(tmp_path: Path) -> None:
    empty = changed(person("a"), valid=np.zeros((30, 1, 20), bool))
    found = inspect_store(store_of(tmp_path, empty))
    assert (found.nobody, found.all_zero) == (("a",), ())
    assert found.empty_frames == 30
    assert "  body size     unknown, nobody is seen" in found.lines()
    assert any("nobody is ever seen" in line and line.startswith("!") for line in found.lines())
    assert found.to_dict()["body_size"] is None


def test_untrimmed_and_flat(tmp_path: Path) -> None:
    layout = get_layout("coco17")
    positions = np.random.default_rng(0).uniform(0, 500, (20, 1, 17, 2))
    segments = (Segment(0, 5, "a"), Segment(5, 9, "b"), Segment(10, 20, "b"))
    recording = Recording(positions, np.ones((20, 1, 17), bool), layout, "r", segments=segments)
    found = inspect_store(store_of(tmp_path, recording, layout=layout))
    assert found.classes == {"a": 1, "b": 2}
    assert not found.unlabeled
    assert found.unit == "pixels"


def test_labels_that_cannot_be_right(tmp_path: Path) -> None:
    def cut(name: str, *segments: Segment) -> Recording:
        return person(name, segments=segments, seed=len(name))

    items = [
        cut("glitch", Segment(0, 4, "a"), Segment(4, 20, "b")),
        cut("overlap", Segment(0, 20, "a"), Segment(5, 10, "b"), Segment(18, 30, "b")),
        cut("fine..", Segment(0, 5, "a"), Segment(5, 30, "a")),
        cut("nothing...."),
    ]
    found = inspect_store(store_of(tmp_path, *items))
    assert found.glitches == {"glitch": 1}
    assert found.overlaps == {"overlap": 2}
    assert found.unlabeled == ("nothing....",)
    text = "\n".join(line for line in found.lines() if line.startswith("!"))
    assert "1 with 1 labeled segment of 1 to 4 frames: glitch" in text
    assert "overlap" in text


def test_copies_within_a_part_and_with_other_labels(tmp_path: Path) -> None:
    items = [
        person("a", seed=1, label="a"),
        person("b", seed=1, label="b"),
        person("c", seed=2, label="a"),
        person("d", seed=2, label="a"),
        changed(person("e"), valid=np.zeros((30, 1, 20), bool)),
        changed(person("f"), valid=np.zeros((30, 1, 20), bool)),  # two that hold nothing are no copies
    ]
    found = inspect_store(store_of(tmp_path, *items))
    assert found.copies == (("a", "b"), ("c", "d"))
    assert found.contradictions == (("a", "b"),)


def test_near_duplicates(tmp_path: Path) -> None:
    one, other = person("a", seed=1), person("b", seed=2)
    moved = changed(person("moved", seed=1), positions=np.round(one.positions + np.array([1, 0, 2]), 4))
    protocols = {"p": lambda recording: "test" if recording.name in ("moved", "b") else "train"}
    found = inspect_store(store_of(tmp_path, one, other, moved, protocols=protocols))
    assert (found.duplicates, found.near_duplicates) == ({"p": ()}, {"p": ("moved",)})
    assert any("but for a shift and rounding" in line for line in found.lines())


def test_a_class_that_nobody_trains_and_one_that_nobody_shows(tmp_path: Path) -> None:
    items = [person("x", seed=1, label="a"), person("y", seed=2, label="b")]
    protocols = {"p": lambda recording: "test" if recording.name == "y" else "train"}
    found = inspect_store(store_of(tmp_path, *items, classes=("a", "b", "c"), protocols=protocols))
    assert found.untrained == {"p": ("b",)}
    assert any(line.startswith("! classes") and "none of c" in line for line in found.lines())
    assert any(
        line.startswith("! classes") and "no training recording shows b" in line for line in found.lines()
    )


def test_of_a_larger_store_some_are_looked_into_and_it_is_said(tmp_path: Path) -> None:
    first, frozen = person("first", label="a"), person("frozen", seed=3, label="b")
    still = changed(frozen, positions=np.broadcast_to(frozen.positions[0], frozen.positions.shape))
    items = [first, person("one", seed=1), still, replace(first, name="copy"), person("last", seed=2)]
    protocols = {"p": lambda recording: "test" if recording.name == "copy" else "train"}
    store = store_of(tmp_path, *items, protocols=protocols)
    told = []
    found = inspect_store(store, told.append, at_most=2)
    assert told == [1, 2]
    assert (found.recordings, found.looked_into, found.frozen, found.unit_agreement) == (5, 2, (), 1)
    assert (found.classes, found.copies) == ({"a": 2, "b": 0}, (("first", "copy"),))  # of all of them
    assert found.duplicates == {"p": ("copy",)}
    assert any(
        line.startswith("! looked into   2 of them, evenly spread (--at-most 5") for line in found.lines()
    )
    whole = inspect_store(store, at_most=5)
    assert (whole.looked_into, whole.frozen) == (5, ("frozen",))
    assert not any("looked into" in line for line in whole.lines())
    with pytest.raises(ConfigError, match="at least one recording has to be looked into, not 0"):
        inspect_store(store, at_most=0)


def test_rates_sizes_and_units_that_differ(tmp_path: Path) -> None:
    items = [person(f"r{n}", seed=n, fps=30) for n in range(5)]
    items += [
        person("slow", seed=9, fps=10),
        person("unknown", seed=10),
        person("giant", seed=11, fps=30, scale=1000),
    ]
    found = inspect_store(store_of(tmp_path, *items))
    assert (found.fps, found.unknown_fps) == ({"10": 1, "30": 6}, 1)
    assert (found.unit, found.odd_unit) == ("meters", {"giant": "millimeters"})
    assert found.unit_agreement == 7 / 8
    assert list(found.odd_size) == ["giant"]
    assert any(line.startswith("! frame rate") for line in found.lines())


@pytest.mark.parametrize(("axis", "up"), [(1, "y"), (2, "z"), (0, "x")])
@pytest.mark.parametrize("sign", [1, -1])
def test_up_axis(tmp_path: Path, axis: int, up: str, sign: int) -> None:
    upright = person("a")
    turned = changed(upright, positions=sign * np.roll(upright.positions, axis - 1, axis=-1))
    found = inspect_store(store_of(tmp_path, turned))
    assert found.up == ("-" if sign < 0 else "") + up
    assert any(line.startswith("! up axis") for line in found.lines()) == (found.up != "y")


def test_notes_are_summarized(tmp_path: Path) -> None:
    items = [person(f"r{n}", seed=n, notes=(f"{n} joints were lost", "one ghost left out")) for n in range(3)]
    found = inspect_store(store_of(tmp_path, *items))
    assert found.notes == {"N joints were lost": 3, "one ghost left out": 3}
    assert any("in 3 recordings: N joints were lost" in line for line in found.lines())


def test_quarantined_files(tmp_path: Path) -> None:
    meta = {"quarantined": [{"source": "bad.csv", "reason": "bad.csv, line 3: not a number"}]}
    found = inspect_store(store_of(tmp_path, person("a"), meta=meta))
    assert found.quarantined == {"bad.csv": "bad.csv, line 3: not a number"}
    assert "! quarantined   1 file could not be read" in found.lines()


def test_lost_joints_are_found_as_what_they_are(tmp_path: Path) -> None:
    """Not as jumps and copies: a tracker that has lost a body puts all of it at one point."""
    met, zero, stuck, flat = (person(name, 40) for name in ("met", "zero", "stuck", "flat"))
    met.positions[10:20] = met.positions[9, 0, 0]
    zero.positions[5, 0, [7, 11]] = 0
    lost = KINECT.index("left_hand")
    stuck.positions[12:30, 0, lost] = stuck.positions[12, 0, lost]
    stuck.positions[12:30, 0, :lost] += np.linspace(0, 1, 18)[:, None, None]
    stuck.positions[12:30, 0, lost + 1 :] += np.linspace(0, 1, 18)[:, None, None]
    flat.positions[..., 2] = 0
    found = inspect_store(store_of(tmp_path, met, zero, stuck, flat, person("fine", 40)))
    assert found.lost == {
        "met": "lost joints: 200 at one point",
        "zero": "lost joints: 2 at zero",
        "stuck": "lost joints: 18 stuck",
    }
    assert found.flat == {"flat": "z"}
    assert found.repeats == {}
    assert found.spikes == {}
    assert "met" not in found.jumps
    assert any("that the tracker had lost" in line and "hitrs clean --lost" in line for line in found.lines())


def test_left_and_right_that_are_exchanged_throughout(tmp_path: Path) -> None:
    right, wrong, mirrored = (person(name, 40) for name in ("right", "wrong", "mirrored"))
    wrong = changed(wrong, positions=wrong.positions[:, :, KINECT.mirror])
    mirrored.positions[..., 2] *= -1
    found = inspect_store(store_of(tmp_path, right, wrong, mirrored))
    assert found.exchanged == ("wrong", "mirrored")
    assert any("look exchanged throughout" in line for line in found.lines())
