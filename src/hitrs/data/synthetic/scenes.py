"""What happens in front of the camera: who does what when, and where the persons stand to each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitrs.data.recording import Segment
from hitrs.data.synthetic.actions import ACTIONS, Action
from hitrs.data.synthetic.body import DOF, LAYOUT, Floats, forward
from hitrs.data.synthetic.performance import FPS, Move, Subject, action_move, draw_subject, perform

_RIGHT_HAND = LAYOUT.joints.index("right_hand")


@dataclass(frozen=True)
class MotionScene:
    """The exact motion of one recording, before any camera."""

    poses: Floats
    """Joint angles of the first person, (T, len(DOFS)) radians."""
    world: Floats
    """(T, P, J, 3) meters, world axes."""
    segments: tuple[Segment, ...]
    yaw: float
    """How far the scene is turned away from where the cameras expect it, radians."""


def trimmed_scene(action: Action, subject: Subject, rng: np.random.Generator) -> MotionScene:
    """One action with a little time before and after."""
    before, after = (Move(None, int(rng.integers(0, 20))) for _ in range(2))
    moves = [before, action_move(action, subject, rng), after]
    seated = action.before == "seated" or (action.seated and rng.random() < 0.3)
    company = action.persons > 1 or rng.random() < 0.08
    return _stage(subject, moves, rng, seated=seated, company=company)


def untrimmed_scene(count: int, subject: Subject, rng: np.random.Generator, *, company: bool) -> MotionScene:
    """`count` actions, most with a gap between; with `company` a second person shakes hands or stands by."""
    seated = start_seated = bool(rng.random() < 0.2)
    moves = [_gap(rng)]
    for _ in range(count):
        action = _next_action(seated, company, rng)
        seated = action.after == "seated" if action.before != action.after else seated
        pause = Move(None, 0) if rng.random() < 0.2 else _gap(rng)
        moves += [action_move(action, subject, rng), pause]
    moves.append(_gap(rng))
    return _stage(subject, moves, rng, seated=start_seated, company=company)


def _next_action(seated: bool, company: bool, rng: np.random.Generator) -> Action:
    if seated and rng.random() < 0.5:
        choice = [action for action in ACTIONS if action.before == "seated"]
    else:
        choice = [
            action for action in ACTIONS
            if (action.seated if seated else action.before == "standing") and (company or action.persons == 1)
        ]  # fmt: skip
    if company and not seated and rng.random() < 0.3:
        choice = [action for action in ACTIONS if action.persons > 1]
    return choice[rng.integers(len(choice))]


def _gap(rng: np.random.Generator) -> Move:
    return Move(None, int(rng.uniform(0.4, 2.2) * FPS))


def _stage(
    subject: Subject, moves: Sequence[Move], rng: np.random.Generator, *, seated: bool, company: bool
) -> MotionScene:
    """Let the subject, and a stranger where there is `company`, go through the steps."""
    shared = [move if move.action and move.action.persons > 1 else Move(None, move.frames) for move in moves]
    together = any(move.action for move in shared)
    poses = perform(subject, moves, rng, seated=seated, walks=not together)
    bodies = [forward(subject.body, poses)]
    yaw = rng.uniform(-2.4, 2.4)
    if company:
        stranger = draw_subject(rng)
        theirs = perform(stranger, shared, rng, walks=not together)
        if together:
            theirs[:, DOF["heading"]] += np.pi + rng.normal(0, 0.08)
            other = forward(stranger.body, theirs)
            contact = _middles(shared)
            shift = (bodies[0] - other)[contact, _RIGHT_HAND].mean(axis=0)
            yaw += rng.choice([-1, 1]) * rng.uniform(0.6, 1.4)  # from the side neither hides the other
        else:
            theirs[:, DOF["heading"]] += rng.normal(0, 0.7)
            other = forward(stranger.body, theirs)
            shift = np.array([rng.choice([-1, 1]) * rng.uniform(0.8, 1.4), 0, rng.uniform(-0.6, 0.4)])
        bodies.append(other + shift * [1, 0, 1])
    return MotionScene(poses, np.stack(bodies, axis=1), _segments(moves), float(yaw))


def _segments(moves: Sequence[Move]) -> tuple[Segment, ...]:
    stops = np.cumsum([move.frames for move in moves]).tolist()
    return tuple(
        Segment(stop - move.frames, stop, move.action.name)
        for move, stop in zip(moves, stops, strict=True) if move.action
    )  # fmt: skip


def _middles(moves: Sequence[Move]) -> list[int]:
    """Frames in the middle of the actions, where the hands of two persons meet."""
    frames: list[int] = []
    for segment in _segments(moves):
        length = segment.stop - segment.start
        frames += range(segment.start + round(0.35 * length), segment.start + round(0.7 * length))
    return frames
