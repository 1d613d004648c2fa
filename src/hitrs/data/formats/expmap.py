"""Exponential maps: the text files of motion prediction, of CMU (38 joints) and Human3.6M (32 joints).

A line is a frame: three columns of global translation, then an exponential map (axis times angle, radians)
for each joint, comma-separated. 117 columns are CMU, 99 are Human3.6M. Forward kinematics with the published
bone lengths (``skeleton/trees``) gives positions in meters.

As the literature does, the global translation, the rotation of the root and the bones that start at it are
left out: the pelvis stands at the origin, and the body always faces the same way (z forward, y up). This is
what errors of motion prediction are measured on. The maps turn row vectors, so their matrices are transposed.

CMU was recorded at 120 Hz and Human3.6M at 50 Hz; the papers take every second frame, which is left to
whoever uses the recording. The files themselves state no rate: these are the rates of the published files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hitrs.data.formats.format import Format, Head, check_layout, one
from hitrs.data.formats.text_rows import gather, number_blocks, open_text
from hitrs.data.recording import Recording
from hitrs.errors import DataError, located
from hitrs.skeleton import Layout, get_layout
from hitrs.skeleton.kinematics import Tree, forward, get_tree, rotations_of_expmaps

_KINDS = {117: ("cmu38", 120.0), 99: ("h36m32", 50.0)}
"""Columns -> layout (and tree of the same name), frames per second of the published files."""
_NOTE = "global translation and rotation are left out, as motion prediction does"


def read_expmap(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one file; (T, 1, 38 or 32, 3) meters, all joints valid.

    Raises:
        DataError: for a file that is missing, not text, has no frames or other than 117 or 99 columns, a cell
            that is no finite number (naming line, frame and column), or another layout asked for.
    """
    path = Path(path)
    with open_text(path) as file:
        first = next((line for line in file if line.strip()), "")
        columns = first.count(",") + 1
        if columns not in _KINDS:
            raise DataError(
                f"{path}: the first line has {columns} comma-separated columns; exponential maps have 117 "
                "(CMU) or 99 (Human3.6M)."
            )
        name, fps = _KINDS[columns]
        fixed = check_layout(path, layout, get_layout(name))
        file.rewind()
        blocks = number_blocks(enumerate(file, 1), columns, ",", path, fixed.n_joints)
        tree = get_tree(name)
        positions = gather(blocks, lambda rows: expmap_positions(rows, tree), path)[:, None]  # (T, 1, J, 3)
    with located(path):
        return Recording(
            positions,
            np.ones(positions.shape[:-1], bool),
            fixed,
            name=path.stem,
            fps=fps,
            source=path.name,
            notes=(_NOTE,),
        )


def expmap_positions(rows: np.ndarray, tree: Tree) -> np.ndarray:
    """Rows of a file, (n, 3 + 3 J), to positions (n, J, 3) in meters, without global movement."""
    maps = rows[:, 3:].reshape(len(rows), -1, 3)
    local = rotations_of_expmaps(maps).swapaxes(-1, -2)  # made for row vectors
    parents = np.array(tree.parents)
    root = int(np.flatnonzero(parents == np.arange(len(parents)))[0])
    local[:, root] = np.eye(3)
    return forward(local, tree.offsets, tree.parents)[0]


def _matches(head: Head) -> bool:
    line = next((line for line in head.text.splitlines() if line.strip()), "")
    cells = line.split(",")
    if len(cells) not in _KINDS:
        return False
    try:
        return all(np.isfinite(float(cell)) for cell in cells)
    except ValueError:
        return False


FORMAT = Format(
    name="expmap",
    title="exponential maps of CMU (117 columns) or Human3.6M (99 columns)",
    suffixes=(".txt", ".csv"),
    matches=_matches,
    read=one(read_expmap),
    memory=12,
)
