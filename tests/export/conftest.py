"""Lets the tests of this folder import what they share (``factories``); they need the extra "onnx"."""

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
collect_ignore_glob = [] if all(map(find_spec, ("onnx", "onnxruntime", "onnxscript"))) else ["test_*.py"]
