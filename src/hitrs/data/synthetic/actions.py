"""The action classes: key poses in degrees on a phase from 0 to 1.

A key poses the joints that it names; the others are at rest. All actions are written for the right limb, the
left one gets the mirror image. Between keys the angles follow a monotone cubic, so a pose that is given twice
is held and nothing overshoots.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from hitrs.data.synthetic.body import DOF, DOFS, Floats, mirrored_name

Angles = Mapping[str, float]
Keys = list[tuple[float, Angles]]
Draw = Callable[[np.random.Generator, float], Keys]
"""Random keys of an action that takes the given number of seconds."""

NOT_ANGLES = {"lift", "support"}
"""Degrees of freedom whose keys are not degrees."""


@dataclass(frozen=True)
class Action:
    """One class: what is moved (`keys`), how long it takes, and who does it with which hand."""

    name: str
    keys: Draw
    seconds: tuple[float, float]
    side: str = "right"
    """ "right" or "left" limb, or "handed": the hand that the subject prefers."""
    before: str = "standing"
    after: str = "standing"
    seated: bool = False
    """Whether it is done on a chair, too."""
    persons: int = 1
    loose: bool = False
    """Whether the arms only go along: often they do something else."""


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
    leg = {"hip_flex": hip, "knee": knee, "ankle": knee + pelvis - hip}
    legs = {f"{limb}_{name}": value for limb in ("left", "right") for name, value in leg.items()}
    return {**legs, "pelvis_pitch": pelvis, "spine_pitch": spine, "neck_pitch": -0.4 * (pelvis + spine)}


SEATED: Angles = crouch(hip=92, knee=88, pelvis=2)
"""On a chair."""


def raise_hand(rng: np.random.Generator, seconds: float) -> Keys:
    up = arm(flex=rng.uniform(130, 175), side=rng.uniform(0, 40), elbow=rng.uniform(0, 40))
    return [(0, {}), (rng.uniform(0.3, 0.42), up), (rng.uniform(0.55, 0.7), up), (1, {})]


def wave(hertz: tuple[float, float]) -> Draw:
    """The raised forearm swings from side to side, `hertz` times a second."""

    def keys(rng: np.random.Generator, seconds: float) -> Keys:
        out, turn, middle = rng.uniform(55, 85), rng.uniform(-95, -75), rng.uniform(80, 100)
        swing = rng.uniform(20, 36)
        start, stop = 0.2, 0.82
        turns = max(1, round(2 * rng.uniform(*hertz) * seconds * (stop - start)))
        poses = [arm(side=out, twist=turn, elbow=middle + (-1) ** i * swing) for i in range(turns + 1)]
        return [(0, {}), *zip(np.linspace(start, stop, turns + 1), poses, strict=True), (1, {})]

    return keys


def clap(times: int) -> Draw:
    """The hands meet before the chest once or twice."""

    def keys(rng: np.random.Generator, seconds: float) -> Keys:
        flex, elbow = rng.uniform(28, 50), rng.uniform(75, 95)
        apart = arms(flex=flex, side=rng.uniform(8, 18), twist=rng.uniform(-25, -5), elbow=elbow)
        touch = arms(flex=flex, side=0, twist=32, elbow=elbow)
        if times == 1:
            return [(0, {}), (0.3, apart), (0.48, touch), (0.54, touch), (0.7, apart), (1, {})]
        return [(0, {}), (0.24, apart), (0.38, touch), (0.5, apart), (0.64, touch), (0.78, apart), (1, {})]

    return keys


def kick(rng: np.random.Generator, seconds: float) -> Keys:
    reach, lean = rng.uniform(60, 90), rng.uniform(-14, -4)
    balance = {**arm(flex=rng.uniform(-35, -5), side=15, elbow=20),
               **arm(flex=rng.uniform(5, 35), side=20, elbow=25, limb="left")}  # fmt: skip
    back = {"right_hip_flex": -18, "right_knee": 60, "right_ankle": -15, "support": 1, "left_knee": 6,
            "left_ankle": 6, **balance}  # fmt: skip
    out = {**back, "right_hip_flex": reach, "right_knee": 12, "right_ankle": -25, "pelvis_pitch": lean,
           "left_hip_flex": lean, "pelvis_roll": 4}  # fmt: skip
    return [(0, {}), (0.26, back), (0.56, out), (0.62, out), (0.82, {**back, "right_hip_flex": 15}), (1, {})]


def sit_down(rng: np.random.Generator, seconds: float) -> Keys:
    swing = {**crouch(hip=75, knee=62, pelvis=rng.uniform(25, 38), spine=10), **arms(flex=35, elbow=25)}
    return [(0, {}), (0.1, {}), (rng.uniform(0.5, 0.6), swing), (0.92, SEATED), (1, SEATED)]


def pick_up(rng: np.random.Generator, seconds: float) -> Keys:
    """Bend, grasp something on the floor, bring it to the waist, let the arm hang again."""
    knee, pelvis, spine = rng.uniform(60, 100), rng.uniform(42, 62), rng.uniform(20, 32)
    reach = {**crouch(hip=pelvis + 0.62 * knee, knee=knee, pelvis=pelvis, spine=spine),
             **arm(flex=pelvis + spine + rng.uniform(0, 15), side=4, elbow=8)}  # fmt: skip
    carry = arm(flex=rng.uniform(5, 25), elbow=rng.uniform(80, 105), twist=15)
    return [(0, {}), (0.4, reach), (0.48, reach), (0.78, carry), (0.88, carry), (1, {})]


def backwards(keys: Draw) -> Draw:
    """The same motion with time reversed."""
    return lambda rng, seconds: [(1 - phase, angles) for phase, angles in reversed(keys(rng, seconds))]


def squat(rng: np.random.Generator, seconds: float) -> Keys:
    low = {**crouch(hip=rng.uniform(95, 115), knee=rng.uniform(95, 115), pelvis=rng.uniform(22, 32), spine=8),
           **arms(flex=rng.uniform(40, 90), elbow=10)}  # fmt: skip
    return [(0, {}), (rng.uniform(0.4, 0.48), low), (rng.uniform(0.52, 0.6), low), (1, {})]


def jump(rng: np.random.Generator, seconds: float) -> Keys:
    low = {**crouch(hip=rng.uniform(65, 90), knee=rng.uniform(75, 100), pelvis=20, spine=8),
           **arms(flex=rng.uniform(-45, -15), elbow=10)}  # fmt: skip
    takeoff, landing = 0.42, 0.74
    height = 9.81 * ((landing - takeoff) * seconds) ** 2 / 8  # what gravity allows in this time
    high = {**arms(flex=rng.uniform(50, 120), elbow=15), "lift": min(height, 0.4)}
    toes = {"left_ankle": -35, "right_ankle": -35}
    land = {**crouch(hip=45, knee=55, pelvis=14, spine=6), **arms(flex=30, elbow=15)}
    return [(0, {}), (0.24, low), (takeoff, {**arms(flex=20, elbow=15), **toes}), (0.58, {**high, **toes}),
            (landing, arms(flex=45, elbow=15)), (0.82, land), (1, {})]  # fmt: skip


def throw(rng: np.random.Generator, seconds: float) -> Keys:
    twist, step = rng.uniform(20, 35), {"left_hip_flex": 8, "right_hip_flex": -6}
    back, turn, elbow = rng.uniform(75, 100), rng.uniform(-110, -85), rng.uniform(85, 110)
    wind = {**arm(flex=-15, side=back, twist=turn, elbow=elbow),
            "spine_twist": -twist, "spine_pitch": -8, **step}  # fmt: skip
    release = {**arm(flex=rng.uniform(95, 125), side=15, twist=-10, elbow=15), "spine_twist": 0.7 * twist,
               "spine_pitch": 12, **step}  # fmt: skip
    follow = {**arm(flex=40, side=-15, twist=20, elbow=20), "spine_twist": twist, "spine_pitch": 18, **step}
    return [(0, {}), (0.34, wind), (0.6, release), (0.74, follow), (1, {})]


def shake_hands(rng: np.random.Generator, seconds: float) -> Keys:
    flex, elbow, pump = rng.uniform(32, 42), rng.uniform(45, 60), rng.uniform(5, 10)
    count = 2 * int(rng.integers(2, 4))
    poses = [arm(flex=flex, twist=12, elbow=elbow + (-1) ** i * pump) for i in range(count)]
    return [(0, {}), *zip(np.linspace(0.28, 0.76, len(poses)), poses, strict=True), (1, {})]


ACTIONS: tuple[Action, ...] = (
    Action("raise left hand", raise_hand, (0.7, 1.2), side="left", seated=True),
    Action("raise right hand", raise_hand, (0.7, 1.2), side="right", seated=True),
    Action("wave slowly", wave((0.7, 1.1)), (1.2, 1.7), side="handed", seated=True),
    Action("wave quickly", wave((2.1, 3.0)), (1.2, 1.7), side="handed", seated=True),
    Action("clap once", clap(1), (0.7, 1.1), side="handed", seated=True),
    Action("clap twice", clap(2), (0.7, 1.1), side="handed", seated=True),
    Action("kick with the left foot", kick, (0.9, 1.3), side="left", loose=True),
    Action("kick with the right foot", kick, (0.9, 1.3), side="right", loose=True),
    Action("sit down", sit_down, (0.7, 1.2), after="seated", loose=True),
    Action("stand up", backwards(sit_down), (0.7, 1.2), before="seated", loose=True),
    Action("pick up", pick_up, (0.8, 1.3), side="handed"),
    Action("put down", backwards(pick_up), (0.8, 1.3), side="handed"),
    Action("squat", squat, (0.7, 1.2), loose=True),
    Action("jump", jump, (0.9, 1.2), loose=True),
    Action("throw", throw, (0.9, 1.2), side="handed"),
    Action("shake hands", shake_hands, (0.9, 1.4), persons=2),
)


def key_table(keys: Keys, rest: Floats, size: Floats, *, mirror: bool = False) -> tuple[Floats, Floats]:
    """Phases (K,) and poses (K, len(DOFS)) of some keys, radians, to be added to the posture `rest`.

    `size` (len(DOFS),) multiplies the angles, so that the same action turns out larger or smaller.
    """
    table = np.zeros((len(keys), len(DOFS)))
    for row, (_, angles) in zip(table, keys, strict=True):
        for name, value in angles.items():
            target, sign = mirrored_name(name) if mirror else (name, 1.0)
            column = DOF[target]
            radians = sign * (value if name in NOT_ANGLES else np.deg2rad(value))
            row[column] = radians * size[column] - rest[column]
    return np.array([phase for phase, _ in keys]), table


def curve(phases: Floats, table: Floats, at: Floats) -> Floats:
    """The key poses (K, D) at the phases `at` (n,); before the first key and after the last they are held."""
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
