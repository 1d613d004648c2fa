"""Inspection finds each defect that was put into a store, and nothing in a clean one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn import make

from hitrs.data import Recording, Segment, Store, inspect_store, write_store
from hitrs.skeleton import get_layout

KINECT = get_layout("kinect20")


def person(name: str, frames: int = 30, seed: int = 0, scale: float = 1.0, **facts: object) -> Recording:
    """A body 1.6 high that drifts slowly and trembles."""
    rng = np.random.default_rng(seed)
    pose = rng.uniform(-0.3, 0.3, (20, 3))
    pose[:, 1] = np.linspace(0, 1.6, 20)
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
    assert found.fps == (25.0,)
    assert found.protocols == {"halves": (2, 2)}
    assert found.unit == "meters"
    assert found.body_size == pytest.approx(1.6, abs=0.1)
    assert not any(
        (found.one_frame, found.frozen, found.all_zero, found.jumps, found.unseen, found.unlabeled)
    )
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
    assert found.unlabeled == 8
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
    assert found.twins == {"p": ("b",)}
    assert found.shared_subjects == {"p": ("s",)}
    assert any("1 test recordings are exact copies" in line for line in found.lines())
    assert any("1 test recordings are clean" in line for line in found.lines())


@pytest.mark.parametrize(
    ("scale", "unit"), [(1, "meters"), (100, "centimeters"), (1000, "millimeters"), (1e-3, "unclear")]
)
def test_unit(tmp_path: Path, scale: float, unit: str) -> None:
    assert inspect_store(store_of(tmp_path, person("a", scale=scale))).unit == unit


def test_nobody_at_all(tmp_path: Path) -> None:
    empty = changed(person("a"), valid=np.zeros((30, 1, 20), bool))
    found = inspect_store(store_of(tmp_path, empty))
    assert found.all_zero == ("a",)
    assert found.empty_frames == 30
    assert "  body size     unknown, nobody is seen" in found.lines()


def test_untrimmed_and_flat(tmp_path: Path) -> None:
    layout = get_layout("coco17")
    positions = np.random.default_rng(0).uniform(0, 500, (20, 1, 17, 2))
    segments = (Segment(0, 5, "a"), Segment(5, 9, "b"), Segment(10, 20, "b"))
    recording = Recording(positions, np.ones((20, 1, 17), bool), layout, "r", segments=segments)
    found = inspect_store(store_of(tmp_path, recording, layout=layout))
    assert found.classes == {"a": 1, "b": 2}
    assert found.unlabeled == 0
    assert found.unit == "pixels"
