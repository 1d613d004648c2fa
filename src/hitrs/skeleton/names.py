"""Anatomical names of joints under the names that motion-capture files, game engines and trackers use.

A joint of a BVH (and of most rigs) is named after the bone that starts there: LeftArm is the shoulder,
LeftForeArm the elbow, LeftHand the wrist. Where a skeleton has no such bones the same word may mean the joint
itself: LeftShoulder is the collar beside a LeftArm, otherwise the shoulder. So a name is read among all names
of its skeleton. Markers of Plug-in Gait (LKNE) have the names of the layout ``plugin_gait39``; OpenPose and
what follows it (Halpe, Pose2Sim, OpenCap) put a letter before the joint: RShoulder, LBigToe.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

# Bones by the joint where they start, and joints by their common names; left and right are read apart.
_BONES = {
    "up_leg": "hip", "upleg": "hip", "upper_leg": "hip", "thigh": "hip",
    "low_leg": "knee", "lower_leg": "knee", "shin": "knee", "calf": "knee", "leg": "knee",
    "foot": "ankle", "toe_base": "foot", "toe": "foot", "toes": "foot", "ball": "foot",
    "arm": "shoulder", "up_arm": "shoulder", "upper_arm": "shoulder",
    "fore_arm": "elbow", "forearm": "elbow", "low_arm": "elbow", "lower_arm": "elbow",
    "hand": "wrist", "shoulder": "collar", "clavicle": "collar", "collar": "collar",
}  # fmt: skip
_JOINTS = {
    "hip": "hip", "knee": "knee", "ankle": "ankle", "foot": "foot", "shoulder": "shoulder", "elbow": "elbow",
    "wrist": "wrist", "hand": "hand", "hand_tip": "hand_tip", "thumb": "thumb", "eye": "eye", "ear": "ear",
    "heel": "heel", "big_toe": "big_toe", "small_toe": "small_toe", "collar": "collar", "toe": "toe",
    "bigtoe": "big_toe", "smalltoe": "small_toe", "little_toe": "small_toe", "toe_tip": "toe", "calc": "heel",
    "calcaneus": "heel", "acromion": "shoulder", "acromium": "shoulder", "asis": "pelvis_front",
    "psis": "pelvis_back", "hjc": "hip", "kjc": "knee", "ajc": "ankle", "sjc": "shoulder", "ejc": "elbow",
    "wjc": "wrist",
}  # fmt: skip
_MIDDLE = {
    "hips": "pelvis", "hip": "pelvis", "hip_center": "pelvis", "center_hip": "pelvis", "mid_hip": "pelvis",
    "c_hip": "pelvis", "chip": "pelvis", "midhip": "pelvis", "pelvis": "pelvis", "root": "pelvis",
    "spine_base": "pelvis", "base_of_spine": "pelvis",
    "spine": "spine", "spine_mid": "spine", "mid_spine": "spine", "torso": "spine",
    "spine_shoulder": "spine_shoulder", "shoulder_center": "spine_shoulder", "thorax": "spine_shoulder",
    "center_shoulder": "spine_shoulder", "mid_shoulder": "spine_shoulder",
    "neck": "neck", "head": "head", "nose": "nose", "chest": "chest", "head_top": "head_top",
    "top_head": "head_top", "headtop": "head_top",
}  # fmt: skip
# Plug-in Gait: markers of the left side and the midline; L becomes R on the right.
_MARKERS = {
    "LFHD": "left_head_front", "LBHD": "left_head_back", "C7": "c7", "T10": "t10", "CLAV": "clavicle",
    "STRN": "sternum", "RBAK": "back", "LSHO": "left_shoulder", "LUPA": "left_upper_arm",
    "LELB": "left_elbow", "LFRM": "left_lower_arm", "LWRA": "left_wrist_thumb", "LWRB": "left_wrist_pinky",
    "LFIN": "left_hand", "LASI": "left_pelvis_front", "LPSI": "left_pelvis_back", "LTHI": "left_thigh",
    "LKNE": "left_knee", "LTIB": "left_shank", "LANK": "left_ankle", "LHEE": "left_heel", "LTOE": "left_foot",
}  # fmt: skip
_MARKERS |= {
    f"R{marker[1:]}": name.replace("left", "right") for marker, name in _MARKERS.items() if "left" in name
}
_BONE_SIGNS = {"arm", "up_arm", "upper_arm", "fore_arm", "forearm", "up_leg", "upleg", "thigh", "lower_arm"}
_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}


def anatomical_names(joints: Sequence[str]) -> tuple[str | None, ...]:
    """The anatomical name of each joint, None where it is not known; none is given twice.

    A name that is anatomical already stays, unless the skeleton names its joints after bones.
    """
    lower = {name.lower() for name in joints}
    read = [_split_letter(side, rest, lower) for side, rest in map(_read, joints)]
    sided_names = {rest for side, rest in read if side is not None}
    bones = bool(sided_names & _BONE_SIGNS) and not sided_names & {"elbow", "knee"}
    sided = {**_JOINTS, **_BONES} if bones else _JOINTS
    anatomical: list[str | None] = []
    for own, (side, rest) in zip(joints, read, strict=True):
        if (marker := re.split("[:_]", own)[-1]) in _MARKERS:  # a subject's name may stand before it
            name: str | None = _MARKERS[marker]
        elif side is None:
            name = _MIDDLE.get(rest)
        else:
            part = sided.get(rest)
            name = None if part is None else f"{side}_{part}"
        anatomical.append(None if name in anatomical else name)
    return tuple(anatomical)


def find_joints(wanted: Sequence[str], names: Sequence[str]) -> list[int | None]:
    """Where each wanted joint stands among the names that a file gives its own, None where it is not there.

    A name is found as it is, else by what both mean.

    >>> find_joints(("pelvis", "left_knee", "tail"), ("LKnee", "CHip"))
    [1, 0, None]
    """
    as_they_are = {name: place for place, name in reversed(list(enumerate(names)))}
    by_meaning = {name: place for place, name in reversed(list(enumerate(known_names(names))))}
    return [
        as_they_are.get(own, by_meaning.get(meant))
        for own, meant in zip(wanted, known_names(wanted), strict=True)
    ]


def known_names(joints: Sequence[str]) -> tuple[str, ...]:
    """The anatomical name of each joint, its own where there is none."""
    names = zip(anatomical_names(joints), joints, strict=True)
    return tuple(own if name is None else name for name, own in names)


def _split_letter(side: str | None, rest: str, lower: Collection[str]) -> tuple[str | None, str]:
    """Side and rest of a name such as "lhip" in lower case, if the other side is there too."""
    if side is None and rest[:1] in ("l", "r") and rest[1:] in _JOINTS:
        other = ("r" if rest[0] == "l" else "l") + rest[1:]
        if any(name.startswith(other) for name in lower):
            return _SIDES[rest[0]], rest[1:]
    return side, rest


def _read(name: str) -> tuple[str | None, str]:
    """Side ("left", "right" or None) and the rest of a name in lower case with underscores."""
    name = name.rsplit(":", 1)[-1]  # a namespace, as in mixamorig:LeftArm
    name = re.sub(r"^(mixamorig|bip\d+|m_avg)[_ ]?", "", name, flags=re.IGNORECASE)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    if len(words) > 1 and words[-1] == "study":  # OpenCap's markers: r_shoulder_study
        words.pop()
    for place in (0, -1):
        if len(words) > 1 and words[place] in _SIDES:
            side = _SIDES[words.pop(place)]
            return side, "_".join(words)
    for place in range(1, len(words) - 1):  # HandTipLeft is read above; hand_left_tip here
        if words[place] in ("left", "right"):
            side = words.pop(place)
            return side, "_".join(words)
    return None, "_".join(words)
