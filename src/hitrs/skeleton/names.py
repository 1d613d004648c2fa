"""Anatomical names of joints under the names that motion-capture files, game engines and trackers use.

A joint of a BVH (and of most rigs) is named after the bone that starts there: LeftArm is the shoulder,
LeftForeArm the elbow, LeftHand the wrist. Where a skeleton has no such bones the same word may mean the joint
itself: LeftShoulder is the collar beside a LeftArm, otherwise the shoulder. So a name is read among all names
of its skeleton. Markers of Plug-in Gait (LKNE) have the names of the layout ``plugin_gait39``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
}  # fmt: skip
_MIDDLE = {
    "hips": "pelvis", "hip": "pelvis", "hip_center": "pelvis", "center_hip": "pelvis", "mid_hip": "pelvis",
    "pelvis": "pelvis", "root": "pelvis", "spine_base": "pelvis", "base_of_spine": "pelvis",
    "spine": "spine", "spine_mid": "spine", "mid_spine": "spine", "torso": "spine",
    "spine_shoulder": "spine_shoulder", "shoulder_center": "spine_shoulder", "thorax": "spine_shoulder",
    "center_shoulder": "spine_shoulder", "mid_shoulder": "spine_shoulder",
    "neck": "neck", "head": "head", "nose": "nose", "chest": "chest",
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
    read = [_read(name) for name in joints]
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


def _read(name: str) -> tuple[str | None, str]:
    """Side ("left", "right" or None) and the rest of a name in lower case with underscores."""
    name = name.rsplit(":", 1)[-1]  # a namespace, as in mixamorig:LeftArm
    name = re.sub(r"^(mixamorig|bip\d+|m_avg)[_ ]?", "", name, flags=re.IGNORECASE)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    for place in (0, -1):
        if len(words) > 1 and words[place] in _SIDES:
            side = _SIDES[words.pop(place)]
            return side, "_".join(words)
    for place in range(1, len(words) - 1):  # HandTipLeft is read above; hand_left_tip here
        if words[place] in ("left", "right"):
            side = words.pop(place)
            return side, "_".join(words)
    return None, "_".join(words)
