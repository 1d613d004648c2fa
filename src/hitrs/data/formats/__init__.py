"""One reader per file format: a path goes in, a recording comes out.

==========  ==========================================  =================
file        what                                        reader
==========  ==========================================  =================
``.npz``    one's own data as numpy arrays              ``read_npz``
``.csv``    one's own data as a table                   ``read_csv``
``.json``   NW-UCLA skeletons                           ``read_nw_ucla``
``.mat``    UTD-MHAD skeletons                          ``read_utd_mhad``
==========  ==========================================  =================
"""

from __future__ import annotations

from pathlib import Path

from hitrs.data.formats.csv_table import read_csv
from hitrs.data.formats.npz import read_npz, write_npz
from hitrs.data.formats.nw_ucla import read_nw_ucla
from hitrs.data.formats.utd_mhad import read_utd_mhad
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton.layout import Layout

__all__ = ["read_csv", "read_npz", "read_nw_ucla", "read_recording", "read_utd_mhad", "write_npz"]


def read_recording(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read a file of any known format, which its suffix tells.

    Args:
        layout: joint layout of npz and CSV files that do not say it themselves; the other formats have a
            fixed one.

    Raises:
        DataError: for an unknown suffix or a file that its reader refuses.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return read_npz(path, layout)
    if suffix == ".csv":
        return read_csv(path, layout)
    fixed = {".json": read_nw_ucla, ".mat": read_utd_mhad}
    if suffix not in fixed:
        raise DataError(f"{path}: no reader for '{suffix}' files; known: .npz, .csv, {', '.join(fixed)}.")
    recording = fixed[suffix](path)
    if layout is not None and recording.layout != layout:
        raise DataError(f"{path} has layout '{recording.layout.name}', but '{layout.name}' was asked for.")
    return recording
