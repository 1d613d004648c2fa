"""What the tests of pictures share: recordings with a simple body, and looking into a picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from hitrs.data.recording import Recording
from hitrs.skeleton.layout import get_layout

# Where the joints of a person of 1.7 m who faces a camera in front (towards +z, hence left is +x) stand.
BODY = {
    "pelvis": (0, 1.0), "spine": (0, 1.15), "spine_shoulder": (0, 1.45), "head": (0, 1.7),
    "shoulder": (0.2, 1.4), "elbow": (0.3, 1.15), "wrist": (0.35, 0.9), "hand": (0.36, 0.82),
    "hip": (0.1, 0.95), "knee": (0.12, 0.5), "ankle": (0.12, 0.08), "foot": (0.13, 0.0),
}  # fmt: skip


@pytest.fixture
def person() -> Callable[..., Recording]:
    """``person(frames=12, persons=1, **fields)``: standing, the arms going up and down."""

    def make(frames: int = 12, persons: int = 1, layout: str = "kinect20", **fields) -> Recording:
        skeleton = get_layout(layout)
        positions = np.zeros((frames, persons, skeleton.n_joints, skeleton.dims), dtype=np.float32)
        for joint, name in enumerate(skeleton.joints):
            side = 1 if name.startswith("left_") else -1
            x, y = BODY[name.removeprefix("left_").removeprefix("right_")]
            swing = 0.3 * np.sin(np.arange(frames) / 3) * (name.endswith(("hand", "wrist")))
            for body in range(persons):
                positions[:, body, joint, 0] = side * x + 1.5 * body
                positions[:, body, joint, 1] = y + swing
        valid = np.ones(positions.shape[:-1], dtype=bool)
        return Recording(
            **{"positions": positions, "valid": valid, "layout": skeleton, "name": "standing", **fields}
        )

    return make


@pytest.fixture
def where() -> Callable[[Image.Image, str], np.ndarray]:
    """``where(picture, color)`` are the pixels (N, 2), x and y, of exactly that color."""

    def find(picture: Image.Image, color: str) -> np.ndarray:
        same = (np.asarray(picture.convert("RGB")) == ImageColor.getrgb(color)).all(axis=-1)
        return np.argwhere(same)[:, ::-1]

    return find


@pytest.fixture
def texts() -> Callable[[Path], list[str]]:
    """``texts(plot)`` are the texts on a plot that was written as .svg."""

    def read(path: Path) -> list[str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [line.strip()[5:-4] for line in lines if line.strip().startswith("<!-- ")]

    return read
