"""Lets the tests of this folder import what those of the formats share (``ntu_files``)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "formats"))
