"""One frame of MediaPipe landmarks in JSON, in any of the forms that ``mediapipe`` tells of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hitrs.data.formats.csv_header import FRAMES, TIMES, normal
from hitrs.data.formats.json_text import number_list, short, whole_number
from hitrs.errors import DataError

WORLD = ("pose_world_landmarks", "world_landmarks", "hand_world_landmarks")
IMAGE = ("pose_landmarks", "landmarks", "hand_landmarks")
_SIZES = (("width", "height"), ("image_width", "image_height"), ("frame_width", "frame_height"))
_RATES = ("fps", "frame_rate")
_LARGE = 1e6
"""No image is as wide, and no rate as high."""
_LATEST = 1e15
"""Later time stamps are not believed (milliseconds since 1970 are 2e12)."""


@dataclass
class FrameFacts:
    """What objects around the landmarks tell of the whole video."""

    size: tuple[float, float] | None = None
    """Width and height of the image in pixels."""
    fps: float | None = None
    world: bool = False
    """Whether it has a key of world landmarks, also where nobody was seen."""


@dataclass
class Pose:
    """Landmarks of one pose: (J, 3) with NaN, and (J,) visibility, 1 where the file has none."""

    points: np.ndarray
    visible: np.ndarray


@dataclass
class Frame:
    number: int | None = None
    time: float | None = None
    world: list[Pose] = field(default_factory=list)
    image: list[Pose] = field(default_factory=list)


def learn(values: dict[str, Any], facts: FrameFacts) -> None:
    """Add size of the image and frame rate to the facts, where an object tells them."""
    keys = {normal(key): value for key, value in values.items()}
    for size in _SIZES:
        width, height = (_number(keys.get(key)) for key in size)
        if 0 < width < _LARGE and 0 < height < _LARGE:
            facts.size = facts.size or (width, height)
    for key in _RATES:
        if 0 < _number(keys.get(key)) < _LARGE:  # OpenCV says 0 where it does not know
            facts.fps = facts.fps or _number(keys[key])


def _number(value: Any) -> float:
    """NaN where a JSON value is no number."""
    return float(value) if type(value) in (int, float) else np.nan


def has_landmarks(value: Any) -> bool:
    """Whether a JSON value is an object with pose landmarks."""
    return isinstance(value, dict) and not {normal(key) for key in value}.isdisjoint((*WORLD, *IMAGE))


def read_frame(value: Any, where: str, facts: FrameFacts) -> Frame:
    """The poses of one frame.

    Args:
        value: an object with landmarks, a pose, a list of poses, or null.
        where: file and frame, which start the message of an error.
        facts: is filled with what the frame tells of the video.

    Raises:
        DataError: if it is something else.
    """
    if value is None or isinstance(value, list):
        return Frame(image=_poses(value, where))
    if not isinstance(value, dict):
        raise DataError(f"{where} is {short(value)}, expected a frame: an object with landmarks.")
    keys = {normal(key): content for key, content in value.items()}
    learn(value, facts)
    number = next((keys[key] for key in FRAMES if key in keys), None)
    time = next((time for key in TIMES if abs(time := _number(keys.get(key))) < _LATEST), None)
    frame = Frame(whole_number(number), time)
    if number is not None and frame.number is None:
        raise DataError(f"{where}: the frame's number is {short(number)}, expected a whole number.")
    facts.world = facts.world or not keys.keys().isdisjoint(WORLD)
    for names, poses in ((WORLD, frame.world), (IMAGE, frame.image)):
        key = next((key for key in names if key in keys), None)
        if key is not None:
            poses += _poses(keys[key], f"{where}: {key}")
    if keys.keys().isdisjoint((*WORLD, *IMAGE)) and number is None and time is None:
        raise DataError(f"{where} is {short(value)}, without pose_world_landmarks or pose_landmarks.")
    return frame


def _poses(value: Any, where: str, inside: bool = False) -> list[Pose]:
    """Of one pose, of a list of poses, or of nothing."""
    if isinstance(value, dict) and set(value) <= {"landmark", "landmarks"}:
        value = next(iter(value.values()), None)  # a protocol buffer's list
    if not value and (value is None or isinstance(value, list | dict)):
        return []
    if not isinstance(value, list):
        raise DataError(f"{where} is {short(value)}, expected a list of landmarks.")
    first = value[0]
    if isinstance(first, dict) and len(first) == 1:
        first = next(iter(first.values()))
    if inside or not isinstance(first, list) or (first and isinstance(first[0], int | float)):
        return [_pose(value, where)]
    return [
        pose for number, each in enumerate(value) for pose in _poses(each, f"{where}, pose {number}", True)
    ]


def _pose(landmarks: list[Any], where: str) -> Pose:
    rows: list[Any] = []
    for number, each in enumerate(landmarks):
        if isinstance(each, dict) and "x" in each and "y" in each:
            score = each.get("visibility", each.get("presence", 1.0))
            rows += [each["x"], each["y"], each.get("z"), score]
        elif isinstance(each, list) and 2 <= len(each) <= 4:
            rows += [*each, None, 1.0][:4] if len(each) == 2 else [*each, 1.0][:4]
        else:
            raise DataError(f"{where}, landmark {number} is {short(each)}, expected x, y, z and visibility.")
    table = number_list(rows, where, "numbers x, y, z and visibility of each landmark").reshape(-1, 4)
    return Pose(table[:, :3], np.nan_to_num(table[:, 3]))
