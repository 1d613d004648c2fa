"""Packs hitrs-runtime: the files in ``src/`` here, and the modules of hitrs that they import.

A module exists once, in ``src/hitrs``. The wheel gets a copy under ``hitrs_runtime/`` whose imports are those
of hitrs_runtime, so that neither package needs the other and both can be installed. Which modules that are
follows from the imports, beginning with ``hitrs_runtime/__init__.py``; a file in ``src/`` here takes the
place of the module of the same name: ``tasks/opening.py`` (no PyTorch), ``skeleton/layout_files.py`` (no
YAML). An sdist holds the package as it was packed, which its wheel then takes as it is.

``python runtime/hatch_build.py FOLDER`` writes the package into a folder, ``pip wheel ./runtime`` a wheel.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # the package is written into a folder, without a wheel
    BuildHookInterface = object

HERE = Path(__file__).parent
SHARED, OWN = HERE.parent / "src" / "hitrs", HERE / "src" / "hitrs_runtime"
NAME, SHARED_NAME = "hitrs_runtime", "hitrs"


def pack(target: Path) -> None:
    """Write the whole package into a folder, which is made."""
    shutil.copytree(OWN, target, ignore=shutil.ignore_patterns("__pycache__"))
    if (HERE / "PKG-INFO").exists():  # this is an sdist
        return
    shutil.copy(HERE.parent / "LICENSE", target)
    waiting = [path.relative_to(OWN) for path in OWN.rglob("*.py")]
    while waiting:
        for module in imported((target / waiting.pop()).read_text(encoding="utf-8")):
            if not (target / module).exists():
                text = (SHARED / module).read_text(encoding="utf-8")
                (target / module).parent.mkdir(parents=True, exist_ok=True)
                (target / module).write_text(renamed(text), encoding="utf-8")
                waiting.append(module)
    for folder in {path.parent for path in target.rglob("*.py")} - {target}:
        for place in (folder, *folder.relative_to(target).parents):
            (target / place / "__init__.py").touch()
    write_layouts(target / "skeleton" / "layouts.json")


def imported(text: str) -> set[Path]:
    """Files, relative to the package, of the modules of hitrs_runtime that a module imports."""
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    names = {node.module or "" for node in nodes}
    return {Path(*name.split(".")[1:]).with_suffix(".py") for name in names if name.startswith(f"{NAME}.")}


def renamed(text: str) -> str:
    """A module of hitrs with the imports of hitrs_runtime."""
    return re.sub(rf"^(\s*from ){SHARED_NAME}\.", rf"\g<1>{NAME}.", text, flags=re.MULTILINE)


def write_layouts(file: Path) -> None:
    """The layouts that come with hitrs (YAML) as one file of JSON: name -> content."""
    import yaml

    layouts = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted((SHARED / "skeleton" / "layouts").glob("*.yaml"))
    }
    file.write_text(json.dumps(layouts, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")


class RuntimeBuildHook(BuildHookInterface):
    """What hatchling calls before it makes a wheel or an sdist, and behind."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self.folder = Path(mkdtemp())
        pack(self.folder / NAME)
        place = f"src/{NAME}" if self.target_name == "sdist" else NAME
        build_data["force_include"][str(self.folder / NAME)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self.folder)


if __name__ == "__main__":
    pack(Path(sys.argv[1]) / NAME)
