"""What people hand to a model (arrays, recordings, files) as recordings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, TypeAlias

import numpy as np

from hitrs.data.cleaning.operations import Resample
from hitrs.data.conversion import Conversion, convert
from hitrs.data.inspection.body import UNITS
from hitrs.data.inspection.lost import LOST
from hitrs.data.recording import Recording
from hitrs.data.space import AXES, Space
from hitrs.errors import ConfigError, DataError, LayoutError
from hitrs.models.card import ModelCard
from hitrs.skeleton.layout import Layout, get_layout, list_layouts
from hitrs.skeleton.mapping import joint_map, layout_of_joints
from hitrs.tasks.opening import check_single, open_recording

Input: TypeAlias = np.ndarray | Recording | str | os.PathLike[str]
"""An array (T, J, C) or (T, P, J, C), a recording, or the path of a file that a reader knows."""
Joints: TypeAlias = Layout | str | os.PathLike[str] | Sequence[str]
"""A layout, its name or file, or the names of its joints in their order."""


def as_recording(
    given: Input,
    model: Layout,
    *,
    valid: np.ndarray | None = None,
    layout: Layout | None = None,
    columns: str | None = None,
    fps: float | None = None,
    name: str = "input",
) -> Recording:
    """A recording of the layout that the input has.

    Args:
        model: the model's layout, which an array has if no other is named.
        valid: of an array: (T, J) or (T, P, J) bool, True where the joint was seen; default: what is not NaN.
        layout: of an array, or of a file that does not say it itself.
        columns: of a file that is a table without a header, for example "x,y,z".
        fps: frames per second where the input does not say it; None = unknown.
        name: what messages call an array.

    Raises:
        DataError: for an empty or malformed array, coordinates that are infinite, or NaN where ``valid`` says
            seen, or a file that cannot be read.
        LayoutError: if the joints or dimensions of an array are not the layout's; it names the layouts that
            would fit.
    """
    if isinstance(given, str | os.PathLike):
        given = open_recording(given, model, layout, columns)
    if isinstance(given, Recording):
        return given if fps is None or given.fps is not None else replace(given, fps=fps)
    check_single(given, name)
    positions = np.asarray(given)
    if positions.dtype.kind not in "fiu":
        raise DataError(f"{name}: positions are {positions.dtype}, expected numbers.")
    if positions.ndim == 3:
        positions = positions[:, None]  # (T, P=1, J, C)
    if positions.ndim != 4 or 0 in positions.shape:
        state = "is empty" if positions.size == 0 else "is not a recording"
        raise DataError(
            f"{name} {state}: its shape is {np.shape(given)}, expected (frames, joints, coordinates) or "
            "(frames, persons, joints, coordinates)."
        )
    expected = layout or model
    if positions.shape[2:] != (expected.n_joints, expected.dims):
        misfit = _misfit(name, positions.shape[2:], expected, named=layout is not None)
        raise LayoutError(_exchanged(np.shape(given), expected) or misfit)
    seen = ~np.isnan(positions).any(-1) if valid is None else np.asarray(valid)
    if seen.ndim == 2:
        seen = seen[:, None]
    if seen.shape != positions.shape[:3] or seen.dtype != bool:
        raise DataError(
            f"{name}: valid is {seen.dtype} of shape {seen.shape}, expected bool of shape "
            f"{positions.shape[:3]}."
        )
    return Recording(positions, seen, expected, name=name, fps=fps)


RATE_SLACK = 0.1
"""Rates that differ by less are taken as the same: people do not move at one pace either."""


def check_rate(rate: float | None, model: float | None, what: str) -> None:
    """DataError if a frame rate differs from the one that a model was trained at; unknown ones pass."""
    if rate is None or model is None or 1 - RATE_SLACK <= rate / model <= 1 + RATE_SLACK:
        return
    seems = f"{rate / model:.2g} times as slow" if rate > model else f"{model / rate:.2g} times as fast"
    raise DataError(
        f"{what} has {rate:g} frames a second, the model was trained at {model:g}: its motion would seem "
        f"{seems}. Resample it (--resample, `resample=True`, or a store with `hitrs "
        f"clean --fps {model:g}`)."
    )


def at_rate(recording: Recording, fps: float | None, *, resample: bool = False) -> Recording:
    """The recording at the frame rate of the model; unchanged where either rate is unknown, which the notes
    say of a model that has one.

    Args:
        fps: the rate that the model was trained at.
        resample: bring another rate to it; its frames and segments then count at that rate.
    Raises:
        DataError: for another rate, by more than a tenth, without ``resample``.
    """
    if fps is None:
        return recording
    if recording.fps is None:
        note = f"its frame rate is unknown and taken for the {fps:g} a second that the model was trained at"
        notes = recording.notes if note in recording.notes else (*recording.notes, note)
        return replace(recording, notes=notes)
    if resample:
        return Resample(fps)(recording).recording
    check_rate(recording.fps, fps, f"recording '{recording.name}'")
    return recording


@dataclass(frozen=True)
class JointsSeen:
    """How much of what a model looks at a recording shows."""

    joints: int
    """Of the model's layout."""
    matched: int
    """How many of them the recording's layout has, or can compute."""
    seen: float
    """How many are seen, on average over frames and bodies."""

    def describe(self) -> str:
        """In words, for people."""
        return f"{self.matched} of {self.joints} joints matched, {self.seen:.3g} seen on average"

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"model": self.joints, "matched": self.matched, "seen": round(self.seen, 2)}


def joints_seen(have: Layout, want: Layout, valid: np.ndarray) -> JointsSeen:
    """What is seen of a recording of layout ``have``, mapped to ``want``: valid (T, P, J)."""
    bodies = valid[valid.any(-1)]  # (N, J)
    seen = float(bodies.sum(-1).mean()) if len(bodies) else 0.0
    return JointsSeen(want.n_joints, int((~joint_map(have, want).masked).sum()), seen)


def check_joints(recording: Recording, valid: np.ndarray, card: ModelCard) -> None:
    """Refuse a recording that shows nobody, or too little of what the model looks at.

    Args:
        valid: (T, P, J), in the model's layout.
    Raises:
        DataError: with the joints that are missing and the names that the recording has.
    """
    where, layout = f"recording '{recording.name}'", card.layout
    if not valid.any():
        lost = next((f" ({note})" for note in recording.notes if note.startswith(LOST)), "")
        raise DataError(f"{where}: no joint was seen in any frame{lost}, so there is nothing to go by.")
    seen = joints_seen(recording.layout, layout, valid)
    if seen.seen >= card.least_joints * layout.n_joints:
        return
    unmatched = joint_map(recording.layout, layout).masked
    lists = {
        "Without a counterpart": [layout.joints[joint] for joint in np.flatnonzero(unmatched)],
        "Never seen": [layout.joints[joint] for joint in np.flatnonzero(~unmatched & ~valid.any((0, 1)))],
    }
    missing = "".join(f" {what}: {', '.join(names)}." for what, names in lists.items() if names)
    named = "; name its layout (--layout) if these are other names for them" if unmatched.any() else ""
    raise DataError(
        f"{where}: {seen.describe()}, the model needs {card.least_joints:.0%} of them.{missing} "
        f"Its joints are {', '.join(recording.layout.joints)}{named}."
    )


@dataclass(frozen=True)
class Stated:
    """What who hands recordings to a model says of their coordinates; None: what the bodies suggest counts.

    Raises:
        ConfigError: for a unit or an axis that does not exist.
    """

    unit: str | None = None
    """ "meters", "centimeters" or "millimeters"."""
    up: str | None = None
    """The axis that points up: "y", "-y", "z", ...."""

    def __post_init__(self) -> None:
        for name, value, known in (("unit", self.unit, tuple(UNITS)), ("up", self.up, AXES)):
            if value is not None and value not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def conversion_of(
    have: Space, card: ModelCard, name: str, *, moment: bool = False, stated: Stated | None = None
) -> Conversion:
    """What brings a recording to the unit and up axis of the model's training data.

    Args:
        have: what it is measured in, in the model's layout.
        name: of the recording.
        moment: it is a single frame.
        stated: counts instead of what its bodies suggest.
    Raises:
        DataError: if its bodies are of another size, which no unit explains, or the unit or up axis that was
            stated cannot be compared with those of the training data, which are not known.
    """
    scaled = card.preprocessing.scale == "body"
    said = stated or Stated()
    for value, known, what in (
        (None if scaled else said.unit, card.space.unit in UNITS, "unit"),
        (said.up, card.space.up in AXES, "up axis"),
    ):
        if value is not None and not known:
            raise DataError(
                f"recording '{name}': its {what} was stated, {value}, but that of the model's training data "
                f"is not known ({card.space.describe()}); leave it out and give what the model was trained on"
            )
    conversion = convert(have, card.space, scaled=scaled, moment=moment, unit=said.unit, up=said.up)
    if conversion.misfit:
        raise DataError(
            f"recording '{name}': {conversion.misfit}. Bring it to their unit; `--as-is` (`as_is=True`) "
            "takes it as it is; a model with `--preprocessing.scale body` needs no unit"
        )
    return conversion


def known_layout(layout: Joints | None, model: Layout) -> Layout | None:
    """A layout from its name or file, or from the names of its joints in their order.

    Args:
        model: the model's, whose joints tell how listed ones hang together.

    >>> known_layout(["hip", "l_knee", "r_knee"], get_layout("ntu25")).parents
    (0, 0, 0)

    Raises:
        LayoutError: if there is none, or a list has nothing in common with the model's joints.
    """
    if layout is None or isinstance(layout, Layout):
        return layout
    if isinstance(layout, str | os.PathLike):
        return get_layout(os.fspath(layout))
    return layout_of_joints(layout, model)


def _exchanged(shape: Sequence[int], expected: Layout) -> str:
    """What is wrong with an array of no known layout of which another axis has the joints; empty if none."""
    wanted = (expected.n_joints, expected.dims)
    if tuple(shape[-2:]) in {(layout.n_joints, layout.dims) for layout in map(get_layout, list_layouts())}:
        return ""
    for order in permutations(range(len(shape))):
        if (shape[order[-2]], shape[order[-1]]) == wanted:
            names = (
                "frames, joints, coordinates" if len(shape) == 3 else "frames, persons, joints, coordinates"
            )
            return (
                f"an array of shape {tuple(shape)} seems to have its axes in another order than ({names}): "
                f"`np.transpose(array, {order})` has {wanted[0]} joints with {wanted[1]} coordinates, as "
                f"layout {expected.name}"
            )
    return ""


def _misfit(name: str, shape: Sequence[int], expected: Layout, *, named: bool) -> str:
    """What is wrong with an array of these joints and coordinates."""
    joints, coords = shape
    whose = "the layout" if named else "the model's layout"
    misfit = (
        f"{name} has {joints} joints with {coords} coordinates, but {whose} ({expected.name}) has "
        f"{expected.n_joints} with {expected.dims}"
    )
    if not named and coords != expected.dims:
        kinds = f"a model of {expected.dims}-D skeletons cannot read {coords}-D ones"
        return f"{misfit}; {kinds}: use a model of {coords}-D data"
    layouts = [get_layout(known) for known in list_layouts()]
    fitting = [layout.name for layout in layouts if (layout.n_joints, layout.dims) == (joints, coords)]
    if fitting:
        return f"{misfit}; name the data's layout (--layout), which could be {' or '.join(fitting)}"
    return f"{misfit}; no known layout has as many: describe yours in a layout file and name that (--layout)"
