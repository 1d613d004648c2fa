"""Bodies that a depth sensor tracked under ids that come and go: who is a person, and who is the same person.

Kinect v2 (NTU RGB+D) sees chairs as bodies, loses a person and finds it again under another id, and sees one
person twice. ``track_bodies`` makes a few person slots of that, and says in sentences what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

SAME_PLACE = 0.15
"""Meters: two bodies whose joints are, in the middle, closer than this in common frames are one person."""
REACH = 0.5
"""Meters by which a body that is lost may have moved until it is found under another id."""
GAP = 30
"""Frames (a second) for which a lost body may be away."""
ALIKE = 1.6
"""Two parts of one person differ in height by less than this factor."""
SPREAD, SPREAD_SHARE = 0.8, 0.7
"""A body wider than 0.8 of its height in 70% of its frames is furniture, unless nobody else is there."""
STILL = 0.004
"""Meters: the joints of a living body deviate more than this, on average, from where they are at rest."""
BRIEF = 10
"""Frames: a body that is seen no longer than this beside others is a flash of the tracker."""


@dataclass
class Track:
    """One body through the frames in which it is seen."""

    name: str
    """Its id, shortened for people."""
    frames: np.ndarray
    """(n,) int, ascending."""
    joints: np.ndarray
    """(n, J, 3) meters."""
    valid: np.ndarray = field(init=False)
    """(n, J) bool."""

    def __post_init__(self) -> None:
        self.valid = np.isfinite(self.joints).all(-1) & (self.joints != 0).any(-1)
        self.joints = np.where(self.valid[..., None], self.joints, 0)

    @property
    def centers(self) -> np.ndarray:
        """(n, 3) mean of the valid joints of each frame."""
        count = np.maximum(self.valid.sum(1), 1)[:, None]
        return self.joints.sum(1) / count

    @property
    def sides(self) -> np.ndarray:
        """(n, 3) extent along each axis."""
        seen = self.valid[..., None]
        high = np.where(seen, self.joints, -np.inf).max(1)
        low = np.where(seen, self.joints, np.inf).min(1)
        return np.where(np.isfinite(high - low), high - low, 0)

    @property
    def motion(self) -> float:
        """Meters: how far joints deviate from their mean place, on average."""
        count = np.maximum(self.valid.sum(0), 1)[:, None]
        mean = self.joints.sum(0) / count
        away = np.linalg.norm(self.joints - mean, axis=-1) * self.valid
        return float(away.sum() / max(self.valid.sum(), 1))


def track_bodies(
    tracks: Sequence[Track], n_frames: int, persons: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """The persons among bodies, those that move most first.

    Args:
        tracks: bodies by id.
        persons: how many to keep at most.

    Returns:
        positions (T, P, J, 3), valid (T, P, J), and what was done, in sentences. P >= 1 unless there is no
        body with a valid joint; then the arrays are empty (P = 0).
    """
    notes: list[str] = []
    seen = [track for track in tracks if track.valid.any()]
    for track in tracks:
        if not track.valid.any():
            notes.append(f"body {track.name} was left out: all its joints are zero")
    people = _join(sorted(seen, key=lambda track: int(track.frames[0])), notes)
    people = _reject(people, notes)
    people.sort(key=lambda track: -track.motion)
    for track in people[persons:]:
        notes.append(f"body {track.name} was left out: {persons} others move more")
    people = people[:persons]
    joints = tracks[0].joints.shape[1] if tracks else 0
    positions = np.zeros((n_frames, len(people), joints, 3))
    valid = np.zeros((n_frames, len(people), joints), bool)
    for slot, track in enumerate(people):
        positions[track.frames, slot] = track.joints
        valid[track.frames, slot] = track.valid
    return positions, valid, tuple(notes)


def _join(tracks: list[Track], notes: list[str]) -> list[Track]:
    """Put together bodies that are one person: seen one after the other nearby, or twice at the same
    place."""
    people: list[Track] = []
    for track in tracks:
        for place, person in enumerate(people):
            if (why := _same(person, track)) is not None:
                notes.append(f"bodies {person.name} and {track.name} were joined: {why}")
                people[place] = _merge(person, track)
                break
        else:
            people.append(track)
    return people


def _same(one: Track, other: Track) -> str | None:
    """Why two bodies are one person, or None. ``other`` does not begin earlier."""
    common, first, second = np.intersect1d(one.frames, other.frames, return_indices=True)
    if len(common):
        both = one.valid[first] & other.valid[second]
        apart = np.linalg.norm(one.joints[first] - other.joints[second], axis=-1)[both]
        twice = len(apart) > 0 and np.median(apart) < SAME_PLACE
        return f"they are at the same place in {len(common)} frames" if twice else None
    place = int(np.searchsorted(one.frames, other.frames[0])) - 1
    gap = int(other.frames[0] - one.frames[place])
    moved = float(np.linalg.norm(one.centers[place] - other.centers[0]))
    heights = sorted(max(float(np.median(track.sides[:, 1])), 1e-6) for track in (one, other))
    if gap <= GAP and moved <= REACH and heights[1] / heights[0] <= ALIKE:
        return f"one is lost and the other found {gap} frames later, {moved:.2f} m away"
    return None


def _merge(one: Track, other: Track) -> Track:
    """Both bodies as one; in common frames the first counts."""
    frames = np.union1d(one.frames, other.frames)
    joints = np.zeros((len(frames), *one.joints.shape[1:]))
    for track in (other, one):
        joints[np.searchsorted(frames, track.frames)] = track.joints
    return Track(f"{one.name}+{other.name}", frames, joints)


def _reject(people: list[Track], notes: list[str]) -> list[Track]:
    """Leave out ghosts, but never everybody: if all look like ghosts the one that moves most stays."""
    reasons = [_ghost(person) for person in people]
    if people and all(reason is not None for reason in reasons):
        best = max(range(len(people)), key=lambda number: people[number].motion)
        if len(people) > 1:
            notes.append(f"body {people[best].name} was kept though {reasons[best]}: nobody else is there")
        reasons[best] = None
    for person, reason in zip(people, reasons, strict=True):
        if reason is not None:
            notes.append(f"body {person.name} in {len(person.frames)} frames was left out: {reason}")
    return [person for person, reason in zip(people, reasons, strict=True) if reason is None]


def _ghost(person: Track) -> str | None:
    """Why a body is none, or None."""
    if len(person.frames) <= BRIEF:
        return f"it is seen in {len(person.frames)} frames only"
    sides = person.sides
    wide = float((sides[:, 0] > SPREAD * sides[:, 1]).mean())
    if wide > SPREAD_SHARE:
        return f"it is too wide for its height in {100 * wide:.0f}% of its frames"
    if person.motion < STILL:
        return f"it does not move ({1000 * person.motion:.1f} mm)"
    return None
