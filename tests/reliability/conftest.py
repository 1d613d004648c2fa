"""Lets the test of this folder import the harness, and the harness what the tests of the readers write."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / each) for each in ("data/formats", "data", ""))]

if sys.platform != "linux":  # signals, forks and file systems as they are there
    collect_ignore = ["test_reliability.py"]
