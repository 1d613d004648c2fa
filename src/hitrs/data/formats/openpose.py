"""OpenPose keypoints: a JSON file a frame, ``{"people": [{"pose_keypoints_2d": [x, y, confidence, ...]}]}``.

25 joints (BODY_25) or 18 (COCO) in pixels; a joint of confidence 0 was not seen. The files of a video are
``<video>_<frame>_keypoints.json``. OpenPose does not follow persons (``person_id`` is always -1): they are
linked by position (``people``). What the files hold of hands, faces and 3-D is not read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hitrs.data.formats.format import Format, Head, one
from hitrs.data.formats.frames import frame_files
from hitrs.data.formats.json_text import read_json, short
from hitrs.data.formats.people import DetectedPerson, arrange, frame_span, keypoints, layout_of_count
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout

FRAMES = re.compile(r"(?P<name>.*?)[_.\-]?(?P<frame>\d{1,18})_keypoints\.json", re.IGNORECASE)
_LAYOUTS = {25: "openpose25", 18: "openpose18"}
_START = re.compile(r'\s*\{\s*"(version|people|part_candidates)"\s*:')


def read_openpose(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read all frames of a video, given the file of one of them; (T, P, J, 2) in pixels.

    Frames without a file between the first and the last one are frames in which nobody was seen.

    Args:
        layout: 2-D, of another number of joints than OpenPose's own.

    Raises:
        DataError: for a file that is missing, damaged, or has other joints (naming file and person).
    """
    path = Path(path)
    name, files = frame_files(path, FRAMES)
    first, count = frame_span(path, files, "Put the files of other videos into another folder.")
    notes: list[str] = []
    own_layout: Layout | None = None
    detections: list[DetectedPerson] = []
    solid = 0
    for frame, file in sorted(files.items()):
        for number, person in enumerate(_people(file)):
            where = f"{file}, person {number}"
            value = _body(person, where)
            solid += bool(person.get("pose_keypoints_3d"))
            points, seen = keypoints(value, f"{where}: pose_keypoints_2d")
            if own_layout is None:
                own_layout = layout_of_count(where, len(points), _LAYOUTS, layout)
            elif len(points) != own_layout.n_joints:
                raise DataError(
                    f"{where} has {len(points)} joints, but those before have {own_layout.n_joints}."
                )
            detections.append(DetectedPerson(frame, points, seen))
    if own_layout is None:
        own_layout = layout or get_layout(_LAYOUTS[25])
        if own_layout.dims != 2:
            raise DataError(
                f"{path} holds 2-D keypoints, but layout '{own_layout.name}' is {own_layout.dims}-D."
            )
    if count > len(files):
        notes.append(f"{count - len(files)} frames have no file: nobody is seen in them")
    if solid:
        notes.append(f"3-D keypoints of {solid} detections are not read, only the 2-D ones")
    positions, valid = arrange(path, detections, first, count, own_layout, notes)
    with located(path):
        return Recording(positions, valid, own_layout, name=name, source=path.name, notes=tuple(notes))


def _people(file: Path) -> list[dict[str, Any]]:
    content = read_json(file)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise DataError(f"{file} is not an OpenPose file: it is {short(content)}, without a list 'people'.")
    for number, person in enumerate(people):
        if not isinstance(person, dict):
            raise DataError(f"{file}, person {number} is {short(person)}, expected an object with keypoints.")
    return people


def _body(person: dict[str, Any], where: str) -> Any:
    for key in ("pose_keypoints_2d", "pose_keypoints"):  # the latter until 2018
        if person.get(key):
            return person[key]
    if person.get("pose_keypoints_3d"):
        raise DataError(
            f"{where} has 3-D keypoints only, which are not read (their unit depends on the calibration); "
            "write the 2-D ones, or save the positions as npz with a 3-D layout."
        )
    raise DataError(f"{where} is {short(person)}, without pose_keypoints_2d.")


def _matches(head: Head) -> bool:
    return _START.match(head.text) is not None and '"people"' in head.text


FORMAT = Format(
    name="openpose",
    title="OpenPose keypoints, one JSON file a frame",
    suffixes=(".json",),
    matches=_matches,
    read=one(read_openpose),
    frames=FRAMES,
    memory=36,
)
