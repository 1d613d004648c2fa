"""Writing BVH: rotations of rigid bones are fitted to positions, which BVH cannot hold.

The rest pose is the first frame with each bone at its median length. Then, from the root down, a joint with
several bones below it is turned so that they fit best (Kabsch); one with a single bone, or with bones on one
line, is swung there the shortest way, because positions tell nothing of its twist.

In BVH all bones below a joint turn with it. Where they move against each other (the hips and the spine below
the pelvis of an ASF skeleton, say), a bone that does gets a helper joint of its own at its near end, named
after it with "_base", which turns for it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hitrs.data.formats.markers import unique_names
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.files import atomic_file, explained_writes
from hitrs.skeleton import Layout
from hitrs.skeleton.kinematics import axis_rotations, forward
from hitrs.skeleton.layout import downwards

_RIGID = 2e-5
"""Bones whose far ends keep their distance to this (meters) move together."""
_FLAT = 1e-5
"""Bones spread less than this (relative to their length) beside a line tell no twist. It must be
small: a joint of Human3.6M stands 0.1 mm beside the line of the hips."""


def write_bvh(recording: Recording, path: str | Path) -> float:
    """Write a recording of one person to a BVH file in meters; replaces an existing file.

    Joints are written from the root down. ``read_bvh`` gives back the same names, and helper joints
    ("..._base") if bones below one joint move against each other; a leaf that is named ``<parent>_end`` and
    has no siblings is written as an End Site.

    Returns:
        The largest distance (meters) between a position of the recording and the same one in the file: below
        1e-4 for rigid motion; where bones change their length (estimated skeletons), it tells what was lost.

    Raises:
        DataError: for several persons, 2-D positions, no frame rate, a joint that is not valid (naming frame
            and joint), or a file that cannot be written.
    """
    path = Path(path)
    layout = recording.layout
    if layout.dims != 3:
        raise DataError(f"recording '{recording.name}' is 2-D; BVH holds 3-D motion only.")
    if recording.n_persons > 1:
        raise DataError(
            f"recording '{recording.name}' has {recording.n_persons} persons, a BVH file holds one. Keep "
            "one: replace(recording, positions=recording.positions[:, :1], valid=recording.valid[:, :1])."
        )
    if recording.fps is None:
        raise DataError(
            f"recording '{recording.name}' has no frame rate, which BVH needs; give one: replace(recording, "
            "fps=30)."
        )
    if not recording.valid.all():
        frame, _, joint = np.argwhere(~recording.valid)[0]
        raise DataError(
            f"recording '{recording.name}': frame {frame}, joint '{layout.joints[joint]}' was not seen; BVH "
            "needs all joints in all frames. Fill the gaps first (hitrs clean), or cut them off."
        )
    given = recording.positions[:, 0].astype(np.float64)  # (T, J, 3)
    positions, layout = _with_helpers(given, layout)
    offsets, local = _fit(positions, layout)
    fitted, _ = forward(local, offsets, layout.parents, positions[:, layout.root])
    order, ends = downwards(layout.parents), _end_sites(layout)
    names = dict(zip(order, unique_names([layout.joints[joint] for joint in order]), strict=True))
    turning = [joint for joint in order if joint not in ends]
    angles = np.stack([_angles(local[:, joint]) for joint in turning], 1)  # (T, joints, 3) degrees
    rows = np.concatenate([positions[:, layout.root], angles.reshape(len(angles), -1)], axis=1)
    with atomic_file(path) as part, explained_writes(path), part.open("w", encoding="utf-8") as file:
        file.write(
            "HIERARCHY\n" + "".join(f"{line}\n" for line in _header(layout, order, names, ends, offsets))
        )
        file.write(f"MOTION\nFrames: {len(rows)}\nFrame Time: {1 / recording.fps:.9g}\n")
        np.savetxt(file, rows, fmt="%.7f")
    return float(np.linalg.norm(fitted[:, : given.shape[1]] - given, axis=-1).max())


def _with_helpers(positions: np.ndarray, layout: Layout) -> tuple[np.ndarray, Layout]:
    """Positions and layout with the helper joints that the motion needs, behind the others."""
    joints, parents, added = list(layout.joints), list(layout.parents), []
    for joint in range(layout.n_joints):
        below = [child for child, parent in layout.bones() if parent == joint]
        bones = positions[:, below] - positions[:, joint, None]  # (T, B, 3)
        lengths = np.linalg.norm(bones, axis=-1)
        bones *= (np.median(lengths, axis=0) / np.maximum(lengths, 1e-12))[..., None]
        together: list[int] = []  # the largest group that moves as one
        for first in range(len(below)):
            apart = np.linalg.norm(bones - bones[:, first, None], axis=-1)  # (T, B)
            group = [int(other) for other in np.flatnonzero(np.ptp(apart, axis=0) < _RIGID)]
            together = max(together, group, key=len)
        for number, child in enumerate(below):
            if number not in together:
                parents[child] = len(joints)
                parents.append(joint)
                joints.append(f"{layout.joints[child]}_base")
                added.append(joint)
    extended = Layout(layout.name, unique_names(joints), tuple(parents), (), layout.center)
    return np.concatenate([positions, positions[:, added]], axis=1), extended


def _end_sites(layout: Layout) -> set[int]:
    """Leaves that reading an End Site gives."""
    children: list[list[int]] = [[] for _ in layout.joints]
    for child, parent in layout.bones():
        children[parent].append(child)
    return {
        below[0]
        for joint, below in enumerate(children)
        if len(below) == 1
        and not children[below[0]]
        and layout.joints[below[0]] == f"{layout.joints[joint]}_end"
    }


def _header(
    layout: Layout, order: list[int], names: dict[int, str], ends: set[int], offsets: np.ndarray
) -> list[str]:
    lines: list[str] = []
    path: list[int] = []  # joints whose braces are open

    def close(parent: int | None) -> None:
        while path and path[-1] != parent:
            joint = path.pop()
            if joint not in ends and not any(
                other == joint != child for child, other in enumerate(layout.parents)
            ):
                lines.extend([f"{'  ' * (len(path) + 1)}{line}" for line in _END])
            lines.append("  " * len(path) + "}")

    for joint in order:
        close(None if joint == layout.root else layout.parents[joint])
        indent = "  " * len(path)
        kind = "ROOT " if joint == layout.root else "JOINT "
        x, y, z = np.zeros(3) if joint == layout.root else offsets[joint]
        lines.append(indent + ("End Site" if joint in ends else kind + names[joint]))
        lines += [indent + "{", f"{indent}  OFFSET {x:.9f} {y:.9f} {z:.9f}"]
        if joint == layout.root:
            lines.append(f"{indent}  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation")
        elif joint not in ends:
            lines.append(f"{indent}  CHANNELS 3 Zrotation Xrotation Yrotation")
        path.append(joint)
    close(None)
    return lines


_END = ("End Site", "{", "  OFFSET 0 0 0", "}")


def _fit(positions: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (J, 3) of the rest pose and local rotations (T, J, 3, 3)."""
    parents = np.array(layout.parents)
    bones = positions - positions[:, parents]  # (T, J, 3)
    lengths = np.linalg.norm(bones, axis=-1)  # (T, J)
    longest = lengths.argmax(0)  # the first frame, or where the bone has no length there, the best one
    first = np.where(lengths[0] > 1e-6, 0, longest)
    joints = np.arange(len(parents))
    directions = bones[first, joints] / np.maximum(lengths[first, joints], 1e-12)[:, None]
    offsets = directions * np.median(lengths, axis=0)[:, None]
    turned = np.tile(np.eye(3), (len(positions), len(parents), 1, 1))  # global
    local = turned.copy()
    for joint in downwards(layout.parents):
        above = np.eye(3) if joint == layout.root else turned[:, parents[joint]]
        below = [child for child, parent in layout.bones() if parent == joint]
        # In the axes of the parent, so that a joint without a reason to turn stays as it is there.
        targets = np.einsum("...ji,...cj->...ci", above, bones[:, below])
        local[:, joint] = _rotation(offsets[below], targets)
        turned[:, joint] = above @ local[:, joint]
    return offsets, local


def _rotation(rest: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(T, 3, 3) rotations that bring bones ``rest`` (B, 3) to ``targets`` (T, B, 3)."""
    spread = np.linalg.svd(rest, compute_uv=False) if len(rest) else np.zeros(1)
    if not len(rest) or spread[0] < 1e-9:
        return np.tile(np.eye(3), (len(targets), 1, 1))
    if len(spread) > 1 and spread[1] > _FLAT * spread[0]:
        u, _, vt = np.linalg.svd(np.einsum("bi,tbj->tij", rest, targets))
        sign = np.linalg.det(u @ vt)
        vt[:, 2] *= sign[:, None]  # no mirror images
        return (u @ vt).swapaxes(-1, -2)
    longest = int(np.linalg.norm(rest, axis=-1).argmax())
    return _swing(rest[longest], targets[:, longest])


def _swing(rest: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The shortest rotations of direction ``rest`` (3,) to ``targets`` (T, 3), as two reflections."""
    start = rest / np.linalg.norm(rest)
    ends = targets / np.maximum(np.linalg.norm(targets, axis=-1), 1e-12)[:, None]
    middle = start + ends
    size = np.linalg.norm(middle, axis=-1)
    side = np.cross(start, np.eye(3)[np.abs(start).argmin()])  # opposite: any axis at a right angle will do
    middle = np.where((size < 1e-9)[:, None], side, middle)
    middle /= np.linalg.norm(middle, axis=-1)[:, None]
    # Half a turn about the middle after half a turn about the start.
    first = 2 * np.outer(start, start) - np.eye(3)
    second = 2 * middle[:, :, None] * middle[:, None, :] - np.eye(3)
    return second @ first


def _angles(matrices: np.ndarray) -> np.ndarray:
    """(T, 3, 3) to (T, 3) degrees about z, x, y, in the order of the channels: R = Rz Rx Ry."""
    cosine = np.hypot(matrices[:, 0, 1], matrices[:, 1, 1])
    x = np.arctan2(matrices[:, 2, 1], cosine)
    z = np.where(cosine < 1e-7, 0, np.arctan2(-matrices[:, 0, 1], matrices[:, 1, 1]))
    # What z and x leave over is the rotation about y; where they are one axis, that is all of it.
    rest = (axis_rotations("z", z) @ axis_rotations("x", x)).swapaxes(-1, -2) @ matrices
    return np.degrees(np.stack([z, x, np.arctan2(rest[:, 0, 2], rest[:, 0, 0])], -1))
