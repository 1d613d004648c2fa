"""The house as CONTRIBUTING.md describes it:
imports run downwards, words are American, names mean one thing."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "hitrs"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

BRITISH = re.compile(
    r"""
    \b(?:un|re|pre|de|mis)?(?:
      centre[ds]?|centring|(?:milli|centi|kilo)?metres?|litres?|theatre|fibre
    | neighbour\w*|behaviour\w*|colour\w*|favour\w*|honour\w*|labour\w*|flavour\w*|humour
    | grey\w*|artefacts?|licence|catalogues?|judgement|fulfil|whilst|programmes?|aluminium|cheque
    | labell(?:ed|ing)|modell(?:ed|ing|er)|travell\w+|cancell(?:ed|ing)|signall\w+|levell(?:ed|ing)|fuell\w+
    | (?:recogn|initial|normal|standard|optim|organ|visual|general|summar|minim|maxim|serial|real|custom
        |emphas|categor|character|synchron|regular|discret|token|parametr|vector|local|final|special|util
        )is(?:e|ed|es|er|ers|ing|ation|ations)
    | analys(?:e|ed|er|es(?=\s+(?:the|a|every|all|each))|ing)
    )\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def levels() -> list[list[str]]:
    """The rooms from top to bottom, as CONTRIBUTING lists them between arrows."""
    line = re.search(r"^\s*(cli → .*?)\n\n", CONTRIBUTING, re.MULTILINE | re.DOTALL)
    assert line is not None
    return [[room.strip() for room in level.split(",")] for level in line[1].replace("\n", " ").split("→")]


def imports_of(file: Path) -> set[str]:
    """Rooms of this package that a file imports, also inside functions and for type checkers."""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            modules.add(node.module)
            if node.module == "hitrs":
                modules |= {f"hitrs.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    rooms = {module.split(".")[1] for module in modules if module.startswith("hitrs.")}
    return rooms - {"__version__"}


def test_a_name_of_data_becomes_a_files_through_one_function() -> None:
    """``f"{recording.name}.txt"`` leads wherever the data says."""
    made_of_names = re.compile(
        r"""\{[^{}]*(?:\.name\b|\bname\()[^{}]*\}[^{}"]*\.(?:txt|npz|csv|json|png|svg|gif|bvh)\""""
    )
    found = []
    for file in SOURCE.rglob("*.py"):
        for line in file.read_text(encoding="utf-8").splitlines():
            found += [(file.name, each) for each in made_of_names.findall(line) if "file_name(" not in each]
    assert not found
    assert made_of_names.search('f"{recording.name}.txt"')
    assert made_of_names.search('f"{store.name(int(index))}-b.npz"')


def test_imports_run_downwards_only() -> None:
    height = {room: place for place, level in enumerate(reversed(levels())) for room in level}
    wrong = []
    for file in SOURCE.rglob("*.py"):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        if parts[0].startswith("__"):  # the package's own names, and its entry
            continue
        room = parts[0]
        assert room in height, f"{file} belongs to no room of CONTRIBUTING.md"
        for other in imports_of(file):
            assert other in height, f"{file} imports hitrs.{other}, which is no room of CONTRIBUTING.md"
            if other != room and height[other] >= height[room]:
                wrong.append(f"{file.relative_to(ROOT)} imports {other}")
    assert wrong == []


def text_files() -> list[Path]:
    folders = ("src", "runtime", "tests", "docs", "benchmarks")
    kinds = ("*.py", "*.md", "*.yaml")
    files = [path for folder in folders for kind in kinds for path in (ROOT / folder).rglob(kind)]
    return [*files, *ROOT.glob("*.md"), *ROOT.glob("*.cff")]


def test_spelling_is_american() -> None:
    found = []
    for file in text_files():
        if file == Path(__file__):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            found += [f"{file.relative_to(ROOT)}:{number}: {word}" for word in BRITISH.findall(line)]
    assert found == []


@pytest.mark.parametrize(
    "text", ["Centred", "colours", "metres", "normalised", "neighbouring", "millimetres"]
)
def test_the_spelling_test_can_fail(text: str) -> None:
    assert BRITISH.search(text)


def test_a_class_name_means_one_thing() -> None:
    homes = defaultdict(list)
    for file in SOURCE.rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(file.relative_to(SOURCE)))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}
