"""What all tests share: one thread each, no window system, a browser, and the folder of real data."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Tests run side by side, one process each (make test); more threads would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "Agg"

import torch
from hypothesis import settings

torch.set_num_threads(1)

# A slow machine must not fail a test, and the same commit must not pass one day and fail the next.
settings.register_profile("hitrs", deadline=None, derandomize=True)
settings.load_profile("hitrs")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium of the system, driven by `playwright`; without one of them the test is skipped."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: `pip install playwright`"
    )
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: install it, for example with `apt-get install chromium`")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="session")
def hitrs_data() -> Callable[[str], Path]:
    """``hitrs_data("nw_ucla")`` is that folder of the real data; the test is skipped where there is none."""

    def folder(name: str) -> Path:
        root = os.environ.get("HITRS_DATA")
        if not root:
            pytest.skip("HITRS_DATA is not set: it names the folder that holds the real data sets")
        path = Path(root) / name
        if not path.exists():
            pytest.skip(f"HITRS_DATA={root} holds no {name}")
        return path

    return folder
