"""What happens in front of the camera: who does what when, and where the persons stand to each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitrs.data.recording import Segment
from hitrs.data.synthetic.actions import ACTIONS, Action
from hitrs.data.synthetic.body import DOF, LAYOUT, Floats, forward
from hitrs.data.synthetic.performance import FPS, Step, Subject, action_step, draw_subject, perform

_RIGHT_HAND = LAYOUT.joints.index("right_hand")


@dataclass(frozen=True)
class Scene:
    """The exact motion of one recording, before any camera."""

    poses: Floats
    """Joint angles of the first person, (T, len(DOFS)) radians."""
    world: Floats
    """(T, P, J, 3) metres, world axes."""
    segments: tuple[Segment, ...]
    yaw: float
    """How far the scene is turned away from where the cameras expect it, radians."""


def trimmed_scene(action: Action, subject: Subject, rng: np.random.Generator) -> Scene:
    """One action with a little time before and after."""
    before, after = (Step(None, int(rng.integers(0, 20))) for _ in range(2))
    steps = [before, action_step(action, subject, rng), after]
    seated = action.before == "seated" or (action.seated and rng.random() < 0.3)
    company = action.persons > 1 or rng.random() < 0.08
    return _stage(subject, steps, rng, seated=seated, company=company)


def untrimmed_scene(count: int, subject: Subject, rng: np.random.Generator, *, company: bool) -> Scene:
    """`count` actions, most with a gap between; with `company` a second person shakes hands or stands by."""
    seated = start_seated = bool(rng.random() < 0.2)
    steps = [_gap(rng)]
    for _ in range(count):
        action = _next_action(seated, company, rng)
        seated = action.after == "seated" if action.before != action.after else seated
        pause = Step(None, 0) if rng.random() < 0.2 else _gap(rng)
        steps += [action_step(action, subject, rng), pause]
    steps.append(_gap(rng))
    return _stage(subject, steps, rng, seated=start_seated, company=company)


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


def _gap(rng: np.random.Generator) -> Step:
    return Step(None, int(rng.uniform(0.4, 2.2) * FPS))


def _stage(
    subject: Subject, steps: Sequence[Step], rng: np.random.Generator, *, seated: bool, company: bool
) -> Scene:
    """Let the subject, and a stranger where there is `company`, go through the steps."""
    shared = [step if step.action and step.action.persons > 1 else Step(None, step.frames) for step in steps]
    together = any(step.action for step in shared)
    poses = perform(subject, steps, rng, seated=seated, walks=not together)
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
    return Scene(poses, np.stack(bodies, axis=1), _segments(steps), float(yaw))


def _segments(steps: Sequence[Step]) -> tuple[Segment, ...]:
    stops = np.cumsum([step.frames for step in steps]).tolist()
    return tuple(
        Segment(stop - step.frames, stop, step.action.name)
        for step, stop in zip(steps, stops, strict=True) if step.action
    )  # fmt: skip


def _middles(steps: Sequence[Step]) -> list[int]:
    """Frames in the middle of the actions, where the hands of two persons meet."""
    frames: list[int] = []
    for segment in _segments(steps):
        length = segment.stop - segment.start
        frames += range(segment.start + round(0.35 * length), segment.start + round(0.7 * length))
    return frames
