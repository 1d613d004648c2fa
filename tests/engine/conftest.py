"""A small Ray of this machine for the tests of a module, where Ray is installed."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from hitrs.engine.cluster import RayEngine

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "data" / "formats")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayEngine]:
    """Two workers; or the cluster of RAY_ADDRESS, if that is set."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: `pip install ray`")
    import ray.cloudpickle
    import work

    ray.cloudpickle.register_pickle_by_value(work)  # the cluster's processes do not know this folder
    # sockets have short paths
    os.environ.setdefault("RAY_TMPDIR", mkdtemp(prefix="ray", dir="/tmp"))
    address = os.environ.get("RAY_ADDRESS")
    with RayEngine(address) if address else RayEngine("local", 2) as engine:
        yield engine
