"""What README.md and its sister pages promise: commands that run, links that lead somewhere, one version."""

import ast
import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

import hitrs
from hitrs.cli.main import COMMANDS, main, run_command

ROOT = Path(__file__).parent.parent
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
CARDS = sorted((ROOT / "src" / "hitrs" / "weights").rglob("*.md"))
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *TUTORIALS, *CARDS, ROOT / "runtime/README.md"]
)

RUNNABLE = (
    "README.md",
    *(str(page.relative_to(ROOT).as_posix()) for page in TUTORIALS),
    "docs/detection.md",
    "docs/prediction.md",
    "docs/wrong-data.md",
    "docs/export.md",
)

# A block is run, or saved as a file, if one of these comments stands above it; a block of text behind it is
# what it says.
MARK = re.compile(r"^<!-- (?:run|fails|file: \S+) -->$", re.MULTILINE)
RUN = re.compile(
    r"^<!-- (run|fails|file: \S+) -->\n+```(bash|python|yaml)\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(hitrs [^`]*)`")
COMMAND = re.compile(r"^(?:\$ )?(?:\S+ -m )?hitrs +([a-z][a-z-]*)(.*)$")
OPTION = re.compile(r"(?<!\S)--([a-z][a-z-]*)(?=[ =\n]|$)")
SOURCE_FILE = re.compile(r"`((?:\w+/)+\w+\.py)`")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    outcome: str
    """"run"; "fails": its last command is refused; "file: NAME": it is saved."""
    language: str
    text: str
    says: str
    """Lines, each a part of what is printed."""

    def commands(self) -> list[list[str]]:
        """The words of each command line of a bash block, without the program."""
        lines = self.text.replace("\\\n", " ").splitlines()
        words = [found for line in lines if (found := shlex.split(line, comments=True))]
        assert {line[0] for line in words} == {"hitrs"}, f"marked blocks may only call hitrs: {self.text}"
        return [line[1:] for line in words]


def blocks(page: Path) -> list[Block]:
    return [Block(*match) for match in RUN.findall(page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with hitrs_runtime in it, for the path."""
    folder = tmp_path_factory.mktemp("runtime")
    subprocess.run([sys.executable, str(ROOT / "runtime" / "hatch_build.py"), str(folder)], check=True)
    return str(folder)


@pytest.mark.parametrize("page", RUNNABLE)
def test_commands_run(
    page: str,
    tmp_path: Path,
    runtime: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The marked blocks of a page work one after the other, as they stand, in an empty folder."""
    found = blocks(ROOT / page)
    assert len(found) == len(MARK.findall((ROOT / page).read_text(encoding="utf-8"))) > 1
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), runtime])))
    for block in found:
        if block.outcome.startswith("file: "):
            Path(block.outcome.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
            continue
        printed = run_python(block.text) if block.language == "python" else ""
        for words in block.commands() if block.language == "bash" else ():
            code = main(words)
            said = capsys.readouterr()
            assert code == (block.outcome == "fails"), f"{shlex.join(words)}\n{said.out[-2000:]}\n{said.err}"
            printed += said.out + said.err
        for line in block.says.splitlines():
            assert line.strip() in printed, f"{block.text}\n{line}\nis not in\n{printed[-6000:]}"


def run_python(text: str) -> str:
    """What a block of Python prints, in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


def test_pages_can_be_run_in_one_folder() -> None:
    """Who reads on after README runs the next page in the same folder, where nothing is overwritten."""
    made: dict[str, list[str]] = defaultdict(list)
    for page in RUNNABLE:
        for block in blocks(ROOT / page):
            for words in block.commands() if block.language == "bash" else ():
                made[words[2] if words[0] == "import" else _out(words)].append(page)
    assert {name: pages for name, pages in made.items() if name and len(pages) > 1} == {}


def _out(words: list[str]) -> str:
    return words[words.index("--out") + 1] if "--out" in words else ""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links, as GitHub does it."""
    found, times = set(), Counter[str]()
    for heading in HEADING.findall(prose(page)):
        said = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", said).replace(" ", "-")
        found.add(f"{anchor}-{times[anchor]}" if times[anchor] else anchor)
        times[anchor] += 1
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file, and to a heading in it."""
    broken = []
    for link, anchor in LINK.findall(prose(page)):
        target = (page.parent / link).resolve() if link else page
        if link.startswith("https://"):
            continue
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(f"{link}#{anchor}" if anchor else link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_of_code_are_what_they_say(page: Path) -> None:
    """Python, YAML and JSON can be read as such; what begins with "hitrs" is a command with such options."""
    text = page.read_text(encoding="utf-8")
    commands = INLINE.findall(FENCE.sub("", text))
    for indent, language, block in FENCE.findall(text):
        code = re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)
        if language == "python":
            ast.parse(code)
        elif language == "yaml":
            yaml.safe_load(code)
        elif language == "json":
            json.loads(code)
        elif language in ("bash", ""):
            commands += code.replace("\\\n", " ").splitlines()
    for line in commands:
        found = COMMAND.match(line.partition(" #")[0].strip())
        if found and found[1] not in ("is", "says"):
            assert found[1] in COMMANDS, line
            assert {
                option for option in OPTION.findall(found[2]) if option not in options(found[1])
            } == set(), line


@cache
def options(verb: str) -> set[str]:
    """Options without a dot of a command, with their opposites."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        run_command([verb, "--help"])
    return set(re.findall(r"(?<=--)[a-z][a-z-]*(?![\w.-])", printed.getvalue())) | {"help"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
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
