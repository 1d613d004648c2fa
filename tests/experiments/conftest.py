"""Lets the tests of this folder import what they share (``factories``), and runs their plans."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from hitrs.experiments.plan import read_plan
from hitrs.experiments.runner import Runner


@pytest.fixture
def runner_of(tmp_path: Path) -> Callable[[str], Runner]:
    """``runner_of(text)`` runs the plan with this text; everything lies below ``tmp_path``."""

    def make(text: str) -> Runner:
        (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
        plan = read_plan(tmp_path / "plan.yaml")
        return Runner(plan, tmp_path / "stores", tmp_path / "runs", tmp_path / "results")

    return make
