"""``hitrs clean`` does what it is asked for, says how much, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hitrs.cli.main import main
from hitrs.data import Store


def test_clean(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "clean"
    words = [
        "--fill-gaps",
        "3",
        "--unit",
        "cm",
        "--up=-z",
        "--fps",
        "15",
        "--spikes",
        "0.5",
        "--unswap",
        "--unflip",
    ]
    assert main(["clean", store, str(out), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[1].rstrip(":") for line in lines if line.startswith("cleaned")]
    assert names == ["unswap", "unflip", "spikes", "fill-gaps", "unit", "up", "fps"]
    assert lines[-1] == "recordings  24"
    cleaned = Store.open(out)
    assert set(np.unique(cleaned.fps)) == {15.0}
    assert cleaned.joints_seen / cleaned.joints_total > 0.9
    assert cleaned.raw is not None
    assert cleaned.raw.fingerprint == Store.open(store).fingerprint
    assert main(["inspect", str(out)]) == 0
    assert "  cleaned       unit cm: " in capsys.readouterr().out


def test_nothing_is_done_unasked(store: str, tmp_path: Path, fails) -> None:
    assert "nothing to do" in fails("clean", store, tmp_path / "clean")
    assert "gaps of at most 0 frames" in fails("clean", store, tmp_path / "clean", "--fill-gaps", 0)
    assert not (tmp_path / "clean").exists()


def test_the_source_is_never_replaced(store: str, fails) -> None:
    assert "choose another destination" in fails("clean", store, store, "--fill-gaps", 3, "--overwrite")
