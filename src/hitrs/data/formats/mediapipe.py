"""MediaPipe pose landmarks in JSON, as its result objects hold them and scripts around it write them.

One file a video, a list of frames (also inside an object, as ``{"fps": 30, "frames": [...]}``), or JSON
lines with a frame a line::

    {"frame": 0, "pose_landmarks": [...], "pose_world_landmarks": [...]}

or one file a frame, named ``<video>_<frame>.json``. Landmarks are a list of 33 objects ``{"x", "y", "z",
"visibility"}`` or lists ``[x, y, z, visibility]``, or a list of such poses. null, an empty list, or a frame
number alone means that nobody was detected.

World landmarks (meters, 3-D, each body's hips at the origin) are preferred. Where there are image landmarks
only, x and y are read, as layout "mediapipe33_2d": in pixels if the file tells the size of the image, else in
parts of its width and height; the 3-D layout, asked for by name, adds z. A landmark of visibility below 0.5
was not seen. The 21 landmarks of hands are read from their results in the same way, each hand as a person.

Axes stay as MediaPipe has them, as in a CSV of the same landmarks: **y points down**, z away from the camera.
``hitrs clean --up=-y`` turns world landmarks so that y points up.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.csv_header import normal
from hitrs.data.formats.format import HEAD_BYTES, Format, Head, one
from hitrs.data.formats.frames import frame_files, regular_rate
from hitrs.data.formats.json_text import read_json, read_json_lines, short
from hitrs.data.formats.mediapipe_frame import Frame, FrameFacts, Pose, has_landmarks, learn, read_frame
from hitrs.data.formats.people import DetectedPerson, arrange, frame_span
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout

FRAMES = re.compile(r"(?P<name>.*?)[_.\-]?(?P<frame>\d{1,18})(?:[_.\-][a-z_]{1,40})?\.json", re.IGNORECASE)
_LAYOUTS = {33: "mediapipe33", 21: "hand21"}
VISIBLE = 0.5
"""A landmark of less visibility was not seen."""
_NORMALIZED = 4.0
"""Image coordinates of a median above this are pixels already; a landmark may lie somewhat outside."""
_KEY = re.compile(r'"(?:pose_?|hand_?)?(?:world_?)?landmarks"\s*:', re.IGNORECASE)
_NAMED = r'("(?:id|index|idx|name)"\s*:\s*("[^"]*"|\d+)\s*,\s*)?'
_POINT = re.compile(rf'\s*\[[\s\[]*\{{\s*{_NAMED}"x"\s*:')
_ONE_POSE = re.compile(rf'\s*\[\s*\{{\s*{_NAMED}"x"\s*:')


def read_mediapipe(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one video, given its file or the file of one of its frames; (T, P, 33, 3) or (T, P, 33, 2).

    Args:
        layout: of another number of landmarks; a 2-D one takes the image landmarks, a 3-D one the world
            landmarks where there are any.

    Raises:
        DataError: for a file that is missing, damaged, has no landmarks, or another number of them
            (naming the frame).
    """
    path = Path(path)
    notes: list[str] = []
    facts = FrameFacts()
    if path.suffix.lower() == ".json" and _is_frame(Head.of(path)):
        name, files = frame_files(path, FRAMES)
        frames = []
        for number, file in sorted(files.items()):
            frames.append(read_frame(read_json(file), str(file), facts))
            frames[-1].number = number
        first, count = frame_span(path, files, "Put the files of other videos into another folder.")
        if count > len(files):
            notes.append(f"{count - len(files)} frames have no file: nobody is seen in them")
    else:
        name, frames = path.stem, [read_frame(value, where, facts) for value, where in _values(path, facts)]
        first, count = _numbered(path, frames)
    layout = _layout(path, frames, facts, layout)
    solid = layout.dims == 3 and any(frame.world for frame in frames)
    flat = sum(bool(frame.image) and not frame.world for frame in frames)
    if solid and flat:
        notes.append(
            f"{flat} frames have image landmarks only, which are in no meters: nobody is seen in them"
        )
    _visible([pose for frame in frames for pose in (frame.world if solid else frame.image)], notes)
    detections = list(_detections(path, frames, layout, solid))
    if not solid:
        _to_pixels(detections, facts.size, notes)
    positions, valid = arrange(path, detections, first, count, layout, notes)
    if solid:
        notes.append("y points down, as MediaPipe has it, and each body's hips are at the origin")
    times = {
        frame.number: frame.time for frame in frames if frame.number is not None and frame.time is not None
    }
    fps = facts.fps
    if fps is None and len(times) == len(frames):
        fps, said = regular_rate(list(times), list(times.values()))
        notes += said
    with located(path):
        return Recording(positions, valid, layout, name=name, fps=fps, source=path.name, notes=tuple(notes))


def _values(path: Path, facts: FrameFacts) -> Iterator[tuple[Any, str]]:
    """What stands for each frame of a video's file, and where it stands."""
    if path.suffix.lower() != ".json" or _is_lines(Head.of(path)):
        for line, value in read_json_lines(path):
            yield value, f"{path}, line {line}"
        return
    content = read_json(path)
    if isinstance(content, dict):
        lists = [
            key
            for key, value in content.items()
            if isinstance(value, list) and any(map(has_landmarks, value))
        ]
        if len(lists) != 1:
            raise DataError(f"{path} is {short(content)}, expected one list of frames with landmarks in it.")
        learn(content, facts)
        content = content[lists[0]]
    if not isinstance(content, list):
        raise DataError(f"{path} is {short(content)}, expected a list of frames.")
    for place, value in enumerate(content):
        yield value, f"{path}, entry {place}"


def _numbered(path: Path, frames: list[Frame]) -> tuple[int, int]:
    """First frame and number of frames; frames without numbers get them in order."""
    if not frames:
        raise DataError(f"{path} is an empty sequence: it has no frames.")
    numbers = [frame.number for frame in frames if frame.number is not None]
    if numbers and len(numbers) < len(frames):
        raise DataError(f"{path}: only {len(numbers)} of {len(frames)} frames have a number.")
    if len(set(numbers)) < len(numbers):
        twice = Counter(numbers).most_common(1)[0][0]
        raise DataError(f"{path}: frame {twice} occurs twice; several poses of a frame stand in one list.")
    for place, frame in enumerate(frames):
        frame.number = frame.number if numbers else place
    return frame_span(path, numbers or range(len(frames)), "'frame' must count frames.")


def _layout(path: Path, frames: Sequence[Frame], facts: FrameFacts, given: Layout | None) -> Layout:
    if given is None:
        count = next((len(pose.points) for frame in frames for pose in frame.world), 33)
        return get_layout(_LAYOUTS.get(count, "mediapipe33") if facts.world else "mediapipe33_2d")
    if given.dims == 2 and not any(frame.image for frame in frames) and any(frame.world for frame in frames):
        raise DataError(f"{path} holds 3-D world landmarks only, but layout '{given.name}' is 2-D.")
    return given


def _visible(poses: Sequence[Pose], notes: list[str]) -> None:
    """Say how many landmarks are hidden; all are seen where no visibility was written."""
    if poses and not any((pose.visible > 0).any() for pose in poses):
        notes.append("no landmark has a visibility above 0, so it was not written: all count as seen")
        for pose in poses:
            pose.visible[:] = 1
    hidden = sum(int((pose.visible < VISIBLE).sum()) for pose in poses)
    if hidden:
        notes.append(f"{hidden} joints count as not seen, as the file says that they were hardly visible")


def _detections(path: Path, frames: Sequence[Frame], layout: Layout, solid: bool) -> Iterator[DetectedPerson]:
    """World landmarks do not say where a body is: it is followed by its image landmarks where each has them,
    else by its place in the list."""
    followed = all(
        [len(pose.points) for pose in frame.image] == [len(pose.points) for pose in frame.world]
        for frame in frames
    )
    for frame in frames:
        for number, pose in enumerate(frame.world if solid else frame.image):
            if len(pose.points) != layout.n_joints:
                raise DataError(
                    f"{path}, frame {frame.number}, pose {number} has {len(pose.points)} landmarks, but "
                    f"layout '{layout.name}' has {layout.n_joints}."
                )
            points = pose.points[:, : layout.dims]
            seen = np.isfinite(points).all(-1) & (pose.visible >= VISIBLE)
            assert frame.number is not None
            if not solid:
                yield DetectedPerson(frame.number, points, seen)
            elif followed:
                place = np.nan_to_num(frame.image[number].points[:, :2])
                yield DetectedPerson(frame.number, points, seen, place=place)
            else:
                yield DetectedPerson(frame.number, points, seen, person=number)


def _to_pixels(
    detections: Sequence[DetectedPerson], size: tuple[float, float] | None, notes: list[str]
) -> None:
    """Scale normalized image coordinates in place: x and z by the width, y by the height."""
    values = [np.abs(each.points[each.seen, :2]).ravel() for each in detections if each.seen.any()]
    if not values or np.median(np.concatenate(values)) > _NORMALIZED:
        return
    if size is None:
        notes.append("in parts of the image's width and height: the file does not tell its size in pixels")
        return
    for each in detections:
        each.points[:] *= np.array([size[0], size[1], size[0]])[: each.points.shape[1]]


def _is_lines(head: Head) -> bool:
    """Whether each line is a JSON value."""
    first, _, second = head.text.strip().partition("\n")
    return bool(second) and second.lstrip()[:1] in "{[n" and _parsed(first) is not _BROKEN


def _is_frame(head: Head) -> bool:
    """Whether a JSON file holds one frame, not a video."""
    if head.text.lstrip()[:1] != "{":
        return _ONE_POSE.match(head.text) is not None
    content = _parsed(head.text) if len(head.data) < HEAD_BYTES else _BROKEN
    if content is not _BROKEN:
        return has_landmarks(content)
    # the start of a long file: a frame names its landmarks once
    keys = Counter(normal(match[0]) for match in _KEY.finditer(head.text))
    return '"frames"' not in head.text and bool(keys) and max(keys.values()) == 1


_BROKEN = object()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _BROKEN


def _matches(head: Head) -> bool:
    return _KEY.search(head.text) is not None or _POINT.match(head.text) is not None


FORMAT = Format(
    name="mediapipe",
    title="MediaPipe pose landmarks, one JSON file a video or a frame, or JSON lines",
    suffixes=(".json", ".jsonl", ".ndjson"),
    matches=_matches,
    read=one(read_mediapipe),
    frames=FRAMES,
    is_frame=_is_frame,
    memory=36,
)
