"""Layouts of files that bring their own joint or marker names: unique names, left/right pairs, a tree."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from hitrs.errors import DataError
from hitrs.skeleton import Layout, get_layout, list_layouts
from hitrs.skeleton.layout import MAX_JOINTS
from hitrs.skeleton.names import find_joints

METERS = {
    "m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048,
    "meters": 1.0, "meter": 1.0, "centimeters": 0.01, "millimeters": 0.001, "inches": 0.0254,
}  # fmt: skip
"""Meters of one unit, by the names that files give it."""
_ODD = re.compile(r"[^\w.\-]+")
_SIDES = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"), ("l", "r"), ("L", "R"))


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names without white space and odd characters, none twice: a second "Hand" becomes "Hand_2"."""
    clean = [_ODD.sub("_", name.strip()).strip("_")[:80] or "joint" for name in names]
    taken, result = set(clean), []
    seen: dict[str, int] = {}
    for name in clean:
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            number = seen[name]
            while f"{name}_{number}" in taken:
                number += 1
            seen[name] = number
            name = f"{name}_{number}"
            taken.add(name)
        result.append(name)
    return tuple(result)


def side_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """(left, right) indices of names that differ in a leading or trailing side only: LeftArm and RightArm,
    lShin and rShin, LKNE and RKNE, hand_L and hand_R."""
    index = {name: number for number, name in enumerate(names)}
    pairs: list[tuple[int, int]] = []
    paired: set[int] = set()
    for name, left in index.items():
        for one, other in _SIDES:
            counterparts = []
            if name.startswith(one):
                counterparts.append(other + name[len(one) :])
            if re.search(rf"[_.\-]{one}$", name):
                counterparts.append(name[: -len(one)] + other)
            right = next((index[counterpart] for counterpart in counterparts if counterpart in index), None)
            if right is not None and not {left, right} & paired:
                pairs.append((left, right))
                paired |= {left, right}
                break
    return tuple(pairs)


def tree_layout(name: str, joints: Sequence[str], parents: Sequence[int]) -> Layout:
    """The layout of a file with a hierarchy; centered on its root."""
    if len(joints) > MAX_JOINTS:
        raise DataError(f"a skeleton of {len(joints)} joints; at most {MAX_JOINTS} make sense.")
    root = next(joint for joint, parent in enumerate(parents) if joint == parent)
    return Layout(name, tuple(joints), tuple(parents), side_pairs(joints), (root,))


def marker_layout(names: Sequence[str]) -> Layout:
    """The named 3-D layout that has exactly these joints in this order; else a star around the first marker,
    because a list of markers tells of no bones."""
    if not names:
        raise DataError("there are no markers.")
    if len(names) > MAX_JOINTS:
        raise DataError(f"there are {len(names)} markers; at most {MAX_JOINTS} make sense.")
    joints = unique_names(names)
    for known in list_layouts():
        layout = get_layout(known)
        if layout.joints == joints and layout.dims == 3:
            return layout
    return Layout(f"markers{len(joints)}", joints, (0,) * len(joints), side_pairs(joints), (0,))


def edge_layout(
    name: str, names: Sequence[str], edges: Sequence[tuple[int, int]], dims: int
) -> tuple[Layout, list[int]]:
    """The layout of points that are joined by edges, and the point of each of its joints.

    Points that have the names of a known layout, in any order, get that one. Otherwise bones follow the edges
    from the first point that is where an edge begins and none ends; what no edge reaches hangs on this one.

    Args:
        edges: (from, to).

    Raises:
        DataError: if there are no points, or too many.
    """
    if not 1 <= len(names) <= MAX_JOINTS:
        raise DataError(f"there are {len(names)} points of a body, expected 1 to {MAX_JOINTS}.")
    joints = unique_names(names)
    for known in map(get_layout, list_layouts()):
        if known.dims == dims and set(known.joints) == set(joints):
            return known, [joints.index(joint) for joint in known.joints]
    near: dict[int, list[int]] = {}
    for start, stop in edges:
        near.setdefault(start, []).append(stop)
        near.setdefault(stop, []).append(start)
    ends = {stop for _, stop in edges}
    root = next((start for start, _ in edges if start not in ends), edges[0][0] if edges else 0)
    parents = [root] * len(joints)
    reached, queue = {root}, [root, *range(len(joints))]
    for begin in queue:  # the root's part, then parts that hang on it
        if begin in reached and begin != root:
            continue
        reached.add(begin)
        trail = [begin]
        while trail:
            above = trail.pop(0)
            for below in near.get(above, []):
                if below not in reached:
                    reached.add(below)
                    parents[below] = above
                    trail.append(below)
    layout = Layout(f"{name}{len(joints)}", joints, tuple(parents), side_pairs(joints), (root,), dims)
    return layout, list(range(len(joints)))


def fit_layout(names: Sequence[str], given: Layout | None, notes: list[str]) -> tuple[Layout, list[int]]:
    """The layout of markers, and the marker of each of its joints.

    Args:
        given: a layout of the user, whose joints are found by name, also by other names for the same joint;
            None = ``marker_layout``.
        notes: told here which markers the given layout leaves out.

    Raises:
        DataError: if there are no markers, or the given layout has a joint that is none of them.
    """
    return chosen_joints(marker_layout(names), given, notes)


def chosen_joints(layout: Layout, given: Layout | None, notes: list[str]) -> tuple[Layout, list[int]]:
    """The same where the layout of the file is known."""
    if given is None:
        return layout, list(range(layout.n_joints))
    found = find_joints(given.joints, layout.joints)
    if None in found:
        missing = given.joints[found.index(None)]
        near = difflib.get_close_matches(missing, layout.joints, n=1) or layout.joints[:3]
        raise DataError(
            f"has no joint '{missing}' of layout '{given.name}' that was asked for; "
            f"it has {', '.join(near)}, ...."
        )
    left = layout.n_joints - given.n_joints
    if left:
        notes.append(f"{left} of {layout.n_joints} markers are not in layout '{given.name}': left out")
    if given.dims != layout.dims:
        raise DataError(
            f"is {layout.dims}-D, but layout '{given.name}' that was asked for is {given.dims}-D."
        )
    return given, [place for place in found if place is not None]
