"""docs/extend.md: the package that it writes is built and installed on a path, then its commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hitrs.data import Store

PAGE = (Path(__file__).parents[1] / "docs" / "extend.md").read_text(encoding="utf-8")
FILE = re.compile(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^<!-- run -->\n```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
POINTS = re.compile(r'\[project\.entry-points\."(\S+)"\]\n((?:\w+ = "\S+"\n)+)')


def install(site: Path) -> None:
    """What pip leaves of the page's package: its module, and the entry points in its metadata."""
    files = dict(FILE.findall(PAGE))
    info = site / "hitrs_studio-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "hitrs_studio.py").write_text(files["hitrs_studio.py"], encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hitrs-studio\nVersion: 1.0\n")
    points = [f"[{group}]\n{lines}" for group, lines in POINTS.findall(files["pyproject.toml"])]
    assert len(points) == 2
    (info / "entry_points.txt").write_text("".join(points).replace('"', ""))


def record(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("anna_nod", "anna_wave", "ben_nod", "ben_wave"):
        rows = [" ".join(map(str, row)) for row in rng.normal(size=(20, 60)).round(3)]
        (folder / f"{name}.dots").write_text("\n".join(["dots kinect20 30", *rows]))


@pytest.mark.parametrize("language", ["bash", "python"])
def test_the_page_runs(language: str, tmp_path: Path) -> None:
    install(tmp_path / "site")
    record(tmp_path / "recordings")
    blocks = [text for kind, text in RUN.findall(PAGE) if kind == language]
    assert blocks
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    for text in blocks:
        words = [shlex.split(line, comments=True) for line in text.splitlines()]
        shell = [[sys.executable, "-m", *line] for line in words if line]
        for command in [[sys.executable, "-c", text]] if language == "python" else shell:
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (
                f"{shlex.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
            )
    if language == "bash":
        store = Store.open(tmp_path / "studio.store")
        assert store.classes == ("nod", "wave")
        assert [store.name(int(n)) for n in store.split("anna-trains", "train")] == ["anna_nod", "anna_wave"]
        assert (store[3].label, store[3].subject, store[3].fps) == ("wave", "ben", 30)
        own = Store.open(tmp_path / "own.store")
        assert (len(own), own.protocols) == (4, ("random",))
