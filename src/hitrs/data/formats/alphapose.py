"""AlphaPose keypoints: one JSON file a video, a list of detections as the results format of COCO has it.

``[{"image_id": "12.jpg", "category_id": 1, "keypoints": [x, y, score, ...], "score": ..., "idx": ...}, ...]``
with 17 joints (COCO) or 26 (Halpe) in pixels; of whole bodies with 136 and 133 joints the body is read.
Frames are counted by the numbers in the names of the images, persons by ``idx`` where tracking was on. Also
read: the forms of ``--format cmu`` and ``open``, an object of images with 18 joints for each of their people.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.format import Format, Head, one
from hitrs.data.formats.json_text import read_json, short, whole_number
from hitrs.data.formats.people import DetectedPerson, arrange, frame_span, keypoints, layout_of_count
from hitrs.data.recording import Recording, natural_order
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout

LAYOUTS = {17: "coco17", 26: "halpe26"}
_WHOLE_BODIES = {136: 26, 133: 17}
"""Joints of the body, which come first, in the whole-body layouts (Halpe, COCO-WholeBody)."""
_PEOPLE = {"bodies": "joints", "people": "pose_keypoints_2d"}
_LONGEST_NAME = 500
_LAST_NUMBER = re.compile(r"(\d{1,18})(\D*)\Z")
RESULTS = re.compile(r'\s*\[\s*\{[^{}]*"(image_id|keypoints)"\s*:')
"""Start of a list of detections."""
_OWN = re.compile(r'"idx"\s*:|"box"\s*:|"image_id"\s*:\s*"')
_IMAGES = re.compile(r'\s*\{\s*"[^"]*"\s*:\s*\{[^{}]*"(version|bodies|people)"\s*:')


def read_alphapose(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one file; (T, P, J, 2) in pixels.

    Args:
        layout: 2-D, of another number of joints than AlphaPose's own.

    Raises:
        DataError: for a file that is missing, damaged, or has other joints (naming the detection).
    """
    path = Path(path)
    content = read_json(path)
    if isinstance(content, dict):
        return results_recording(path, list(_of_images(path, content)), {18: "openpose18"}, layout)
    return results_recording(path, content, LAYOUTS, layout)


def results_recording(
    path: Path,
    results: Any,
    known: dict[int, str],
    layout: Layout | None,
    order: dict[Any, int] | None = None,
) -> Recording:
    """The recording of a list of detections with image_id, keypoints, and idx or track_id if there are ids.

    Args:
        known: the layout that each number of joints means.
        order: frame of each image_id from 0; by default the numbers in them.
    """
    if not isinstance(results, list):
        raise DataError(f"{path} is {short(results)}, expected a list of detections.")
    notes: list[str] = []
    people: list[tuple[Any, np.ndarray, np.ndarray, Hashable]] = []
    count = 0
    for number, each in enumerate(results):
        where = f"{path}, detection {number}"
        if not isinstance(each, dict) or "image_id" not in each or "keypoints" not in each:
            raise DataError(f"{where} is {short(each)}, expected an object with image_id and keypoints.")
        points, seen = keypoints(each["keypoints"], f"{where}: keypoints")
        count = count or len(points)
        if len(points) != count:
            raise DataError(f"{where} has {len(points)} joints, but those before have {count}.")
        people.append((_image(each["image_id"], where), points, seen, _person(each)))
    if not people:
        raise DataError(f"{path} is empty: it has no detections.")
    joints = count
    if layout is None and count in _WHOLE_BODIES:
        joints = _WHOLE_BODIES[count]
        notes.append(f"the first {joints} of {count} joints are the body; hands and face are left out")
    layout = layout_of_count(str(path), joints, known, layout)
    frames = _frames(path, {image for image, *_ in people}, notes) if order is None else order
    unknown = next((image for image, *_ in people if image not in frames), None)
    if unknown is not None:
        raise DataError(f"{path}: a detection is of image {unknown!r}, which is not among the images.")
    if order is None:
        first, span = frame_span(path, frames.values(), "These may be single images instead of a video.")
    else:
        first, span = 0, len(order)
    detections = [
        DetectedPerson(frames[image], points[:joints], seen[:joints], person)
        for image, points, seen, person in people
    ]
    positions, valid = arrange(path, detections, first, span, layout, notes)
    with located(path):
        return Recording(positions, valid, layout, name=path.stem, source=path.name, notes=tuple(notes))


def _image(value: Any, where: str) -> int | str:
    """The image as it can be looked up: a number, or a name."""
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME:
        return value
    number = None if isinstance(value, str) else whole_number(value)
    if number is None:
        raise DataError(f"{where}: image_id is {short(value)}, expected a whole number or a name.")
    return number


def _person(result: dict[str, Any]) -> Hashable:
    value = result.get("track_id", result.get("idx"))
    if isinstance(value, list) and len(value) == 1:  # as some trackers write it
        value = value[0]
    return value if isinstance(value, int | float | str) and value == value else None


def _frames(path: Path, images: set[Any], notes: list[str]) -> dict[Any, int]:
    """Frame of each image: its number, the last one in its name, or its place in the order of the names."""
    if all(isinstance(image, int) for image in images):
        return {image: image for image in images}
    if not all(isinstance(image, str) for image in images):
        raise DataError(f"{path}: image_id is a number in some detections and a name in others.")
    numbers = {image: _LAST_NUMBER.search(image) for image in images}
    around = {match and (image[: match.start()], match[2]) for image, match in numbers.items()}
    if len(around) == 1 and None not in around:
        frames = {image: int(match[1]) for image, match in numbers.items() if match}
        if len(set(frames.values())) == len(images):
            return frames
    notes.append("frames are in the order of the names of their images, which differ in more than a number")
    return {image: frame for frame, image in enumerate(sorted(images, key=natural_order))}


def _of_images(path: Path, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Detections of the form {image: {"bodies": [{"joints": ...}]}}."""
    for image, each in content.items():
        where = f"{path}, image '{image[:80]}'"
        key = next((key for key in _PEOPLE if isinstance(each, dict) and key in each), None)
        if key is None or not isinstance(each[key], list):
            raise DataError(f"{where} is {short(each)}, expected an object with a list 'bodies' or 'people'.")
        for number, person in enumerate(each[key]):
            if not isinstance(person, dict) or _PEOPLE[key] not in person:
                raise DataError(f"{where}, person {number} is {short(person)}, without '{_PEOPLE[key]}'.")
            yield {"image_id": image, "keypoints": person[_PEOPLE[key]], "idx": person.get("idx")}


def _matches(head: Head) -> bool:
    text = head.text
    if RESULTS.match(text):
        return _OWN.search(text) is not None
    return _IMAGES.match(text) is not None and ('"bodies"' in text or '"people"' in text)


FORMAT = Format(
    name="alphapose",
    title="AlphaPose keypoints, one JSON file a video",
    suffixes=(".json",),
    matches=_matches,
    read=one(read_alphapose),
    memory=36,
)
