"""File formats: one module each, found by content; a path goes in, recordings come out.

``registry`` collects them; ``base`` says what a format is. To add one, write a module with a constant
``FORMAT`` and name it in the registry, or put it in a package of your own (docs/extend.md).
"""

from hitrs.data.formats.csv_table import read_csv
from hitrs.data.formats.npz import read_npz, write_npz
from hitrs.data.formats.nw_ucla import read_nw_ucla
from hitrs.data.formats.registry import read_recording, read_recordings, register_format
from hitrs.data.formats.utd_mhad import read_utd_mhad

__all__ = [
    "read_csv", "read_npz", "read_nw_ucla", "read_recording", "read_recordings", "read_utd_mhad",
    "register_format", "write_npz",
]  # fmt: skip
