"""What README.md and its sister pages promise: commands that run, links that lead somewhere, one version."""

import os
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import hitrs

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

RUNNABLE = (
    "README.md",
    "docs/own-data.md",
    "docs/detection.md",
    "docs/prediction.md",
    "docs/wrong-data.md",
    "docs/export.md",
)

# A block is run if one of these comments stands above it; a block of text behind it is what it says.
RUN = re.compile(
    r"^<!-- (run|fails) -->\n+```(bash|python)\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
SOURCE_FILE = re.compile(r"`((?:\w+/)+\w+\.py)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    outcome: str
    """"run", or "fails": its last command is refused."""
    language: str
    text: str
    says: str
    """Lines, each a part of what is printed."""

    def commands(self) -> list[list[str]]:
        """The command lines of a bash block, or a Python block as one, with this interpreter's programs."""
        if self.language == "python":
            return [[sys.executable, "-c", self.text]]
        lines = self.text.replace("\\\n", " ").splitlines()
        words = [shlex.split(line, comments=True) for line in lines]
        return [[_program(line[0]), *line[1:]] for line in words if line]


def _program(name: str) -> str:
    assert name == "hitrs", f"README runs {name!r}; marked blocks may only call hitrs"
    return str(Path(sys.executable).parent / name)


def blocks(page: Path) -> list[Block]:
    return [Block(*match) for match in RUN.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", RUNNABLE)
def test_commands_run(page: str, tmp_path: Path) -> None:
    """The marked blocks of a page work one after the other, as they stand, in an empty folder."""
    found = blocks(ROOT / page)
    assert {block.language for block in found} == {"bash", "python"}
    for block in found:
        printed = ""
        for command in block.commands():
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                check=False,
            )
            assert done.returncode == (block.outcome == "fails"), (
                f"{shlex.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
            )
            printed += done.stdout + done.stderr
        for line in block.says.splitlines():
            assert line.strip() in printed, f"{block.text}\n{line}\nis not in\n{printed[-6000:]}"


def test_pages_can_be_run_in_one_folder() -> None:
    """Who reads on after README runs the next page in the same folder, where nothing is overwritten."""
    made: dict[str, list[str]] = defaultdict(list)
    for page in RUNNABLE:
        for block in blocks(ROOT / page):
            for words in block.commands() if block.language == "bash" else ():
                made[words[3] if words[1] == "import" else _out(words)].append(page)
    assert {name: pages for name, pages in made.items() if name and len(pages) > 1} == {}


def _out(words: list[str]) -> str:
    return words[words.index("--out") + 1] if "--out" in words else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    broken = [link for link in links if not link.startswith("https://") and not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_source_files_that_pages_name_are_there(page: Path) -> None:
    named = SOURCE_FILE.findall(page.read_text(encoding="utf-8"))
    homes = (ROOT, ROOT / "src" / "hitrs")
    assert [name for name in named if not any((home / name).is_file() for home in homes)] == []


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == hitrs.__version__
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == hitrs.__version__
