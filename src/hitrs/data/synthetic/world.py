"""From the world to what a depth camera reports: viewpoint, noise, joints that get lost."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hitrs.data.synthetic.body import LAYOUT, SIDES, Floats, about_y
from hitrs.data.synthetic.performance import smooth_noise


@dataclass(frozen=True)
class Camera:
    """Where a camera stands: meters, and radians away from where the subjects roughly face."""

    name: str
    yaw: float
    pitch: float
    """Downwards."""
    height: float
    distance: float


CAMERAS = (
    Camera("1", yaw=np.deg2rad(-25), pitch=np.deg2rad(4), height=1.1, distance=3.3),
    Camera("2", yaw=np.deg2rad(20), pitch=np.deg2rad(0), height=0.8, distance=3.0),
    Camera("3", yaw=np.deg2rad(60), pitch=np.deg2rad(17), height=1.9, distance=3.7),
)

_ENDS = tuple(
    i for i, name in enumerate(LAYOUT.joints) if name.endswith(("hand", "hand_tip", "thumb", "foot", "ankle"))
)
_HAND = ("hand", "hand_tip", "thumb")
_CHAINS = tuple(
    [LAYOUT.joints.index(f"{side}_{name}") for name in names]
    for side in SIDES
    for names in (_HAND[1:], _HAND, ("elbow", "wrist", *_HAND), ("ankle", "foot"), ("knee", "ankle", "foot"))
)


def film(world: Floats, camera: Camera, facing: float, rng: np.random.Generator) -> Floats:
    """World positions (T, P, J, 3) in the camera's axes: x to its left, y up, z into the scene, meters.

    `facing` turns the whole scene (radians; 0: heading 0 looks along the yaw that cameras are measured from).
    The camera stands a little differently each time.
    """
    yaw = np.pi + facing - camera.yaw
    aside, nearer, higher = rng.normal(0, (0.35, 0.25, 0.05))
    pitch = camera.pitch + rng.normal(0, np.deg2rad(1.5))
    scene = world @ about_y(np.array(yaw)).T
    scene = scene + np.array([aside, -(camera.height + higher), camera.distance + nearer])
    sine, cosine = np.sin(pitch), np.cos(pitch)
    # A camera that looks down sees what lies farther away higher up.
    tilt = np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    seen: Floats = scene @ tilt.T
    return seen


def sense(seen: Floats, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What the sensor makes of one body (T, J, 3): noisy positions, 0 where a joint is lost, and validity.

    White noise, slow wandering and rare spikes, all stronger for hands and feet and in poor recordings;
    limbs, and now and then the whole body, are lost for runs of frames.
    """
    frames, joints, _ = seen.shape
    quality = float(np.exp(rng.normal(0, 0.35)))
    spread = np.full((joints, 1), quality)
    spread[list(_ENDS)] *= 1.8
    noise = 0.007 * rng.normal(size=seen.shape)
    noise += 0.014 * smooth_noise(rng, frames, joints * 3, hertz=(0.3, 2.5)).reshape(seen.shape)
    spikes = rng.random((frames, joints, 1)) < 0.003
    noise += spikes * rng.normal(0, 0.08, seen.shape)
    valid = np.ones((frames, joints), bool)
    for _ in range(rng.poisson(0.7 * quality)):
        chain = _CHAINS[rng.integers(len(_CHAINS))]
        start, stop = _run(frames, (2, 18), rng)
        valid[start:stop, chain] = False
    if rng.random() < 0.06:
        start, stop = _run(frames, (1, 5), rng)
        valid[start:stop] = False
    positions = np.where(valid[..., None], seen + spread * noise, 0.0).astype(np.float32)
    return positions, valid


def _run(frames: int, length: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """A random run [start, stop) of frames, at most a third of the recording."""
    count = min(int(rng.integers(*length)), max(1, frames // 3))
    start = int(rng.integers(0, frames - count + 1))
    return start, start + count
