"""The workflow that a tag starts: what it tries is what the package says of itself."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
JOBS = yaml.safe_load(TEXT)["jobs"]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_it_tries_every_python_and_system_that_is_promised() -> None:
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)
    matrix = JOBS["test"]["strategy"]["matrix"]
    assert matrix["python"] == promised
    assert [each.split("-")[0] for each in matrix["os"]] == ["ubuntu", "macos", "windows"]
    assert f'requires-python = ">={promised[0]}"' in PROJECT
    assert JOBS["oldest"]["steps"][1]["with"]["python-version"] == promised[0]


def test_nothing_is_published_that_was_not_tried() -> None:
    assert set(JOBS["publish"]["needs"]) == {"test", "oldest"}
    assert JOBS["publish"]["if"] == "github.ref_type == 'tag'"
    assert JOBS["test"]["needs"] == JOBS["oldest"]["needs"] == "build"
    assert [name for name, job in JOBS.items() if "id-token" in job.get("permissions", {})] == ["publish"]
    assert "password" not in TEXT.replace("no password", "")


def test_it_names_no_machines_but_public_ones() -> None:
    assert set(re.findall(r"https?://([^/\s]+)", TEXT)) == {"download.pytorch.org"}
