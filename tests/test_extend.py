"""docs/extend.md: the package that it writes is built and installed on a path, then its commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hitrs.data import Store
from hitrs.models.config import ModelConfig
from hitrs.models.encoder import HiTRS
from hitrs.models.pretrained import load_pretrained
from hitrs.pretext.objective import PretextObjective
from hitrs.pretext.registry import PRETEXT_TASKS, register_pretext_task
from hitrs.training.log import read_metrics
from hitrs.transforms.random import KeyedGenerator

PAGE = (Path(__file__).parents[1] / "docs" / "extend.md").read_text(encoding="utf-8")
FILE = re.compile(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^<!-- run -->\n```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
POINTS = re.compile(r'\[project\.entry-points\."(\S+)"\]\n((?:\w+ = "\S+"\n)+)')
FILES = dict(FILE.findall(PAGE))


def install(site: Path) -> None:
    """What pip leaves of the page's package: its modules, and the entry points in its metadata."""
    info = site / "hitrs_studio-1.0.dist-info"
    info.mkdir(parents=True)
    for name, text in FILES.items():
        if name.endswith(".py"):
            (site / name).write_text(text, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hitrs-studio\nVersion: 1.0\n")
    groups = POINTS.findall(FILES["pyproject.toml"])
    assert len(groups) == FILES["pyproject.toml"].count("[project.entry-points.")
    (modules,) = re.findall(r"^py-modules = \[(.*)\]$", FILES["pyproject.toml"], re.MULTILINE)
    files = {f"{name}.py" for name in re.findall(r'"(\w+)"', modules)}
    assert files == {name for name in FILES if name.endswith(".py")}
    points = [f"[{group}]\n{lines}" for group, lines in groups]
    (info / "entry_points.txt").write_text("".join(points).replace('"', ""))


def record(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("anna_nod", "anna_wave", "ben_nod", "ben_wave"):
        rows = [" ".join(map(str, row)) for row in rng.normal(size=(20, 60)).round(3)]
        (folder / f"{name}.dots").write_text("\n".join(["dots kinect20 30", *rows]))


def test_the_page_runs(tmp_path: Path) -> None:
    install(tmp_path / "site")
    record(tmp_path / "recordings")
    for name, text in FILES.items():
        if name.endswith(".yaml"):
            (tmp_path / name).write_text(text, encoding="utf-8")
    blocks = RUN.findall(PAGE)
    assert {language for language, _ in blocks} == {"bash", "python"}
    run(script([*blocks, ("python", REDRAW)]), tmp_path)

    store = Store.open(tmp_path / "studio.store")
    assert store.classes == ("nod", "wave")
    assert [store.name(int(n)) for n in store.split("anna-trains", "train")] == ["anna_nod", "anna_wave"]
    assert (store[3].label, store[3].subject, store[3].fps) == ("wave", "ben", 30)
    own = Store.open(tmp_path / "own.store")
    assert (len(own), own.protocols) == (4, ("random",))

    # the pretext task: in the log, the configuration and the model of the run, and with its curve in the plot
    rows = read_metrics(tmp_path / "velocity" / "metrics.jsonl")
    assert [row["step"] for row in rows if "masked_velocity/loss" in row] == [1, 2, 3, 4]
    assert all(row["masked_velocity/error"] > 0 for row in rows if "loss" in row)
    assert "masked_velocity: 0.5" in (tmp_path / "velocity" / "config.yaml").read_text(encoding="utf-8")
    assert load_pretrained(tmp_path / "velocity")[1]["tasks.masked_velocity.head.weight"].shape == (3, 32)
    assert (tmp_path / "velocity" / "plots" / "training.png").is_file()
    assert "<!-- Velocity of masked joints (frame) -->" in (tmp_path / "training.svg").read_text()


REDRAW = """
from pathlib import Path
from hitrs.training.log import read_metrics
from hitrs.viz import plot_training

plot_training(read_metrics(Path("velocity/metrics.jsonl")), Path("training.svg"))
"""


def script(blocks: list[tuple[str, str]]) -> str:
    """What runs blocks one after another; an interpreter for each would take longer than what they do."""
    lines = ["from hitrs.cli.main import main"]
    for language, text in blocks:
        if language == "python":
            lines.append(f"exec({text!r}, {{}})")
            continue
        for words in filter(None, (shlex.split(line, comments=True) for line in text.splitlines())):
            assert words[0] == "hitrs"
            lines.append(f"assert main({words[1:]!r}) == 0, {shlex.join(words)!r}")
    return "\n".join(lines)


def run(code: str, folder: Path) -> None:
    """The interpreter with this code in a folder, with what :func:`install` wrote there on its path."""
    path = os.pathsep.join([str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def test_the_pretext_task_of_the_page_needs_no_pass_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PRETEXT_TASKS, "_loaded", dict(PRETEXT_TASKS._loaded))
    module: dict[str, Any] = {}
    exec(FILES["hitrs_velocity.py"], module)
    register_pretext_task(module["MaskedVelocity"])
    positions, valid = torch.randn(3, 40, 6, 3), torch.rand(3, 40, 6) < 0.8
    lengths, sequences = torch.full((3,), 40), torch.arange(3)
    passes, metrics = {}, {}
    for weight in (0.0, 0.5):
        encoder = HiTRS(ModelConfig(width=8, heads=2, head_width=4, layers=1), joints=6)
        objective = PretextObjective(encoder, {"masked_velocity": weight})
        count = passes[weight] = Counter()
        for level in ("frame", "clip", "video"):
            encoder.get_submodule(level).register_forward_hook(
                lambda *_, count=count, level=level: count.update([level])
            )
        generator = KeyedGenerator.from_seed(0, range(3))
        _, metrics[weight] = objective(positions, valid, lengths, sequences, generator)
    assert metrics[0.5].keys() - metrics[0.0].keys() == {"masked_velocity/loss", "masked_velocity/error"}
    assert passes[0.5] == passes[0.0] == Counter(["frame", "clip", "video"])
