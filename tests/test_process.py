"""What the process keeps in memory and how its threads wait, unless the environment says otherwise."""

import os
import subprocess
import sys

import pytest

from hitrs.process import arrange

KEPT_MB = """
import numpy as np
from hitrs.process import keep_freed_memory

def resident():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1000

keep_freed_memory()
before = resident()
large = np.ones(25_000_000)  # 200 MB
del large
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc; elsewhere nothing is done")
def test_freed_memory_stays() -> None:
    def kept(**more: str) -> float:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
        done = subprocess.run(
            [sys.executable, "-c", KEPT_MB],
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)

    assert kept(MALLOC_TRIM_THRESHOLD_="1000000") < 50  # the environment decides
    assert kept() > 150 or not _glibc()


def test_the_environment_decides_about_prepared_products(monkeypatch) -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, "7")
    arrange()
    assert os.environ[name] == "7"
    monkeypatch.delenv(name)
    arrange()
    assert 250 < int(os.environ[name]) < 1024


def test_the_environment_decides_how_threads_wait(monkeypatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    arrange()
    assert "GOMP_SPINCOUNT" not in os.environ
    monkeypatch.delenv("OMP_WAIT_POLICY")
    arrange()
    assert int(os.environ["GOMP_SPINCOUNT"]) < 100_000
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    arrange()
    assert os.environ["GOMP_SPINCOUNT"] == "7"


def _glibc() -> bool:
    return "CS_GNU_LIBC_VERSION" in os.confstr_names
