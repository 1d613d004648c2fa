"""AMASS: npz files of joint positions, or of the pose parameters of SMPL body models.

Joint positions stand under ``Jtr`` or ``joints``, (T, J, 3) in meters. Files as AMASS distributes them
have parameters instead: ``poses`` (T, 156) of SMPL+H, (T, 165) of SMPL-X, (T, 72) of SMPL, or (T, 66) of
the body alone; ``trans`` (T, 3) meters; ``betas``; ``mocap_framerate``. Where the joints of a body stand at
rest is part of the body model, whose license does not let anybody pass it on. Put it beside the data or into
a folder above::

    smpl_regressor.npz                                  for all bodies, or by the file's gender:
    smpl_regressor_male.npz, smpl_regressor_female.npz, smpl_regressor_neutral.npz

with ``J_template`` (>= 22, 3), the joints of the mean body in meters, and optionally ``J_shapedirs``
(>= 22, 3, B), their change with each of the betas; or with ``v_template`` (V, 3), ``J_regressor`` (J, V) and
optionally ``shapedirs`` (V, 3, B), as in the ``model.npz`` of SMPL+H, which can just be copied and renamed.

SMPL becomes layout "smpl24"; the others "smpl22", the body without fingers. Published AMASS data have z up.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hitrs.data.formats.format import Format, Head, check_layout, one
from hitrs.data.formats.memory import reserve_joints
from hitrs.data.formats.npz import load_arrays, member_names
from hitrs.data.formats.text_rows import gather
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout
from hitrs.skeleton.kinematics import forward, rotations_of_expmaps

PARENTS = (0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
"""Kinematic tree of SMPL; the first 22 joints are the same in SMPL+H and SMPL-X."""
_POSITIONS = ("Jtr", "joints")
_RATES = ("mocap_framerate", "mocap_frame_rate", "fps")
_BODY = 22
_JOINTS = {22: _BODY, 24: 24, 52: _BODY, 55: _BODY, 127: _BODY}
"""Joints in a file of positions -> joints that are read."""
_COLUMNS = {66: _BODY, 72: 24, 156: _BODY, 165: _BODY}
"""Columns of poses -> joints that are read."""
_BLOCK = 2048


def read_amass(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one file; (T, 1, 22 or 24, 3) meters, all joints valid.

    Raises:
        DataError: for a file that is missing or damaged, arrays of another shape, a number that is not finite
            (naming the frame), or poses without the body model that they need (telling which file to put
            where).
    """
    path = Path(path)
    content = load_arrays(path, (*_POSITIONS, *_RATES, "poses", "trans", "betas", "gender"))
    notes: list[str] = []
    with located(path):
        key = next((key for key in _POSITIONS if key in content), None)
        if key is not None:
            positions = _given(key, content[key], notes)
        elif "poses" in content:
            positions = _posed(path, content, notes)
        else:
            raise DataError(f"an AMASS file needs 'poses', or positions under {' or '.join(_POSITIONS)}.")
        bad = ~np.isfinite(positions).all(axis=(1, 2))
        if bad.any():
            raise DataError(f"frame {int(bad.argmax())} has numbers that are not finite.")
        own_layout = get_layout(f"smpl{positions.shape[1]}")
        return Recording(
            positions[:, None],
            np.ones((len(positions), 1, positions.shape[1]), bool),
            check_layout(path, layout, own_layout),
            name=path.stem,
            fps=_rate(content, notes),
            source=path.name,
            notes=tuple(notes),
        )


def _given(key: str, joints: np.ndarray, notes: list[str]) -> np.ndarray:
    _check(key, joints, joints.ndim == 3 and joints.shape[1] in _JOINTS and joints.shape[2] == 3,
           f"(frames, {', '.join(map(str, _JOINTS))} joints, 3)")  # fmt: skip
    keep = _JOINTS[joints.shape[1]]
    if keep < joints.shape[1]:
        notes.append(f"of {joints.shape[1]} joints the {keep} of the body are kept, without hands and face")
    return joints[:, :keep]


def _posed(path: Path, content: dict[str, np.ndarray], notes: list[str]) -> np.ndarray:
    """Positions (T, J, 3) of pose parameters."""
    poses = content["poses"]
    _check("poses", poses, poses.ndim == 2 and poses.shape[1] in _COLUMNS,
           f"(frames, {', '.join(map(str, _COLUMNS))} columns)")  # fmt: skip
    joints = _COLUMNS[poses.shape[1]]
    reserve_joints(path, len(poses) * joints)
    trans = content.get("trans")
    if trans is None:
        trans = np.zeros((len(poses), 3))
        notes.append("no 'trans' in the file: the body stays at the origin")
    _check("trans", trans, trans.shape == (len(poses), 3), f"({len(poses)} frames, 3)")
    rest = _rest(path, content, joints, notes)
    parents = PARENTS[:joints]
    offsets = rest - rest[list(parents)]
    rows = np.concatenate([trans, poses[:, : 3 * joints]], axis=1, dtype=np.float64)
    if poses.shape[1] > 3 * joints:
        notes.append("rotations of hands and face are left out")

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(rows), _BLOCK):
            yield rows[start : start + _BLOCK]

    def convert(block: np.ndarray) -> np.ndarray:
        local = rotations_of_expmaps(block[:, 3:].reshape(len(block), joints, 3))
        return forward(local, offsets, parents, root=block[:, :3] + rest[0])[0]

    return gather(blocks(), convert, path)


def _rest(path: Path, content: dict[str, np.ndarray], joints: int, notes: list[str]) -> np.ndarray:
    """(joints, 3) of the body at rest, meters."""
    gender = content["gender"] if "gender" in content else np.array("")
    text = gender.item() if gender.size == 1 else ""
    name = text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)
    model = find_regressor(path, name)
    if model is None:
        raise DataError(
            "it holds pose parameters, which need the body model for positions. Put smpl_regressor.npz into "
            f"{path.parent} or a folder above, with J_template ({joints} or more joints, 3); or copy the "
            "model.npz of SMPL+H there under this name."
        )
    with located(model):
        arrays = load_arrays(model, ("J_template", "J_shapedirs", "v_template", "shapedirs", "J_regressor"))
        wild = next(
            (n for n, each in arrays.items() if each.dtype.kind == "f" and not np.isfinite(each).all()), None
        )
        if wild is not None:
            raise DataError(f"'{wild}' holds numbers that are not finite; get this file again.")
        template, directions = _joints_of(arrays)
        _check("J_template", template, template.ndim == 2 and template.shape[0] >= joints
               and template.shape[1] == 3, f"({joints} or more joints, 3)")  # fmt: skip
        betas = content.get("betas")
        if betas is None or directions is None:
            notes.append(
                f"bones of the mean body: no {'betas' if betas is None else 'J_shapedirs'} are there"
            )
            return template[:joints].astype(np.float64)
        _check("J_shapedirs", directions, directions.ndim == 3 and directions.shape[:2] == template.shape,
               f"{template.shape} and the number of betas")  # fmt: skip
    betas = betas[0] if betas.ndim == 2 and len(betas) else betas  # of the first frame, or of the only row
    _check("betas", betas, betas.ndim == 1, "(number of betas)")
    count = min(len(betas), directions.shape[2])
    return template[:joints] + directions[:joints, :, :count].astype(np.float64) @ betas[:count]


def _joints_of(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """J_template and J_shapedirs, computed from the vertices if these are given instead."""
    if "J_template" in arrays:
        return arrays["J_template"], arrays.get("J_shapedirs")
    if "v_template" not in arrays or "J_regressor" not in arrays:
        raise DataError("needs J_template, or v_template and J_regressor.")
    vertices, weights = arrays["v_template"], arrays["J_regressor"]
    _check("v_template", vertices, vertices.ndim == 2 and vertices.shape[1] == 3, "(vertices, 3)")
    _check("J_regressor", weights, weights.ndim == 2 and weights.shape[1] == len(vertices),
           f"(joints, {len(vertices)} vertices)")  # fmt: skip
    directions = arrays.get("shapedirs")
    if directions is None:
        return weights @ vertices, None
    _check("shapedirs", directions, directions.ndim == 3 and directions.shape[:2] == vertices.shape,
           f"({len(vertices)} vertices, 3, number of betas)")  # fmt: skip
    return weights @ vertices, np.einsum("jv,vcb->jcb", weights, directions)


def find_regressor(path: Path, gender: str) -> Path | None:
    """The body model beside a file or in the nearest folder above: that of the gender before that of all."""
    names = [f"smpl_regressor_{gender}.npz"] if gender.isalpha() and len(gender) < 20 else []
    for folder in path.absolute().parents:
        for name in (*names, "smpl_regressor.npz"):
            if (folder / name).is_file():
                return folder / name
    return None


def _rate(content: dict[str, np.ndarray], notes: list[str]) -> float | None:
    key = next((key for key in _RATES if key in content), None)
    if key is None:
        return None
    value = content[key]
    rate = float(value.item()) if value.size == 1 and value.dtype.kind in "fiu" else 0.0
    if np.isfinite(rate) and rate > 0:
        return rate
    notes.append(f"no frame rate: the file's {key} makes no sense")
    return None


def _check(key: str, array: np.ndarray, good: bool, expected: str) -> None:
    if not good or array.dtype.kind not in "fiu" or not array.size:
        raise DataError(
            f"'{key}' is {array.dtype} of shape {array.shape}, expected numbers of shape {expected}."
        )


def _matches(head: Head) -> bool:
    if not head.data.startswith(b"PK"):
        return False
    names = member_names(head.path)
    parameters = "poses" in names and bool({"trans", "betas", *_RATES} & set(names))
    # "joints" alone may be an npz file of one's own, which names its layout.
    positions = "Jtr" in names or ("joints" in names and bool({"poses", "betas", *_RATES[:2]} & set(names)))
    return (parameters or positions) and not {"layout", "positions"} & set(names)


FORMAT = Format(
    name="amass",
    title="AMASS (joint positions, or SMPL poses with a body model beside them)",
    suffixes=(".npz",),
    matches=_matches,
    read=one(read_amass),
)
