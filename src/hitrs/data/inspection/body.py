"""What the shape of the bodies says: lengths of bones, the unit of length, the axis that points up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hitrs.data.inspection.motion import masked_median
from hitrs.skeleton.layout import Layout
from hitrs.skeleton.names import anatomical_names

UNITS = {"meters": 1.0, "centimeters": 100.0, "millimeters": 1000.0}
"""How many of the unit make a meter."""
WITHIN = 2.2
"""A body fits a unit if its limbs are at most so many times longer or shorter than an adult's: a child of
0.8 m still does, and neighbors among the units are ten times apart."""
UPRIGHT = 0.7
"""An axis points up if bodies stand along it on average; 1 = exactly, 0.7 = 45 degrees off."""

# Limbs of an adult of 1.7 m by the proportions of Drillis and Contini (1966).
_LIMBS = {
    ("shoulder", "elbow"): 0.186 * 1.7,
    ("elbow", "wrist"): 0.146 * 1.7,
    ("hip", "knee"): 0.245 * 1.7,
    ("knee", "ankle"): 0.246 * 1.7,
}
# Where a body has no such limbs, its longest side has to do.
_EXTENTS = ((0.5, 5.0, "meters"), (50.0, 500.0, "centimeters"), (500.0, 5000.0, "millimeters"))
_HIGH = {
    "head", "head_top", "nose", "neck", "spine_shoulder", "left_shoulder", "right_shoulder", "left_eye",
    "right_eye", "left_ear", "right_ear",
}  # fmt: skip
_FEET = {"left_ankle", "right_ankle", "left_foot", "right_foot", "left_heel", "right_heel"}
_HIPS = {"pelvis", "left_hip", "right_hip"}


@dataclass(frozen=True)
class Bones:
    """The bones of one recording, (B,) in the order of ``Layout.bones()``; NaN where one was never seen."""

    lengths: np.ndarray
    """Median over frames and persons."""
    variation: np.ndarray
    """How much the length varies, as a part of it: 1.48 times the median deviation from the median, which for
    normal noise is the standard deviation, over the median."""


def measure_bones(positions: np.ndarray, valid: np.ndarray, layout: Layout) -> Bones:
    """Lengths and variation of the bones of (T, P, J, C). Persons are taken one at a time for the variation,
    because they differ in size; the most often seen one counts."""
    pairs = np.array(layout.bones()).reshape(-1, 2)
    person = int(valid.sum((0, 2)).argmax())
    lengths, seen = _lengths(positions[:, person], valid[:, person], pairs)
    middle = masked_median(lengths, seen)
    spread = masked_median(np.abs(lengths - middle), seen)
    with np.errstate(divide="ignore", invalid="ignore"):
        variation = np.where(
            middle > 0, 1.4826 * spread / middle, np.nan
        )  # joints that coincide have no bone
    return Bones(middle, variation)


def _lengths(joints: np.ndarray, valid: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, B) distances of the two joints of each pair, and where both were seen."""
    one, other = pairs[:, 0], pairs[:, 1]
    return np.linalg.norm(joints[:, one] - joints[:, other], axis=-1), valid[:, one] & valid[:, other]


def guess_unit(positions: np.ndarray, valid: np.ndarray, layout: Layout, size: float) -> str:
    """ "meters", "centimeters", "millimeters", "unclear", or "pixels" for 2-D.

    Arms and legs are compared with those of an adult, so that bodies of which only a part is seen do not
    mislead; layouts without arms and legs, but with a head, hips or feet, go by the size of the body. Of a
    hand or an animal nothing is known.
    """
    if layout.dims == 2:
        return "pixels"
    pairs, expected = _limbs(layout)
    ratios = np.zeros(0)
    if len(pairs):
        person = int(valid.sum((0, 2)).argmax())
        lengths = masked_median(*_lengths(positions[:, person], valid[:, person], pairs))
        ratios = (lengths / expected)[lengths > 0]
    if len(ratios):
        ratio = float(np.median(ratios))
        return next((u for u, per in UNITS.items() if 1 / WITHIN < ratio / per < WITHIN), "unclear")
    if len(pairs) or not any(map(len, _landmarks(layout))):
        return "unclear"  # no limb was seen, and what is seen may be any part of a body; or it is no body
    return next((unit for low, high, unit in _EXTENTS if low <= size < high), "unclear")


def guess_up(positions: np.ndarray, valid: np.ndarray, layout: Layout) -> str:
    """Axis along which heads are above feet (or hips): "y", "-y", "z", ..., or "unclear"."""
    high, feet, hips = _landmarks(layout)
    for low in (feet, hips):
        if len(high) and len(low):
            top, top_seen = _middle(positions, valid, high)
            bottom, bottom_seen = _middle(positions, valid, low)
            seen = top_seen & bottom_seen
            if seen.any():
                direction = (top - bottom)[seen]  # (N, C)
                direction /= np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-9)
                mean = direction.mean(0)
                axis = int(np.abs(mean).argmax())
                if abs(mean[axis]) >= UPRIGHT:
                    return ("-" if mean[axis] < 0 else "") + "xyz"[axis]
                return "unclear"
    return "unclear"


def _middle(positions: np.ndarray, valid: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, P, C) mean of the seen ones among some joints, and (T, P) whether any was seen."""
    seen = valid[:, :, joints]
    count = seen.sum(-1)
    return positions[:, :, joints].sum(2) / np.maximum(count, 1)[..., None], count > 0  # unseen joints are 0


@lru_cache(maxsize=16)
def _limbs(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """(R, 2) ends of the arms' and legs' parts that the layout has, and (R,) an adult's lengths in meters."""
    names = anatomical_names(layout.joints)
    limbs = [
        (names.index(f"{side}_{upper}"), names.index(f"{side}_{lower}"), length)
        for (upper, lower), length in _LIMBS.items()
        for side in ("left", "right")
        if f"{side}_{upper}" in names and f"{side}_{lower}" in names
    ]
    return np.array([row[:2] for row in limbs], int).reshape(-1, 2), np.array([row[2] for row in limbs])


@lru_cache(maxsize=16)
def _landmarks(layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    known = [
        name or joint for name, joint in zip(anatomical_names(layout.joints), layout.joints, strict=True)
    ]
    high, feet, hips = (
        np.array([at for at, joint in enumerate(known) if joint in names], int)
        for names in (_HIGH, _FEET, _HIPS)
    )
    return high, feet, hips
