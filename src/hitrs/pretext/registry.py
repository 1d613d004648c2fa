"""The pretext tasks by name: the paper's, ours, and those of other packages ("hitrs.pretext_tasks").

Nothing is imported before a task is used, so that ``--help`` can list them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from hitrs.errors import ConfigError, did_you_mean
from hitrs.plugins import Registry

if TYPE_CHECKING:
    from hitrs.pretext.base import PretextTask

PAPER = ("masked_joint", "clip_order", "video_order", "future_clip")
"""The four tasks of the paper: on by default, with weight 1."""

ABOUT = {
    "masked_joint": "frame level: predict masked joints",
    "clip_order": "clip level: frames in order, or two exchanged",
    "video_order": "video level: clips in order, or two exchanged",
    "future_clip": "video level: which clip follows",
    "views": "video level, beyond the paper: two augmented views of a sequence find each other",
    "clip_motion": "clip level, beyond the paper: motion in frames that the encoder did not see",
    "convolutions": "all levels, beyond the paper: random convolutions of the sequence before augmentation",
}


def _check(value: Any, name: str) -> type[PretextTask]:
    from hitrs.pretext.base import Level, Metric, PretextTask

    if not (isinstance(value, type) and issubclass(value, PretextTask)):
        raise TypeError(f"it is {value!r}, expected a subclass of hitrs.pretext.base.PretextTask")
    missing = [
        attribute for attribute in ("name", "level", "metric", "title") if not hasattr(value, attribute)
    ]
    if missing:
        raise TypeError(f"{value.__name__} has no {' and no '.join(missing)}")
    if value.name != name:
        raise TypeError(f"its name is '{value.name}', expected '{name}'")
    for attribute, known in (("level", get_args(Level)), ("metric", get_args(Metric))):
        if getattr(value, attribute) not in known:
            raise TypeError(
                f"its {attribute} is {getattr(value, attribute)!r}, expected {' or '.join(known)}"
            )
    return value


PRETEXT_TASKS: Registry[type[PretextTask]] = Registry(
    "hitrs.pretext_tasks",
    "pretext task",
    {
        "masked_joint": "hitrs.pretext.masked_joint:MaskedJoint",
        "clip_order": "hitrs.pretext.clip_order:ClipOrder",
        "video_order": "hitrs.pretext.video_order:VideoOrder",
        "future_clip": "hitrs.pretext.future_clip:FutureClip",
        "views": "hitrs.pretext.views:Views",
        "clip_motion": "hitrs.pretext.clip_motion:ClipMotion",
        "convolutions": "hitrs.pretext.convolutions:Convolutions",
    },
    _check,
)
"""In the order in which their modules are made and their losses are added."""


def register_pretext_task(task: type[PretextTask]) -> type[PretextTask]:
    """Make a task of a script or notebook known by its name; usable as a class decorator.

    ``MaskedVelocity`` is the example of docs/extend.md, which says what a pretext task consists of.

    >>> from hitrs_velocity import MaskedVelocity
    >>> hitrs.register_pretext_task(MaskedVelocity)

    Raises:
        ConfigError: if the name is one of the package's own, or it is no pretext task.
    """
    return PRETEXT_TASKS.register(getattr(task, "name", ""), task)


def pretext_weights(given: Mapping[str, float] | None = None) -> dict[str, float]:
    """The weight of every known task in the loss: 1 for the paper's four, 0 for all others, unless given.

    Raises:
        ConfigError: for a task that is not known, a weight below 0, or none above it.
    """
    known = PRETEXT_TASKS.names()
    weights = {name: 1.0 if name in PAPER else 0.0 for name in known}
    for name, weight in (given or {}).items():
        if name not in weights:
            raise ConfigError(
                f"there is no pretext task '{name}'{did_you_mean(name, known)}; known: {', '.join(known)}"
            )
        weights[name] = weight
    if min(weights.values()) < 0 or not sum(weights.values()) > 0:
        raise ConfigError(f"pretext weights must not be negative and not all 0, got {weights}")
    return weights
