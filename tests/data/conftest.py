"""Lets the tests of this folder import what they share (``drawn``, ``bodies``, ``factories``)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
