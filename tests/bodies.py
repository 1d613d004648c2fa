"""People in motion, into whom the tests put defects."""

from __future__ import annotations

import numpy as np

from hitrs.skeleton import get_layout

KINECT = get_layout("kinect20")
SIZE = 1.7
_HALF = {
    "shoulder": (0.2, 1.4), "elbow": (0.25, 1.1), "wrist": (0.28, 0.85), "hand": (0.3, 0.8),
    "hip": (0.1, 0.95), "knee": (0.12, 0.52), "ankle": (0.12, 0.1), "foot": (0.14, 0.0),
}  # fmt: skip
_MIDDLE = {"pelvis": 0.98, "spine": 1.15, "spine_shoulder": 1.42, "head": 1.7}


def people(frames: int = 40, persons: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, P, 20, 3) float32 and valid: people of 1.7 m, two meters apart, who wave and tremble."""
    rng = np.random.default_rng(seed)
    pose = np.zeros((20, 3))
    for joint, name in enumerate(KINECT.joints):
        side, _, part = name.partition("_")
        if side in ("left", "right"):
            pose[joint, :2] = _HALF[part]
            pose[joint, 0] *= 1 if side == "left" else -1
        else:
            pose[joint, 1] = _MIDDLE[name]
    positions = np.tile(pose, (frames, persons, 1, 1)) + rng.normal(0, 0.004, (frames, persons, 20, 3))
    positions[..., 0] += 2 * np.arange(persons)[:, None]
    arm = [KINECT.index("left_wrist"), KINECT.index("left_hand")]
    positions[:, :, arm, 1] += 0.3 * np.sin(np.arange(frames) / 4)[:, None, None]
    return positions.astype(np.float32), np.ones(positions.shape[:-1], bool)
