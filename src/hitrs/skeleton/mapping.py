"""Mapping recordings of one joint layout to another, by joint name.

A joint that the source does not have is not valid in the result: it is masked, not guessed.
"""

from __future__ import annotations

import numpy as np

from hitrs.errors import LayoutError
from hitrs.skeleton.layout import Layout


def joint_map(source: Layout, target: Layout) -> np.ndarray:
    """(Jt,) int64: for each joint of ``target`` its index in ``source``, -1 where the source has no such
    joint.

    Raises:
        LayoutError: if the layouts share no joint name, or differ in dimension (2-D image coordinates are no
            meters).
    """
    if source.dims != target.dims:
        raise LayoutError(
            f"layout '{source.name}' is {source.dims}-D and '{target.name}' is {target.dims}-D; recordings "
            "can only be mapped between layouts of the same dimension."
        )
    index = {joint: position for position, joint in enumerate(source.joints)}
    mapping = np.array([index.get(joint, -1) for joint in target.joints], dtype=np.int64)
    if (mapping < 0).all():
        raise LayoutError(
            f"layouts '{source.name}' and '{target.name}' have no joint name in common. "
            f"'{source.name}' has: {', '.join(source.joints)}."
        )
    return mapping


def map_positions(
    positions: np.ndarray, valid: np.ndarray, source: Layout, target: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """Reorder joints of ``source`` into ``target``; missing joints are zeros and not valid.

    Args:
        positions: (..., Js, C).
        valid: (..., Js) bool, True = seen.

    Returns:
        positions (..., Jt, C) and valid (..., Jt), new arrays of the same dtypes.
    """
    if positions.ndim < 2 or positions.shape[-2:] != (source.n_joints, source.dims):
        raise LayoutError(
            f"positions of shape {positions.shape} do not end in the {source.n_joints} joints x "
            f"{source.dims} coordinates of layout '{source.name}'."
        )
    if valid.shape != positions.shape[:-1]:
        raise LayoutError(
            f"valid has shape {valid.shape}, but positions of shape {positions.shape} need "
            f"{positions.shape[:-1]}."
        )
    mapping = joint_map(source, target)
    missing = mapping < 0
    take = np.where(missing, 0, mapping)
    mapped, seen = positions[..., take, :], valid[..., take]
    seen[..., missing] = False
    mapped[..., missing, :] = 0
    return mapped, seen
