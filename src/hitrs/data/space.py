"""What recordings are measured in: the unit of length, the axis that points up, the size of the bodies.

Files hardly ever say it, so it is read off the bodies: an import writes it into the store, training into the
model's card, and whoever hands recordings to a model is told where they do not fit.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitrs.data.inspection.body import UNITS, guess_sides, guess_unit, guess_up, measure_bones
from hitrs.data.inspection.motion import body_size, masked_median
from hitrs.errors import DataError
from hitrs.skeleton.layout import Layout

UNCLEAR = "unclear"
SAMPLE = 64
"""Recordings of a store that are measured, and frames of a recording: enough for medians."""
OF_CLEAR, OF_ALL = 2 / 3, 1 / 2
"""A guess counts for a store if so many of the recordings that suggest anything suggest it, and so many of
all that show a body: a few that agree by chance must not turn the others."""
SIDES = ("right", "exchanged", UNCLEAR)
AXES = ("x", "-x", "y", "-y", "z", "-z")
"""That may point up."""
# Turns by a quarter or half around one axis. Their determinant is 1: left stays left, nothing is mirrored.
TURNS = {
    "x": np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32),
    "-x": np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], np.float32),
    "-y": np.array([[-1, 0, 0], [0, -1, 0], [0, 0, 1]], np.float32),
    "z": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32),
    "-z": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32),
}
"""The axis that points up -> (3, 3) rotation that makes it y."""


@dataclass(frozen=True)
class Space:
    """What a recording, or typically those of a store, are measured in.

    >>> Store.open("motion").space.describe()
    'meters, y points up, bones of 0.213 on average'
    """

    unit: str = UNCLEAR
    """ "meters", "centimeters" or "millimeters" by the limbs of an adult, "pixels" (2-D), or "unclear"."""
    up: str = UNCLEAR
    """Axis along which heads stand above feet: "y", "-y", "z", ..., or "unclear"."""
    bones: tuple[float, ...] = ()
    """Length of each bone in the order of ``Layout.bones()``, 0 where it was never seen."""
    lying: tuple[str, ...] = ()
    """Of several recordings: other axes along which the bodies of some stand, or rather lie; all axes where
    ``up`` is unclear because the recordings do not agree."""
    seen: float = 1.0
    """Share of the joints that bodies show."""
    sides: str = UNCLEAR
    """ "right" where left joints are on the left, "exchanged", or "unclear"."""

    @property
    def bone_length(self) -> float:
        """Mean length of the bones that were seen; NaN if none was."""
        seen = [length for length in self.bones if length > 0]
        return float(np.mean(seen)) if seen else float("nan")

    @property
    def known(self) -> bool:
        """Whether any body was measured."""
        return any(self.bones)

    def describe(self) -> str:
        """In words, for people."""
        if not self.known:
            return "unknown, no body was seen"
        unit = f"unit {UNCLEAR}" if self.unit == UNCLEAR else self.unit
        up = f"{self.up} points up"
        if self.up == UNCLEAR:
            up = f"up axis {UNCLEAR}" + f" (by some recordings {' or '.join(self.lying)})" * bool(self.lying)
        sides = ", left and right exchanged" * (self.sides == "exchanged")
        return f"{unit}, {up}, bones of {self.bone_length:.3g} on average{sides}"

    def cleaning(self) -> str:
        """Options of ``hitrs clean`` that make it meters with y up; none where it is, or is 2-D."""
        if self.unit == "pixels":
            return ""
        unit = {"centimeters": "--unit cm", "millimeters": "--unit mm"}.get(self.unit)
        up = None if self.up in ("y", UNCLEAR) else f"--up={self.up}"
        return " ".join(filter(None, (unit, up)))

    def on_layout(self, own: Layout, other: Layout) -> Space:
        """The same with the bones of another layout, those that both have."""
        lengths = {
            (own.joints[a], own.joints[b]): n for (a, b), n in zip(own.bones(), self.bones, strict=False)
        }
        bones = tuple(lengths.get((other.joints[a], other.joints[b]), 0.0) for a, b in other.bones())
        return dataclasses.replace(self, bones=bones)

    def to_dict(self) -> dict[str, Any]:
        """JSON values; the mean bone length too, for people."""
        return {
            "unit": self.unit,
            "up": self.up,
            "bone_length": float(f"{self.bone_length:.5g}") if self.known else None,
            "bones": list(self.bones),
            "lying": list(self.lying),
            "seen": self.seen,
            "sides": self.sides,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Space:
        """The reverse of :meth:`to_dict`.

        Raises:
            DataError: for values that are none of a space.
        """
        try:
            unit, up = values["unit"], values["up"]
            bones = tuple(float(length) for length in values["bones"])
            lying, seen = tuple(values.get("lying", ())), float(values.get("seen", 1.0))
            sides = values.get("sides", UNCLEAR)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise DataError(f"what recordings are measured in needs unit, up and bones: {error!r}") from error
        axes = (*AXES, UNCLEAR)
        if unit not in (*UNITS, "pixels", UNCLEAR) or any(axis not in axes for axis in (up, *lying)):
            raise DataError(f"there is no unit '{unit}', or no up axis among {[up, *lying]}.")
        if not np.isfinite(bones).all() or min(bones, default=0.0) < 0:
            raise DataError(f"lengths of bones must be finite and not negative: {bones}.")
        if not 0 <= seen <= 1:
            raise DataError(f"a share of joints that are seen must lie in [0, 1], got {seen}.")
        if sides not in SIDES:
            raise DataError(f"sides are {' or '.join(SIDES)}, not '{sides}'.")
        return cls(unit, up, bones, lying, seen, sides)


def measure_space(positions: np.ndarray, valid: np.ndarray, layout: Layout) -> Space:
    """What one recording is measured in, by some of its frames.

    Args:
        positions: (T, P, J, C); valid: (T, P, J) bool.

    >>> measure_space(recording.positions, recording.valid, recording.layout).unit
    'centimeters'
    """
    step = max(1, len(positions) // SAMPLE)
    positions, valid = positions[::step], valid[::step]
    lengths = np.nan_to_num(measure_bones(positions, valid, layout).lengths)
    return Space(
        guess_unit(positions, valid, layout, body_size(positions, valid)),
        guess_up(positions, valid, layout),
        _rounded(lengths),
        seen=round(float(valid[valid.any(-1)].mean()), 3) if valid.any() else 1.0,
        sides=guess_sides(positions, valid, layout),
    )


def typical_space(spaces: Iterable[Space]) -> Space:
    """What several recordings of one layout are measured in: most of them, else "unclear"; bones by their
    median."""
    present = [space for space in spaces if space.known]
    if not present:
        return Space()
    lengths = np.array([space.bones for space in present])
    ups = [space.up for space in present]
    up = _agreed(ups)
    return Space(
        _agreed([space.unit for space in present]),
        up,
        _rounded(np.nan_to_num(masked_median(lengths, lengths > 0))),
        tuple(axis for axis, _ in Counter(ups).most_common() if axis not in (up, UNCLEAR)),
        round(float(np.median([space.seen for space in present])), 3),
        _agreed([space.sides for space in present]),
    )


def _agreed(guesses: Sequence[str]) -> str:
    """The guess that a clear majority of the recordings shares."""
    counts = Counter(guess for guess in guesses if guess != UNCLEAR)
    guess, count = max(counts.items(), key=lambda item: item[1], default=(UNCLEAR, 0))
    enough = count >= OF_CLEAR * counts.total() and count >= OF_ALL * len(guesses)
    return guess if enough else UNCLEAR


def sample(count: int) -> Sequence[int]:
    """Numbers of the recordings, of so many, that are measured: at most ``SAMPLE``, evenly spread."""
    return sorted({int(number) for number in np.linspace(0, count - 1, min(count, SAMPLE))})


def _rounded(lengths: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{length:.5g}") for length in lengths)
