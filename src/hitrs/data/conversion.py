"""From what recordings are measured in to what a model was trained on: another unit, another up axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitrs.data.inspection.body import UNITS, WITHIN
from hitrs.data.space import TURNS, UNCLEAR, Space

FACTORS = (1000.0, 100.0, 1000 / 25.4, 10.0, 0.1, 25.4 / 1000, 0.01, 0.001)
"""By how much coordinates in another unit are off: millimeters, centimeters and inches where meters are
expected, millimeters where centimeters are, and the other way round."""

CLEAR = 1.5
"""A size is near a factor if it is at most so many times off: centimeters and inches are 2.5 times apart."""


@dataclass(frozen=True)
class Conversion:
    """What is done to positions, and what there is to say about it.

    >>> conversion = convert(store.space, model.card.space)
    >>> conversion.notes
    ('converted from centimeters to meters, which the model was trained on',)
    >>> positions = conversion(store.positions(0))
    """

    divisor: float = 1.0
    up: tuple[str, str] | None = None
    """The axis that points up, and the one that shall."""
    notes: tuple[str, ...] = ()
    """What was converted, or could not be, in sentences for people."""
    misfit: str = ""
    """Why the bodies are not those of the training data in any unit."""

    @property
    def changes(self) -> bool:
        """Whether anything is done."""
        return self.divisor != 1 or self.up is not None

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Positions (..., C) as the model expects them; 0, where nothing was seen, stays 0."""
        if self.divisor != 1:
            positions = (positions / np.float64(self.divisor)).astype(np.float32)
        if self.up is not None:
            have, want = (TURNS.get(axis, np.eye(3, dtype=np.float32)) for axis in self.up)
            positions = positions @ have.T @ want
        return positions


def convert(
    have: Space,
    want: Space,
    *,
    scaled: bool = False,
    moment: bool = False,
    unit: str | None = None,
    up: str | None = None,
) -> Conversion:
    """What brings recordings to the space of a model's training data; nothing where either is unknown.

    The size is compared bone by bone, so that a part of a body is enough and hands and animals are compared
    with hands and animals. A size is another unit's where it is near the factor, or less near where the limbs
    of an adult suggest the same unit. An up axis counts as another one if the bodies of no training recording
    lie along it; where some did, only bodies that stand on their heads are turned.

    Args:
        have: of the recordings, in the model's layout.
        want: of the training data.
        scaled: the model scales bodies itself, so that the unit does not matter.
        moment: it is a single moment, in which somebody may lie.
        unit: the unit of the recordings, where that is known; that of ``want`` must be, too.
        up: their up axis, where that is known; that of ``want`` must be, too.
    """
    divisor, turn, notes, misfit = 1.0, None, [], ""
    ratio = 1.0 if scaled or "pixels" in (have.unit, want.unit) else _ratio(have, want)
    if unit is not None and not scaled:
        divisor = UNITS[unit] / UNITS[want.unit]
        if divisor != 1:
            notes.append(f"converted from {unit} to {want.unit}, as the model was trained")
        if not 1 / WITHIN < ratio / divisor < WITHIN:
            misfit = (
                f"in {unit}, as was stated, bones are {ratio / divisor:.3g} times as long as those that the "
                f"model was trained on ({want.describe()})"
            )
    elif not 1 / WITHIN < ratio < WITHIN:
        stated = UNITS.get(have.unit, 0) / UNITS.get(want.unit, 1)  # by an adult's limbs, where there are any
        near = [factor for factor in FACTORS if 1 / CLEAR < ratio / factor < CLEAR]
        named = [factor for factor in FACTORS if factor == stated and 1 / WITHIN < ratio / factor < WITHIN]
        chosen = next(iter(near + named), None)
        if chosen is None:
            misfit = (
                f"bones are {ratio:.3g} times as long as those that the model was trained on "
                f"({want.describe()}), which no unit explains"
            )
        else:
            divisor = chosen
            notes.append(_told(divisor, ratio, have, want))
    if up is not None:
        if up != want.up:
            turn = (up, want.up)
            notes.append(f"turned from {up} up to {want.up} up, as the model was trained")
    elif UNCLEAR not in (have.up, want.up) and have.up not in (want.up, *want.lying):
        upside_down = have.up.strip("-") == want.up.strip("-")
        if want.unit != "pixels" and (upside_down or not (want.lying or moment)):
            turn = (have.up, want.up)
            notes.append(f"turned from {have.up} up to {want.up} up, as the model was trained")
        else:
            notes.append(f"{have.up} seems to point up, but {want.up} did in the training data")
    if have.up == UNCLEAR and have.lying and want.up != UNCLEAR:
        axes = " or ".join(have.lying)
        notes.append(
            f"which axis points up is unclear (by some recordings {axes}, {want.up} in the training data): "
            "none is turned"
        )
    if UNCLEAR not in (have.sides, want.sides) and have.sides != want.sides:
        notes.append(
            "left and right look exchanged, compared with the training data, or its joints stand in another "
            "order than its layout says"
        )
    return Conversion(divisor, turn, tuple(notes), misfit)


def _ratio(have: Space, want: Space) -> float:
    """How many times as long the bones are, the median one; 1 where none can be compared."""
    if len(have.bones) != len(want.bones):
        return 1.0
    own, usual = np.array(have.bones), np.array(want.bones)
    both = (own > 0) & (usual > 0)
    return float(np.median(own[both] / usual[both])) if both.any() else 1.0


def _told(divisor: float, ratio: float, have: Space, want: Space) -> str:
    if divisor == UNITS.get(have.unit, 0) / UNITS.get(want.unit, 1):
        return f"converted from {have.unit} to {want.unit}, as the model was trained"
    action = f"divided by {divisor:g}" if divisor > 1 else f"multiplied by {1 / divisor:g}"
    return f"{action}: bones were {ratio:.4g} times as long as those of the training data"
