"""From detections in single frames to persons: by the ids of the file, or by where they are from frame to
frame."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.json_text import number_list
from hitrs.data.formats.memory import reserve, reserve_joints, room_for_joints
from hitrs.errors import DataError
from hitrs.skeleton import Layout, get_layout

MAX_PERSONS = 5
"""So many persons of a recording are kept: those with the most seen joints."""
MAX_DETECTIONS = 16
"""So many detections of a frame are looked at: those with the most seen joints."""
MAX_GAP = 15
"""A person who is not detected for more frames than this is taken for a new one."""
_ACTIVE = 64
"""So many persons are waited for at a time, so that a file of ghosts cannot cost unbounded time."""
DETECTION = 1 << 10
"""Bytes of one person in one frame while persons are followed."""
_SPARSE = 10
"""A file that spans more than this many times the frames it has does not count frames."""
_TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


@dataclass(frozen=True)
class DetectedPerson:
    """One person in one frame."""

    frame: int
    points: np.ndarray
    """(J, C) float64."""
    seen: np.ndarray
    """(J,) bool."""
    person: Hashable = None
    """The person's id through the frames, None if the file has none."""
    place: np.ndarray | None = None
    """(J, D) float64 by which the person is followed, where points do not say where the body is."""


def keypoints(value: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Points (J, 2) and seen (J,) of a flat list x, y, confidence, x, y, confidence, ....

    A joint of confidence (or COCO visibility) 0 was not seen.

    Raises:
        DataError: starting with ``where``, if it is no list of numbers in threes.
    """
    triples = number_list(value, where, "numbers x, y, confidence of each joint")
    if len(triples) % 3:
        raise DataError(f"{where} has {len(triples)} numbers, expected three (x, y, confidence) a joint.")
    triples = triples.reshape(-1, 3)
    points = triples[:, :2]
    return points, (triples[:, 2] > 0) & np.isfinite(points).all(-1)


def layout_of_count(where: str, count: int, known: dict[int, str], given: Layout | None) -> Layout:
    """The 2-D layout of keypoints: the given one, or the one that the tool's number of joints tells.

    Raises:
        DataError: if the number fits neither.
    """
    if given is not None:
        if given.dims != 2 or given.n_joints != count:
            raise DataError(
                f"{where} has {count} joints in 2-D, but layout '{given.name}' has {given.n_joints} in "
                f"{given.dims}-D."
            )
        return given
    if count not in known:
        names = ", ".join(f"{number} ({name})" for number, name in known.items())
        raise DataError(
            f"{where} has {count} joints, expected {names}; for others give a 2-D layout of your own."
        )
    return get_layout(known[count])


def frame_span(path: Path, frames: Collection[int], hint: str, least: int = 1000) -> tuple[int, int]:
    """First frame, and number of frames from there to the last one.

    Raises:
        DataError: with the hint, if they span more than ``least`` frames and lie too far apart for numbers
            that count frames.
    """
    first, last = min(frames), max(frames)
    count, there = last - first + 1, len(set(frames))
    if count > max(least, _SPARSE * there):
        raise DataError(
            f"{path}: frame numbers run from {first} to {last}, but only {there} frames are there. {hint}"
        )
    return first, count


def arrange(
    path: Path, detections: Sequence[DetectedPerson], first: int, count: int, layout: Layout, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, P, J, C) and valid (T, P, J) of frames first to first + count - 1.

    Persons are those of the ids if every detection has one; else a detection belongs to the person whose
    torso was nearest in the last ``MAX_GAP`` frames, if no farther away than a body is long. Persons that are
    never there at the same time share a place of the P, as one who is lost and found again has two ids.

    Args:
        notes: what was left out and joined is added here.

    Raises:
        DataError: if that would be a recording of too many frames.
    """
    reserve_joints(path, count * layout.n_joints)
    kept = _kept(detections, notes)
    tracked = bool(kept) and all(each.person is not None for each in kept)
    people = _by_id(kept, notes) if tracked else _linked(kept, layout)
    places = _places(people)
    if len(people) > len(places):
        how = "ids" if tracked else "tracks of detections, linked by position,"
        notes.append(
            f"{len(people)} {how} are {len(places)} persons: those never there at once share a place"
        )
    places.sort(key=lambda place: -sum(int(each.seen.sum()) for each in place))
    if len(places) > MAX_PERSONS:
        lost = sum(map(len, places[MAX_PERSONS:]))
        notes.append(
            f"{len(places) - MAX_PERSONS} persons with the fewest seen joints left out ({lost} detections); "
            f"at most {MAX_PERSONS} are kept"
        )
        places = places[:MAX_PERSONS]
    while len(places) > 1 and count * len(places) * layout.n_joints > room_for_joints():
        notes.append(f"a person left out to save memory ({len(places.pop())} detections)")
    if not places:
        notes.append("nobody is seen in any frame")
    shape = (count, max(1, len(places)), layout.n_joints)
    positions, valid = np.zeros((*shape, layout.dims), np.float32), np.zeros(shape, bool)
    for slot, place in enumerate(places):
        for each in place:
            positions[each.frame - first, slot] = np.where(each.seen[:, None], each.points, 0)
            valid[each.frame - first, slot] = each.seen
    return positions, valid


def reserve_detections(path: Path, count: int) -> None:
    """Refuse more persons in frames than may be followed; DataError as ``reserve`` raises it."""
    reserve(path, count * DETECTION, f"following {count:,} persons in frames")


def seat(
    path: Path,
    frames: np.ndarray,
    persons: Sequence[Hashable],
    points: np.ndarray,
    seen: np.ndarray,
    first: int,
    count: int,
    layout: Layout,
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, P, J, C) and valid (T, P, J) of rows that name their person.

    Each person has a slot, in the order of the file; more than ``MAX_PERSONS`` are treated as ``arrange``
    does.

    Args:
        frames: (n,) int, first to first + count - 1.
        persons: n ids.
        points: (n, J, C); seen: (n, J).
        notes: what was left out and joined is added here.

    Raises:
        DataError: if that would be a recording of too many frames.
    """
    slots = {person: slot for slot, person in enumerate(dict.fromkeys(persons))}
    if len(slots) > MAX_PERSONS:
        reserve_detections(path, len(frames))
        rows = zip(frames.tolist(), points, seen, persons, strict=True)
        return arrange(path, [DetectedPerson(*row) for row in rows], first, count, layout, notes)
    reserve_joints(path, count * len(slots) * layout.n_joints)
    shape = (count, len(slots), layout.n_joints)
    positions, valid = np.zeros((*shape, layout.dims), np.float32), np.zeros(shape, bool)
    places = np.stack([frames - first, [slots[person] for person in persons]], 1)  # (n, 2)
    _, fresh = np.unique(places, axis=0, return_index=True)  # the first row of each
    if len(fresh) < len(places):
        notes.append(
            f"{len(places) - len(fresh)} rows left out that repeat the number of a frame; several persons "
            "need a column 'person'"
        )
    frame, slot = places[fresh].T
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is told by Recording
        positions[frame, slot] = np.where(seen[fresh, :, None], points[fresh], 0)
    valid[frame, slot] = seen[fresh]
    return positions, valid


def join_joints(
    frames: np.ndarray,
    persons: np.ndarray,
    order: np.ndarray,
    points: np.ndarray,
    seen: np.ndarray,
    layout: Layout,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of one joint each, put together to rows of a person in a frame.

    Args:
        frames, persons, order: (rows,) frame, person and joint of each row.
        points: (rows, C); seen: (rows,).

    Returns:
        points (n, J, C), seen (n, J), frames (n,), persons (n,).

    Raises:
        DataError: if a joint of a person stands twice in a frame.
    """
    keys, place = np.unique(np.stack([frames, persons], 1), axis=0, return_inverse=True)
    cells = place.reshape(-1) * layout.n_joints + order
    counts = np.bincount(cells, minlength=1)
    if counts.max() > 1:
        frame, joint = divmod(int(counts.argmax()), layout.n_joints)
        raise DataError(
            f"frame {keys[frame, 0]:g} has the joint '{layout.joints[joint]}' twice; several persons need a "
            "column 'person'."
        )
    all_points = np.full((len(keys) * layout.n_joints, points.shape[-1]), np.nan)
    all_seen = np.zeros(len(all_points), bool)
    all_points[cells], all_seen[cells] = points, seen
    shape = len(keys), layout.n_joints
    return all_points.reshape(*shape, -1), all_seen.reshape(shape), keys[:, 0].astype(np.int64), keys[:, 1]


def _kept(detections: Sequence[DetectedPerson], notes: list[str]) -> list[DetectedPerson]:
    frames: dict[int, list[DetectedPerson]] = defaultdict(list)
    for each in detections:
        if each.seen.any():
            frames[each.frame].append(each)
    seen = sum(map(len, frames.values()))
    if seen < len(detections):
        notes.append(f"{len(detections) - seen} detections without any seen joint left out")
    crowded = [crowd for crowd in frames.values() if len(crowd) > MAX_DETECTIONS]
    for crowd in crowded:
        crowd.sort(key=lambda each: -int(each.seen.sum()))
        del crowd[MAX_DETECTIONS:]
    if crowded:
        notes.append(f"only the {MAX_DETECTIONS} fullest detections kept in {len(crowded)} crowded frames")
    return [each for frame in sorted(frames) for each in frames[frame]]


def _by_id(detections: list[DetectedPerson], notes: list[str]) -> list[list[DetectedPerson]]:
    people: dict[Hashable, dict[int, DetectedPerson]] = defaultdict(dict)
    twice = 0
    for each in detections:
        before = people[each.person].get(each.frame)
        twice += before is not None
        if before is None or each.seen.sum() > before.seen.sum():
            people[each.person][each.frame] = each
    if twice:
        notes.append(f"{twice} detections left out whose frame has a fuller one of the same id")
    return [list(frames.values()) for frames in people.values()]


def _linked(detections: list[DetectedPerson], layout: Layout) -> list[list[DetectedPerson]]:
    torso = [layout.joints.index(name) for name in _TORSO if name in layout.joints]
    people: list[list[DetectedPerson]] = []
    active: list[tuple[int, np.ndarray, float]] = []  # person, its last center and size
    frames: dict[int, list[DetectedPerson]] = defaultdict(list)
    for each in detections:
        frames[each.frame].append(each)
    for frame, there in frames.items():
        active = [one for one in active if frame - people[one[0]][-1].frame <= MAX_GAP][-_ACTIVE:]
        places = [_place(each, torso) for each in there]
        taken: dict[int, int] = {}  # detection -> person
        if active:
            far = np.linalg.norm(
                np.stack([center for _, center, _ in active])[:, None]
                - np.stack([center for center, _ in places]),
                axis=-1,
            )  # (active, there)
            reach = np.maximum.outer([size for _, _, size in active], [size for _, size in places])
            near = np.argwhere(far <= reach)
            for person, detection in near[np.argsort(far[tuple(near.T)], kind="stable")]:
                number = active[person][0]
                if detection not in taken and number not in taken.values():
                    taken[int(detection)] = number
        for detection, each in enumerate(there):
            if detection not in taken:
                taken[detection] = len(people)
                people.append([])
            people[taken[detection]].append(each)
        fresh = set(taken.values())
        active = [one for one in active if one[0] not in fresh]
        active += [(taken[detection], *place) for detection, place in enumerate(places)]
    return people


def _place(detection: DetectedPerson, torso: list[int]) -> tuple[np.ndarray, float]:
    """Center of the torso (of all joints where it is not seen), and the length of what is seen."""
    points = detection.points if detection.place is None else detection.place
    middle = [joint for joint in torso if detection.seen[joint]]
    center = points[middle or detection.seen].mean(0)
    return center, float(np.ptp(points[detection.seen], axis=0).max())


def _places(people: list[list[DetectedPerson]]) -> list[list[DetectedPerson]]:
    """The people one after another in each place where they do not overlap in time, the nearest free one."""
    places: list[list[DetectedPerson]] = []
    for person in sorted(people, key=lambda one: one[0].frame):
        free = [place for place in places if place[-1].frame < person[0].frame]
        if free:
            start = _middle(person[0])
            min(free, key=lambda place: float(np.linalg.norm(_middle(place[-1]) - start))).extend(person)
        else:
            places.append(list(person))
    return places


def _middle(detection: DetectedPerson) -> np.ndarray:
    points = detection.points if detection.place is None else detection.place
    return points[detection.seen].mean(0)
