"""Who moves and how: subjects with their habits, and the timeline of one recording as joint angles over time.

An action is never alone: the body sways, looks around, fidgets with an arm that has nothing to do, shifts its
weight and takes a few steps. What a subject does by habit (tempo, reach, posture, preferred hand) is drawn
once per subject, what varies from one performance to the next is drawn per performance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hitrs.data.synthetic.actions import SEATED, Action, Angles, arm, crouch, curve, key_table, limb_columns
from hitrs.data.synthetic.body import DOF, DOFS, Body, Floats

FPS = 30.0
LIMBS = ("left_arm", "right_arm", "legs")


@dataclass(frozen=True)
class Subject:
    """A person: a body and habits."""

    body: Body
    rest: Floats
    """Posture at rest, (len(DOFS),) radians."""
    left_handed: bool
    tempo: float
    """Factor on the speed of all actions."""
    reach: float
    """Factor on the size of all movements of the arms."""
    restless: float
    """Factor on idle sway and fidgeting."""


@dataclass(frozen=True)
class Move:
    """A part of a timeline: an action, or (None) nothing in particular."""

    action: Action | None
    frames: int


def draw_subject(rng: np.random.Generator) -> Subject:
    """A random adult."""
    height = float(np.clip(rng.normal(1.71, 0.09), 1.5, 1.95))
    legs, arms, trunk, width = rng.normal(1, 0.035, 4).clip(0.92, 1.08).tolist()
    body = Body(height, legs, arms, trunk, width, stance=float(rng.uniform(0.09, 0.15)))
    rest = np.zeros(len(DOFS))
    slouch = rng.uniform(-3, 10)
    degrees: dict[str, float] = {"spine_pitch": slouch, "neck_pitch": rng.uniform(-6, 10), "pelvis_pitch": 0}
    for side in ("left", "right"):
        habit = arm(flex=rng.uniform(-4, 8), side=rng.uniform(4, 14), twist=rng.uniform(0, 25),
                    elbow=rng.uniform(6, 28), limb=side)  # fmt: skip
        degrees |= {
            **habit,
            f"{side}_hip_side": np.rad2deg(body.straddle),
            f"{side}_hip_twist": rng.uniform(-12, 0),
        }
    for name, value in degrees.items():
        rest[DOF[name]] = np.deg2rad(value)
    return Subject(
        body, rest, left_handed=bool(rng.random() < 0.25), tempo=float(rng.uniform(0.8, 1.25)),
        reach=float(rng.uniform(0.8, 1.08)), restless=float(rng.uniform(0.5, 1.5)),
    )  # fmt: skip


def action_move(action: Action, subject: Subject, rng: np.random.Generator) -> Move:
    """The action at the subject's tempo."""
    seconds = rng.uniform(*action.seconds) / subject.tempo
    return Move(action, round(seconds * FPS))


def perform(
    subject: Subject,
    moves: Sequence[Move],
    rng: np.random.Generator,
    *,
    seated: bool = False,
    walks: bool = True,
) -> Floats:
    """The timeline as joint angles, (frames of all moves, len(DOFS)) radians.

    `seated` says whether the body sits to begin with; `walks` whether it may take steps where it has nothing
    to do.
    """
    frames = sum(move.frames for move in moves)
    pose = np.tile(subject.rest, (frames, 1))
    # Drawn once for the whole timeline, so that standing up undoes sitting down.
    size = _size(rng, spread=0.06, legs=(0.88, 1.06))
    size[limb_columns("left_arm") + limb_columns("right_arm")] *= subject.reach
    chair = key_table([(0, SEATED)], subject.rest, size)[1][0]
    busy = {limb: np.zeros(frames, bool) for limb in LIMBS}
    start = 0
    for move in moves:
        now = slice(start, start + move.frames)
        start += move.frames
        if move.action is not None:
            motion = _enact(move.action, subject, move.frames, size, rng)
            pose[now] += motion
            for limb in LIMBS:
                busy[limb][now] |= bool(np.abs(motion[:, limb_columns(limb)]).max() > 0.02)
        if move.action is not None and move.action.before != move.action.after:
            seated = move.action.after == "seated"
        elif seated:
            pose[now] += chair
            busy["legs"][now] = True
    _sway(pose, subject, rng)
    for limb in ("left_arm", "right_arm"):
        for begin, end in _runs(~busy[limb], shortest=16):
            _fidget(pose[begin:end], _ARM_FIDGETS, subject, rng, mirror=limb == "left_arm")
    for begin, end in _runs(~busy["legs"], shortest=16):
        _fidget(pose[begin:end], _BODY_FIDGETS, subject, rng, mirror=bool(rng.random() < 0.5))
    direction = 1.0  # to and fro, so that nobody walks away
    for begin, end in _runs(~busy["legs"], shortest=24):
        if walks and rng.random() < 0.5:
            _pace(pose, begin, end, subject, direction, rng)
            direction = -direction
    return pose


def _size(rng: np.random.Generator, *, spread: float, legs: tuple[float, float]) -> Floats:
    """Factors on all angles, (len(DOFS),). Legs and pelvis scale as one, so that the soles stay flat."""
    size = rng.normal(1, spread, len(DOFS)).clip(1 - 2.5 * spread, 1 + 2 * spread)
    size[limb_columns("legs")] = rng.uniform(*legs)
    size[DOF["support"]] = 1.0
    return size


def _enact(action: Action, subject: Subject, frames: int, size: Floats, rng: np.random.Generator) -> Floats:
    """One execution of an action, (frames, len(DOFS)) radians to be added to the posture."""
    left = action.side == "left"
    if action.side == "handed":
        left = subject.left_handed != (rng.random() < 0.1)  # now and then with the other hand
    phases, table = key_table(action.keys(rng, frames / FPS), subject.rest, size, mirror=left)
    if action.loose and rng.random() < 0.6:
        table[:, limb_columns("left_arm") + limb_columns("right_arm")] = 0.0
    gaps = np.diff(phases)
    phases[1:-1] += np.minimum(gaps[:-1], gaps[1:]) * rng.uniform(-0.12, 0.12, len(phases) - 2)
    at = np.linspace(0, 1, frames)
    return curve(phases, table, at + rng.uniform(-0.3, 0.3) * at * (1 - at))


_SWAY = {
    "heading": 10, "pelvis_pitch": 1.2, "pelvis_roll": 1.5,
    "spine_pitch": 2, "spine_roll": 2, "spine_twist": 4, "neck_pitch": 5, "neck_roll": 3, "neck_twist": 12,
    **{f"{side}_{name}": value for side in ("left", "right") for name, value in
       {"shoulder_flex": 4, "shoulder_side": 2.5, "shoulder_twist": 5, "elbow": 6, "wrist": 8}.items()},
}  # fmt: skip
"""Standard deviation of idle motion, degrees."""


def _sway(pose: Floats, subject: Subject, rng: np.random.Generator) -> None:
    """Nobody stands still: slow motion of the whole body, added in place."""
    columns = [DOF[name] for name in _SWAY]
    amount = np.deg2rad(list(_SWAY.values())) * subject.restless
    pose[:, columns] += amount * smooth_noise(rng, len(pose), len(columns), hertz=(0.1, 0.7))


_ARM_FIDGETS: tuple[Angles, ...] = (
    arm(flex=-12, side=35, twist=45, elbow=85),  # a hand on the hip
    arm(flex=55, side=50, twist=-20, elbow=125),  # scratching the head
    arm(flex=40, side=5, twist=30, elbow=130),  # the chin
    arm(flex=35, side=10, twist=60, elbow=85),  # a look at the watch
    arm(flex=20, side=5, twist=45, elbow=85),  # the other forearm
    arm(flex=25, side=10, elbow=15),  # a swing
    arm(flex=60, side=20, twist=10, elbow=40),  # pointing
    arm(flex=-25, side=15, elbow=40),  # a back pocket
)
_BODY_FIDGETS: tuple[Angles, ...] = (
    crouch(hip=40, knee=45, pelvis=12, spine=6),  # slack knees
    crouch(hip=28, knee=0, pelvis=28, spine=15),  # leaning forward
    {"spine_twist": 35, "neck_twist": 40, "pelvis_roll": 3},  # a look behind
    {"spine_roll": 14, "neck_roll": 10, "pelvis_roll": 5},  # leaning aside
    {"right_hip_flex": 35, "right_knee": 65, "left_knee": 4, "support": 1},  # lifting a foot
    {"spine_pitch": -10, "pelvis_pitch": -5, "left_hip_flex": -5, "right_hip_flex": -5},  # stretching
)


def _fidget(
    pose: Floats, choice: Sequence[Angles], subject: Subject, rng: np.random.Generator, *, mirror: bool
) -> None:
    """Gestures that mean nothing, added in place to `pose` (n, len(DOFS)), where a limb has nothing to do."""
    begin = rng.uniform(0, 15)
    while True:
        length = rng.uniform(14, 45)
        if begin + length > len(pose):
            return
        if rng.random() < 0.8 * subject.restless:
            angles = choice[int(rng.integers(len(choice)))]
            reached, left = rng.uniform(0.25, 0.45), rng.uniform(0.5, 0.75)
            keys = [(0.0, {}), (reached, angles), (left, angles), (1.0, {})]
            size = _size(rng, spread=0.2, legs=(0.5, 1.1))
            phases, table = key_table(keys, subject.rest, size, mirror=mirror)
            pose += curve(phases, table, (np.arange(float(len(pose))) - begin) / length)
        begin += length + rng.uniform(0, 45)


def _pace(
    pose: Floats, begin: int, end: int, subject: Subject, direction: float, rng: np.random.Generator
) -> None:
    """A few steps forward (direction 1) or back (-1) somewhere in the frames [begin, end), added in place."""
    length = int(rng.uniform(20, min(end - begin, 75)))
    start = int(rng.integers(begin, end - length + 1))
    now = slice(start, start + length)
    seconds = np.arange(length) / FPS
    progress = np.linspace(0, 1, length)
    envelope = np.sin(np.pi * progress)
    hertz, swing = rng.uniform(0.7, 1.0) * subject.tempo, np.deg2rad(rng.uniform(6, 22))
    cycle = 2 * np.pi * (hertz * seconds + rng.random())
    for side, phase in (("left", 0.0), ("right", np.pi)):
        hip = envelope * swing * np.sin(cycle + phase) * direction
        knee = envelope * 2.2 * swing * np.maximum(0, np.cos(cycle + phase))
        pose[now, DOF[f"{side}_hip_flex"]] += hip + 0.5 * knee
        pose[now, DOF[f"{side}_knee"]] += knee
        pose[now, DOF[f"{side}_ankle"]] += 0.5 * knee - hip
        pose[now, DOF[f"{side}_shoulder_flex"]] -= 0.8 * hip
    # Per cycle the body advances by two steps, each as long as the feet are apart when the legs are spread.
    leg = 0.49 * subject.body.height * subject.body.legs
    speed = direction * 4 * leg * np.sin(envelope * swing) * hertz
    turn = rng.normal(0, np.deg2rad(25)) - (pose[start, DOF["heading"]] - subject.rest[DOF["heading"]])
    pose[now, DOF["heading"]] += turn * progress**2 * (3 - 2 * progress)
    pose[start + length :, DOF["heading"]] += turn
    for name, along in (("path_x", np.sin), ("path_z", np.cos)):
        way = np.cumsum(speed * along(pose[now, DOF["heading"]])) / FPS
        pose[now, DOF[name]] += way
        pose[start + length :, DOF[name]] += way[-1]


def smooth_noise(
    rng: np.random.Generator, frames: int, columns: int, *, hertz: tuple[float, float]
) -> Floats:
    """Slow random motion of unit variance within a band of frequencies, (frames, columns)."""
    waves = 3
    frequency = rng.uniform(*hertz, (waves, 1, columns))
    phase = rng.uniform(0, 2 * np.pi, (waves, 1, columns))
    weight = rng.normal(0, np.sqrt(2 / waves), (waves, 1, columns))
    seconds = np.arange(frames)[:, None] / FPS
    total: Floats = (weight * np.sin(2 * np.pi * frequency * seconds + phase)).sum(axis=0)
    return total


def _runs(free: NDArray[np.bool_], *, shortest: int) -> list[tuple[int, int]]:
    """Runs [start, stop) of True that are at least `shortest` frames long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], free, [False]]).astype(np.int8)))
    pairs = edges.reshape(-1, 2).tolist()
    return [(start, stop) for start, stop in pairs if stop - start >= shortest]
