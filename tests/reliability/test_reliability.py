"""A few cases of each campaign of ``python tests/reliability``, the same at every run."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path

import full_disk
import hostile
import kills
import pytest
import reader_memory
import starts
import streams
from campaign import Report
from commands import Workshop
from events import Trap


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"))


def good(*reports: Report) -> bool:
    faults = [fault for report in reports for fault in report.faults]
    assert not faults, "\n\n".join(faults)
    return all(report.count for report in reports)


@pytest.mark.parametrize("name", ["import", "probe"])
def test_what_was_killed_goes_on(workshop: Workshop, name: str) -> None:
    assert good(*kills.command_reports(workshop, name, count=1, seed=0, most_events=4))


@pytest.mark.parametrize("name", ["import", "probe"])
def test_of_two_starts_one_works(workshop: Workshop, name: str) -> None:
    assert good(starts.command_report(workshop, name, 2))


@pytest.mark.parametrize("name", ["import", "detect"])
def test_a_full_disk_is_told_and_costs_nothing(workshop: Workshop, name: str) -> None:
    report = full_disk.refused_report(workshop, name, 3)
    assert good(report)
    assert report.outcomes["told"] == 3


def test_what_somebody_else_has_made_is_used_or_refused(tmp_path: Path) -> None:
    reports = hostile.reports(12, seed=0, folder=tmp_path)
    assert good(*reports)
    assert (
        sum((report.outcomes for report in reports), Counter())["refused"] > 24
    )  # what is spoiled is noticed


def test_memory_does_not_grow_with_frames(tmp_path: Path) -> None:
    assert good(*streams.reports(500, seed=0, folder=tmp_path))


@pytest.mark.filterwarnings("ignore::UserWarning:c3d")
def test_readers_take_what_they_state(tmp_path: Path) -> None:
    assert good(*reader_memory.reports(1, seed=0, folder=tmp_path))


def test_a_trap_springs_at_its_change(tmp_path: Path) -> None:
    """In a process of its own, since nothing takes an audit hook away again."""
    process = os.fork()
    if process == 0:
        made: list[object] = []
        with Trap(tmp_path, at=2, what="full").armed() as events:
            for name in ("a", "b", "c"):
                try:
                    (tmp_path / name).write_text("x")
                    made.append(name)
                except OSError as error:
                    made.append(error.errno)
        os._exit(0 if made == ["a", errno.ENOSPC, errno.ENOSPC] and events() == 3 else 1)
    assert os.waitpid(process, 0)[1] == 0
