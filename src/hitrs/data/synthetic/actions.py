"""The action classes: key poses in degrees on a phase from 0 to 1, added to whatever the body does anyway.

All are written for the right limb; the left-handed version is the mirror image. Between keys the angles follow a
monotone cubic, so a pose that is given twice is held and nothing overshoots.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from hitrs.data.synthetic.body import DOF, DOFS, Floats, mirrored_name

Angles = Mapping[str, float]
Keys = list[tuple[float, Angles]]

METRES = {"lift", "path_x", "path_z", "support"}
"""Degrees of freedom whose keys are not degrees."""


@dataclass(frozen=True)
class Action:
    """One class: what is moved (`keys`), how long it takes, and who does it with which hand."""

    name: str
    keys: Callable[[np.random.Generator], Keys]
    seconds: tuple[float, float]
    side: str = "right"
    """ "right" or "left" limb, or "handed": the hand that the subject prefers."""
    before: str = "standing"
    after: str = "standing"
    seated: bool = False
    """Whether it is done on a chair, too."""
    persons: int = 1


def arm(flex: float = 0, side: float = 0, twist: float = 0, elbow: float = 0, wrist: float = 0,
        limb: str = "right") -> Angles:  # fmt: skip
    """An arm's angles, degrees."""
    return {f"{limb}_shoulder_flex": flex, f"{limb}_shoulder_side": side, f"{limb}_shoulder_twist": twist,
            f"{limb}_elbow": elbow, f"{limb}_wrist": wrist}  # fmt: skip


def arms(flex: float = 0, side: float = 0, twist: float = 0, elbow: float = 0, wrist: float = 0) -> Angles:
    """Both arms alike, degrees."""
    return {**arm(flex, side, twist, elbow, wrist), **arm(flex, side, twist, elbow, wrist, limb="left")}


def crouch(hip: float, knee: float, pelvis: float = 0, spine: float = 0) -> Angles:
    """Both legs bent with the soles flat on the floor, and the trunk leaning forward, degrees."""
    legs = {f"{limb}_{name}": value for limb in ("left", "right")
            for name, value in (("hip_flex", hip), ("knee", knee), ("ankle", knee + pelvis - hip))}  # fmt: skip
    return {**legs, "pelvis_pitch": pelvis, "spine_pitch": spine, "neck_pitch": -0.4 * (pelvis + spine)}


SEATED: Angles = crouch(hip=92, knee=88, pelvis=2)
"""On a chair."""


def raise_hand(rng: np.random.Generator) -> Keys:
    up = arm(flex=rng.uniform(130, 175), side=rng.uniform(0, 25), elbow=rng.uniform(0, 30))
    return [(0, {}), (rng.uniform(0.3, 0.42), up), (rng.uniform(0.55, 0.7), up), (1, {})]


def wave(hertz: tuple[float, float], seconds: float) -> Callable[[np.random.Generator], Keys]:
    """The raised forearm swings from side to side, `hertz` times a second if the action takes `seconds`."""

    def keys(rng: np.random.Generator) -> Keys:
        out, turn, middle = rng.uniform(55, 85), rng.uniform(-95, -75), rng.uniform(80, 100)
        swing = rng.uniform(18, 30)
        start, stop = 0.2, 0.82
        turns = max(2, round(2 * rng.uniform(*hertz) * seconds * (stop - start)))
        poses = [arm(side=out, twist=turn, elbow=middle + (-1) ** i * swing) for i in range(turns + 1)]
        return [(0, {}), *zip(np.linspace(start, stop, turns + 1), poses, strict=True), (1, {})]

    return keys


def clap(times: int) -> Callable[[np.random.Generator], Keys]:
    """The hands meet before the chest once or twice."""

    def keys(rng: np.random.Generator) -> Keys:
        flex, elbow = rng.uniform(28, 50), rng.uniform(75, 95)
        apart = arms(flex=flex, side=rng.uniform(8, 18), twist=rng.uniform(-25, -5), elbow=elbow)
        touch = arms(flex=flex, side=0, twist=27, elbow=elbow)
        if times == 1:
            return [(0, {}), (0.3, apart), (0.48, touch), (0.54, touch), (0.7, apart), (1, {})]
        return [(0, {}), (0.24, apart), (0.38, touch), (0.5, apart), (0.64, touch), (0.78, apart), (1, {})]

    return keys


def kick(rng: np.random.Generator) -> Keys:
    reach, lean = rng.uniform(60, 90), rng.uniform(-14, -4)
    balance = {**arm(flex=rng.uniform(-35, -5), side=15, elbow=20),
               **arm(flex=rng.uniform(5, 35), side=20, elbow=25, limb="left")}  # fmt: skip
    back = {"right_hip_flex": -18, "right_knee": 60, "right_ankle": -15, "support": 1, "left_knee": 6,
            "left_ankle": 6, **balance}  # fmt: skip
    out = {**back, "right_hip_flex": reach, "right_knee": 12, "right_ankle": -25, "pelvis_pitch": lean,
           "left_hip_flex": lean, "pelvis_roll": 4}  # fmt: skip
    return [(0, {}), (0.3, back), (0.52, out), (0.6, out), (0.8, {**back, "right_hip_flex": 15}), (1, {})]


def sit_down(rng: np.random.Generator) -> Keys:
    swing = {**crouch(hip=75, knee=62, pelvis=rng.uniform(25, 38), spine=10), **arms(flex=35, elbow=25)}
    return [(0, {}), (0.1, {}), (rng.uniform(0.5, 0.6), swing), (0.92, SEATED), (1, SEATED)]


def pick_up(rng: np.random.Generator) -> Keys:
    """Bend, grasp something on the floor, bring it to the waist, let the arm hang again."""
    knee, pelvis, spine = rng.uniform(45, 85), rng.uniform(38, 55), rng.uniform(18, 30)
    reach = {**crouch(hip=pelvis + 0.62 * knee, knee=knee, pelvis=pelvis, spine=spine),
             **arm(flex=pelvis + spine + rng.uniform(0, 15), side=4, elbow=8)}  # fmt: skip
    carry = arm(flex=rng.uniform(5, 25), elbow=rng.uniform(80, 105), twist=15)
    return [(0, {}), (0.4, reach), (0.48, reach), (0.78, carry), (0.88, carry), (1, {})]


def backwards(keys: Callable[[np.random.Generator], Keys]) -> Callable[[np.random.Generator], Keys]:
    """The same motion with time reversed."""
    return lambda rng: [(1 - phase, angles) for phase, angles in reversed(keys(rng))]


def squat(rng: np.random.Generator) -> Keys:
    low = {**crouch(hip=rng.uniform(95, 115), knee=rng.uniform(95, 115), pelvis=rng.uniform(22, 32), spine=8),
           **arms(flex=rng.uniform(40, 90), elbow=10)}  # fmt: skip
    return [(0, {}), (rng.uniform(0.4, 0.48), low), (rng.uniform(0.52, 0.6), low), (1, {})]


def jump(rng: np.random.Generator) -> Keys:
    low = {**crouch(hip=rng.uniform(65, 90), knee=rng.uniform(75, 100), pelvis=20, spine=8),
           **arms(flex=rng.uniform(-45, -15), elbow=10)}  # fmt: skip
    high = {**arms(flex=rng.uniform(50, 120), elbow=15), "lift": rng.uniform(0.2, 0.38)}
    toes = {"left_ankle": -35, "right_ankle": -35}
    land = {**crouch(hip=45, knee=55, pelvis=14, spine=6), **arms(flex=30, elbow=15)}
    return [(0, {}), (0.32, low), (0.45, {**arms(flex=40, elbow=15), **toes}), (0.57, {**high, **toes}),
            (0.69, arms(flex=45, elbow=15)), (0.78, land), (1, {})]  # fmt: skip


def throw(rng: np.random.Generator) -> Keys:
    twist, step = rng.uniform(20, 35), {"left_hip_flex": 8, "right_hip_flex": -6}
    wind = {**arm(flex=-15, side=rng.uniform(75, 100), twist=rng.uniform(-110, -85), elbow=rng.uniform(85, 110)),
            "spine_twist": -twist, "spine_pitch": -8, **step}  # fmt: skip
    release = {**arm(flex=rng.uniform(95, 125), side=15, twist=-10, elbow=15), "spine_twist": 0.7 * twist,
               "spine_pitch": 12, **step}  # fmt: skip
    follow = {**arm(flex=40, side=-15, twist=20, elbow=20), "spine_twist": twist, "spine_pitch": 18, **step}
    return [(0, {}), (0.42, wind), (0.58, release), (0.7, follow), (1, {})]


def shake_hands(rng: np.random.Generator) -> Keys:
    flex, elbow, pump = rng.uniform(32, 42), rng.uniform(45, 60), rng.uniform(5, 10)
    poses = [arm(flex=flex, twist=12, elbow=elbow + (-1) ** i * pump) for i in range(2 * int(rng.integers(2, 4)))]
    return [(0, {}), *zip(np.linspace(0.28, 0.76, len(poses)), poses, strict=True), (1, {})]


ACTIONS: tuple[Action, ...] = (
    Action("raise left hand", raise_hand, (0.9, 1.5), side="left", seated=True),
    Action("raise right hand", raise_hand, (0.9, 1.5), side="right", seated=True),
    Action("wave slowly", wave((0.8, 1.2), 1.6), (1.3, 1.9), side="handed", seated=True),
    Action("wave quickly", wave((2.0, 2.6), 1.6), (1.3, 1.9), side="handed", seated=True),
    Action("clap once", clap(1), (0.8, 1.3), side="handed", seated=True),
    Action("clap twice", clap(2), (0.8, 1.3), side="handed", seated=True),
    Action("kick with the left foot", kick, (0.8, 1.3), side="left"),
    Action("kick with the right foot", kick, (0.8, 1.3), side="right"),
    Action("sit down", sit_down, (0.9, 1.5), after="seated"),
    Action("stand up", backwards(sit_down), (0.9, 1.5), before="seated"),
    Action("pick up", pick_up, (1.2, 1.8), side="handed"),
    Action("put down", backwards(pick_up), (1.2, 1.8), side="handed"),
    Action("squat", squat, (0.9, 1.6)),
    Action("jump", jump, (0.9, 1.3)),
    Action("throw", throw, (0.9, 1.4), side="handed"),
    Action("shake hands", shake_hands, (1.2, 1.8), persons=2),
)


def key_table(keys: Keys, *, mirror: bool = False) -> tuple[Floats, Floats]:
    """Phases (K,) and poses (K, len(DOFS)) of some keys, radians (metres for `METRES`)."""
    table = np.zeros((len(keys), len(DOFS)))
    for row, (_, angles) in zip(table, keys, strict=True):
        for name, value in angles.items():
            target, sign = mirrored_name(name) if mirror else (name, 1.0)
            row[DOF[target]] = sign * (value if name in METRES else np.deg2rad(value))
    return np.array([phase for phase, _ in keys]), table


def curve(phases: Floats, table: Floats, at: Floats) -> Floats:
    """The key poses (K, D) interpolated at the phases `at` (n,), flat before the first key and after the last."""
    # The repeated end keys make the curve start and end at rest.
    phases = np.concatenate([[phases[0] - 1], phases, [phases[-1] + 1]])
    table = np.concatenate([table[:1], table, table[-1:]])
    moving = np.flatnonzero((table != table[0]).any(axis=0))
    poses = np.repeat(table[:1], len(at), axis=0)
    if len(moving):
        poses[:, moving] = PchipInterpolator(phases, table[:, moving])(at)
    return poses


def limb_columns(limb: str) -> list[int]:
    """Pose columns of an arm ("left_arm", "right_arm"), or of the legs and what moves with them ("legs")."""
    if limb == "legs":
        parts = ("hip_flex", "hip_side", "hip_twist", "knee", "ankle")
        names = [f"{side}_{part}" for side in ("left", "right") for part in parts]
        return [DOF[name] for name in (*names, "pelvis_pitch", "support", "lift")]
    side = limb.removesuffix("_arm")
    parts = ("shoulder_flex", "shoulder_side", "shoulder_twist", "elbow", "wrist")
    return [DOF[f"{side}_{part}"] for part in parts]
