"""Files in the form of NTU RGB+D and PKU-MMD, clean or with the dirt that real ones have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

REST = np.array([
    (0, 0, 0), (0, 0.25, 0), (0, 0.55, 0), (0, 0.7, 0),
    (0.18, 0.45, 0), (0.22, 0.2, 0), (0.24, 0, 0), (0.24, -0.08, 0),
    (-0.18, 0.45, 0), (-0.22, 0.2, 0), (-0.24, 0, 0), (-0.24, -0.08, 0),
    (0.1, -0.05, 0), (0.1, -0.45, 0), (0.1, -0.85, 0), (0.1, -0.9, 0.1),
    (-0.1, -0.05, 0), (-0.1, -0.45, 0), (-0.1, -0.85, 0), (-0.1, -0.9, 0.1),
    (0, 0.47, 0), (0.24, -0.15, 0), (0.2, -0.1, 0), (-0.24, -0.15, 0), (-0.2, -0.1, 0),
])  # fmt: skip
"""A standing body of 25 joints, meters."""
_STATE = "0 1 1 0 1 0 0.1 0.2 2"
_TAIL = "256.1 200.2 960.3 540.4 0.1 0.2 0.3 0.9 2"

Body = Mapping[int, np.ndarray]
"""Frame -> (25, 3) joints."""


def person(
    frames: range, place: tuple[float, float, float] = (0, 0, 3), speed: float = 0.1, seed: int = 0
) -> dict[int, np.ndarray]:
    """A body that waves its arms at a place."""
    rng = np.random.default_rng(seed)
    body = {}
    for frame in frames:
        joints = REST + place + rng.normal(0, 0.002, (25, 3))
        joints[5:8, 1] += 3 * speed * (1 + np.sin(0.4 * frame))
        joints[9:12, 1] += 3 * speed * (1 + np.cos(0.4 * frame))
        body[frame] = joints.round(6)
    return body


def chair(frames: range, place: tuple[float, float, float] = (1, -0.3, 3.5)) -> dict[int, np.ndarray]:
    """Something wider than tall that trembles."""
    rng = np.random.default_rng(7)
    shape = REST * (2.5, 0.3, 1)
    return {frame: (shape + place + rng.normal(0, 0.02, (25, 3))).round(6) for frame in frames}


def ntu_text(bodies: Mapping[str, Body], n_frames: int) -> str:
    """A ``.skeleton`` file of bodies by id."""
    lines = [str(n_frames)]
    for frame in range(n_frames):
        here = [(name, body[frame]) for name, body in bodies.items() if frame in body]
        lines.append(str(len(here)))
        for name, joints in here:
            lines.append(_body_text(name, joints))
    return "\n".join(lines) + "\n"


def _body_text(name: str, joints: np.ndarray) -> str:
    rows = [f"{x} {y} {z} {_TAIL}" for x, y, z in joints.tolist()]
    return "\n".join([f"{name} {_STATE}", "25", *rows])


def pku_text(bodies: list[Body], n_frames: int) -> str:
    """A PKU-MMD skeleton file of at most two bodies."""
    values = np.zeros((n_frames, 2, 25, 3))
    for slot, body in enumerate(bodies):
        for frame, joints in body.items():
            values[frame, slot] = joints
    return "\n".join(" ".join(map(str, row)) for row in values.reshape(n_frames, -1).tolist()) + "\n"


def write_corpus(folder: Path, count: int, seed: int = 0) -> None:
    """NTU-like files of 20 to 40 frames, one or two bodies, names spread over everything a name says.

    A few performances are drawn once and cut anew for every file, so that writing is quick. Of ten files one
    has a frame without a body, one a change of the body's id, and one a ghost beside the bodies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    stock = [
        [_body_text(f"7205{n:013}", joints) for joints in person(range(80), (0.5 * n, 0, 3), seed=n).values()]
        for n in range(8)
    ]
    ghost = [_body_text("720599", joints) for joints in chair(range(80), (-1, -0.3, 3.5)).values()]
    for number in range(count):
        frames, start = int(rng.integers(20, 41)), int(rng.integers(0, 40))
        chosen = rng.choice(len(stock), 1 + (number % 4 == 0), replace=False)
        lines = [str(frames)]
        for frame in range(start, start + frames):
            here = [stock[which][frame] for which in chosen]
            if number % 10 == 1 and frame == start + 7:
                here = []
            if number % 10 == 2 and frame > start + 11:
                here = [f"1{body}" for body in here]
            if number % 10 == 3:
                here.append(ghost[frame])
            lines += [str(len(here)), *here]
        setup, rest = number % 17 + 1, number // 17
        camera, rest = rest % 3 + 1, rest // 3
        action, rest = rest % 60 + 1, rest // 60
        name = f"S{setup:03}C{camera:03}P{rest % 40 + 1:03}R{rest // 40 + 1:03}A{action:03}"
        (folder / f"{name}.skeleton").write_text("\n".join(lines) + "\n")
