"""A body that moves: degrees of freedom, limb lengths, and forward kinematics on the NTU-25 joints.

The world is in meters, y up; a body with heading 0 stands at the origin on the floor and faces +z, so its
left is +x. A pose is one row of joint angles (radians) in the order of `DOFS`. All limb signs are anatomical
and the same on both sides (flex = forward, side = away from the body, twist = inward); central ones count to
the body's left. That makes mirroring a motion a swap of columns and a flip of the central signs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hitrs.skeleton.layout import get_layout

LAYOUT = get_layout("ntu25")
Floats = NDArray[np.float64]

SIDES = ("left", "right")
_LIMB = (
    "shoulder_flex", "shoulder_side", "shoulder_twist", "elbow", "wrist",
    "hip_flex", "hip_side", "hip_twist", "knee", "ankle",
)  # fmt: skip
CENTRAL = (
    "heading", "pelvis_pitch", "pelvis_roll", "spine_pitch", "spine_roll", "spine_twist",
    "neck_pitch", "neck_roll", "neck_twist",
    "support",  # the foot that stays where it is: -1 the right one, 0 both, +1 the left one
    "lift",     # meters between the lowest foot and the floor
    "path_x", "path_z",  # meters, in the world: where the feet stand
)  # fmt: skip
DOFS: tuple[str, ...] = CENTRAL + tuple(f"{side}_{name}" for side in SIDES for name in _LIMB)
DOF = {name: i for i, name in enumerate(DOFS)}
_SIDED = {"heading", "support", "path_x"} | {name for name in CENTRAL if name.endswith(("roll", "twist"))}

# Every rotating segment: (name, segment it hangs on, and the angles about its x, y and z axis with their
# signs). Its rotation is a swing (rotation vector in the x-z plane, so no gimbal lock) after a twist about
# its own long axis.
_SEGMENTS: tuple[tuple[str, str, str, str, str], ...] = (
    ("pelvis", "", "+pelvis_pitch", "", "-pelvis_roll"),
    ("torso", "pelvis", "+spine_pitch", "+spine_twist", "-spine_roll"),
    ("head", "torso", "+neck_pitch", "+neck_twist", "-neck_roll"),
    *(
        segment
        for side, out, turn in (("left", "+", "-"), ("right", "-", "+"))
        for segment in (
            (f"{side}_upper_arm", "torso", f"-{side}_shoulder_flex", f"{turn}{side}_shoulder_twist",
             f"{out}{side}_shoulder_side"),
            (f"{side}_forearm", f"{side}_upper_arm", f"-{side}_elbow", "", ""),
            (f"{side}_palm", f"{side}_forearm", f"-{side}_wrist", "", ""),
            (f"{side}_thigh", "pelvis", f"-{side}_hip_flex", f"{turn}{side}_hip_twist",
             f"{out}{side}_hip_side"),
            (f"{side}_shank", f"{side}_thigh", f"+{side}_knee", "", ""),
            (f"{side}_sole", f"{side}_shank", f"-{side}_ankle", "", ""),
        )
    ),
)  # fmt: skip
_SEGMENT = {name: i for i, (name, *_) in enumerate(_SEGMENTS)}

# Every joint but the pelvis: (name, joint it is placed from, segment it is fixed to). Parents come first.
_JOINTS: tuple[tuple[str, str, str], ...] = (
    ("spine", "pelvis", "pelvis"),
    ("spine_shoulder", "spine", "torso"),
    ("neck", "spine_shoulder", "torso"),
    ("head", "neck", "head"),
    *(
        joint
        for side in SIDES
        for joint in (
            (f"{side}_shoulder", "spine_shoulder", "torso"),
            (f"{side}_elbow", f"{side}_shoulder", f"{side}_upper_arm"),
            (f"{side}_wrist", f"{side}_elbow", f"{side}_forearm"),
            (f"{side}_hand", f"{side}_wrist", f"{side}_palm"),
            (f"{side}_hand_tip", f"{side}_hand", f"{side}_palm"),
            (f"{side}_thumb", f"{side}_hand", f"{side}_palm"),
            (f"{side}_hip", "pelvis", "pelvis"),
            (f"{side}_knee", f"{side}_hip", f"{side}_thigh"),
            (f"{side}_ankle", f"{side}_knee", f"{side}_shank"),
            (f"{side}_foot", f"{side}_ankle", f"{side}_sole"),
        )
    ),
)


@dataclass(frozen=True)
class Body:
    """Limb lengths in meters.

    The means are the segment lengths of Drillis and Contini (1966) as fractions of the body height; hips and
    shoulders stand narrower, where a Kinect sees them.
    """

    height: float = 1.72
    legs: float = 1.0
    """Factor on the leg lengths; likewise the three below."""
    arms: float = 1.0
    trunk: float = 1.0
    width: float = 1.0
    stance: float = 0.1
    """Half the distance between the ankles at rest, meters."""

    @property
    def ankle_height(self) -> float:
        return 0.039 * self.height

    @property
    def straddle(self) -> float:
        """How far each leg stands out at rest, radians."""
        leg = (0.245 + 0.246) * self.height * self.legs
        return float(np.arcsin((self.stance - 0.047 * self.height * self.width) / leg))

    def offsets(self) -> dict[str, tuple[float, float, float]]:
        """Meters from the joint that each joint is placed from, in the axes of its segment."""
        h = self.height
        leg, arm, trunk, width = h * self.legs, h * self.arms, h * self.trunk, h * self.width
        offsets = {
            "spine": (0.0, 0.14 * trunk, 0.0),
            "spine_shoulder": (0.0, 0.14 * trunk, 0.0),
            "neck": (0.0, 0.04 * trunk, 0.0),
            "head": (0.0, 0.07 * h, 0.012 * h),
        }
        for side, sign in (("left", 1.0), ("right", -1.0)):
            offsets |= {
                f"{side}_shoulder": (sign * 0.105 * width, -0.015 * h, 0.0),
                f"{side}_elbow": (0.0, -0.172 * arm, 0.0),
                f"{side}_wrist": (0.0, -0.146 * arm, 0.0),
                f"{side}_hand": (0.0, -0.045 * arm, 0.0),
                f"{side}_hand_tip": (0.0, -0.05 * arm, 0.0),
                f"{side}_thumb": (0.0, -0.018 * arm, 0.028 * arm),
                f"{side}_hip": (sign * 0.047 * width, -0.02 * h, 0.0),
                f"{side}_knee": (0.0, -0.245 * leg, 0.0),
                f"{side}_ankle": (0.0, -0.246 * leg, 0.0),
                f"{side}_foot": (0.0, -0.028 * h, 0.085 * h),
            }
        return offsets


def forward(body: Body, pose: Floats) -> Floats:
    """Positions of all joints: `pose` (T, len(DOFS)) to (T, J, 3), meters, world axes, joints as in `LAYOUT`.

    The feet carry the body: the supporting foot (see `support`) stays at its place on the path, and the
    lowest point of the feet stands on the floor (y = 0) or `lift` above it.
    """
    local = _rotations(pose)
    turn = about_y(pose[:, DOF["heading"]])
    world: dict[str, Floats] = {}
    for name, parent, *_ in _SEGMENTS:
        world[name] = (world[parent] if parent else turn) @ local[:, _SEGMENT[name]]
    joints = {"pelvis": np.zeros((len(pose), 3))}
    offsets = body.offsets()
    for name, parent, segment in _JOINTS:
        joints[name] = joints[parent] + world[segment] @ np.array(offsets[name])
    root = _place_on_feet(body, pose, joints, turn)
    return np.stack([joints[name] for name in LAYOUT.joints], axis=1) + root[:, None]


def mirrored_name(dof: str) -> tuple[str, float]:
    """The degree of freedom that takes the place of `dof` in the mirror image, and the sign that it takes."""
    if dof.startswith("left_"):
        return dof.replace("left_", "right_"), 1.0
    if dof.startswith("right_"):
        return dof.replace("right_", "left_"), 1.0
    return dof, -1.0 if dof in _SIDED else 1.0


def _place_on_feet(body: Body, pose: Floats, joints: dict[str, Floats], turn: Floats) -> Floats:
    """Translation (T, 3) that puts the supporting foot on the path and the lowest foot on the floor."""
    left, right = joints["left_ankle"], joints["right_ankle"]
    # The weight is off a foot as soon as that foot begins to lift, so that the other one does not slide.
    weight = (1 + np.clip(8 * pose[:, DOF["support"], None], -1, 1)) / 2
    # At rest each foot stands beside the path by the stance: a foot that keeps standing there moves nothing.
    stance = turn @ np.array([body.stance, 0.0, 0.0]) * (2 * weight - 1)
    root = stance - (weight * left + (1 - weight) * right)
    root[:, 0] += pose[:, DOF["path_x"]]
    root[:, 2] += pose[:, DOF["path_z"]]
    toe_height = body.ankle_height + body.offsets()["left_foot"][1]
    heights = {"ankle": body.ankle_height, "foot": toe_height}
    soles = [joints[f"{side}_{name}"][:, 1] - height for name, height in heights.items() for side in SIDES]
    lowest = np.minimum.reduce(soles)
    root[:, 1] = pose[:, DOF["lift"]] - lowest
    return root


def _rotations(pose: Floats) -> Floats:
    """Local rotation of each segment, (T, segments, 3, 3): the swing after the twist (see `_SEGMENTS`)."""
    angles = pose[:, _COLUMNS] * _SIGNS  # (T, segments, 3)
    a, twist, c = angles[..., 0], angles[..., 1], angles[..., 2]
    angle = np.hypot(a, c)
    sine = np.sinc(angle / np.pi)  # sin(angle) / angle
    versine = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2  # (1 - cos(angle)) / angle^2
    swing = np.stack(
        [
            1 - versine * c * c, -sine * c, versine * a * c,
            sine * c, np.cos(angle), -sine * a,
            versine * a * c, sine * a, 1 - versine * a * a,
        ],
        axis=-1,
    ).reshape(*angle.shape, 3, 3)  # fmt: skip
    return swing @ about_y(twist)


def about_y(angle: Floats) -> Floats:
    """Rotation matrices (..., 3, 3) about the vertical axis."""
    sine, cosine, zero, one = np.sin(angle), np.cos(angle), np.zeros_like(angle), np.ones_like(angle)
    rows = [cosine, zero, sine, zero, one, zero, -sine, zero, cosine]
    return np.stack(rows, axis=-1).reshape(*np.shape(angle), 3, 3)


def _columns() -> tuple[NDArray[np.intp], Floats]:
    """The pose column of each segment and axis, and its sign: 0 where the segment has no such angle."""
    columns, signs = np.zeros((len(_SEGMENTS), 3), np.intp), np.zeros((len(_SEGMENTS), 3))
    for i, (_, _, *axes) in enumerate(_SEGMENTS):
        for axis, term in enumerate(axes):
            if term:
                columns[i, axis] = DOF[term[1:]]
                signs[i, axis] = 1.0 if term[0] == "+" else -1.0
    return columns, signs


_COLUMNS, _SIGNS = _columns()
