"""What is given away, built and tried as people get it: ``make dist``, and each step by itself.

    python tests/distributions.py build [--tag v0.2.0]     # wheels and sdists of both packages, into dist/
    python tests/distributions.py test [TEST ...]          # the wheels in new environments, and tests there
    python tests/distributions.py test --oldest [--but torch]

``build`` makes each wheel twice, from the tree and from the sdist, which must be the same. ``test`` installs
the wheel with what it needs, in the versions of constraints/dev.txt or, with ``--oldest``, in the least that
it asks for; runs tests (a few, or those named; ``tests`` is all) that cannot see the source; and lets
hitrs-runtime, in an environment without PyTorch, answer as hitrs does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
PROJECTS = {"hitrs": ROOT, "hitrs_runtime": ROOT / "runtime"}
FEW = (
    "tests/test_package.py",
    "tests/cli/test_main.py",
    "tests/cli/test_newcomer.py",
    "tests/data/test_store.py",
)
LEAST = re.compile(r"^Requires-Dist: ([\w-]+)>=([\d.]+)$", re.MULTILINE)

EXPORT = """
import hitrs
from hitrs.cli.main import main

lines = "import synthetic motion --size tiny", "probe motion general --out model", "export model model.onnx"
for line in lines:
    assert main(line.split()) == 0, line
hitrs.write_npz(next(each for each in hitrs.Store.open("motion") if each.n_persons == 1), "clip.npz")
"""
ANSWER = """
import json, sys
import numpy as np
import {package} as package

with np.load("clip.npz") as clip:
    positions = np.where(clip["valid"][..., None], clip["positions"], np.nan)
found = package.Recognizer("{model}")(positions, layout="ntu25", fps=30)
assert "{package}" == "hitrs" or "torch" not in sys.modules
print(json.dumps([found.label, found.probability]))
"""


def run(*words: object, folder: Path = ROOT) -> str:
    """What a command prints; neither the source nor anything of this interpreter is on its path."""
    command = [str(word) for word in words]
    hidden = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(command, cwd=folder, env=hidden, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nfailed\n{done.stdout[-6000:]}")
    return done.stdout


def build(tag: str | None) -> None:
    version = re.search(r'^__version__ = "(.+)"', (ROOT / "src/hitrs/__init__.py").read_text("utf-8"), re.M)
    assert version is not None
    if tag is not None and tag != f"v{version[1]}":
        raise SystemExit(
            f"the tag is {tag}, but src/hitrs/__init__.py says {version[1]}; one of them is wrong"
        )
    shutil.rmtree(DIST, ignore_errors=True)
    for name, project in PROJECTS.items():
        with TemporaryDirectory() as direct:
            run(sys.executable, "-m", "build", "--outdir", DIST, project)  # the sdist, and the wheel from it
            run(sys.executable, "-m", "build", "--wheel", "--outdir", direct, project)
            (other,) = Path(direct).glob("*.whl")
            if content(other) != content(wheel(name)):
                raise SystemExit(f"the sdist of {name} does not build the wheel that the tree builds")
        if f"{name}-{version[1]}-py3-none-any.whl" != wheel(name).name:
            raise SystemExit(f"{wheel(name).name} is not of version {version[1]}")
    for file in sorted(DIST.iterdir()):
        print(f"{file.name:<44} {file.stat().st_size / 1e6:.2f} MB")


def wheel(name: str) -> Path:
    found = list(DIST.glob(f"{name}-*.whl"))
    if len(found) != 1:
        raise SystemExit(f"{DIST} holds {len(found)} wheels of {name}; build them first")
    return found[0]


def content(file: Path) -> dict[str, bytes]:
    with ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def environment(folder: Path, *packages: object) -> Path:
    """The Python of a new environment with these packages."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages)
    return python


def least(but: list[str]) -> list[str]:
    """What hitrs needs in the least versions that it asks for."""
    metadata = next(text for name, text in content(wheel("hitrs")).items() if name.endswith("/METADATA"))
    return [f"{name}=={version}" for name, version in LEAST.findall(metadata.decode()) if name not in but]


def test(tests: list[str], oldest: bool, but: list[str]) -> None:
    tools = ["hypothesis", "pytest", "pytest-xdist"]
    with TemporaryDirectory() as folder:
        if oldest:
            pins = least(but)
            python = environment(Path(folder, "hitrs"), wheel("hitrs"), *pins, *tools)
        else:
            pins = ["-c", str(ROOT / "constraints" / "dev.txt")]
            python = environment(
                Path(folder, "hitrs"), f"{wheel('hitrs')}[hdf5,onnx,tensorboard]", *pins, *tools
            )
        print(run(python, "-m", "pip", "list", "--disable-pip-version-check"))
        place = run(python, "-c", "import hitrs; print(hitrs.__file__)", folder=Path(folder))
        assert place.startswith(str(Path(folder).resolve())) or place.startswith(folder), place
        # an old package beside a new one warns of what it calls there
        warnings = ["-W", "ignore::DeprecationWarning"] if oldest else []
        print(run(python, "-m", "pytest", "-p", "no:cacheprovider", *warnings, *(tests or FEW)))
        if oldest:  # exporting needs newer versions than the rest
            return
        run(python, "-c", EXPORT, folder=Path(folder))
        plain = environment(Path(folder, "runtime"), wheel("hitrs_runtime"))
        own = json.loads(
            run(python, "-c", ANSWER.format(package="hitrs", model="model"), folder=Path(folder))
        )
        other = json.loads(
            run(plain, "-c", ANSWER.format(package="hitrs_runtime", model="model.onnx"), folder=Path(folder))
        )
        if own[0] != other[0] or abs(own[1] - other[1]) > 1e-4:
            raise SystemExit(f"hitrs answers {own}, hitrs-runtime {other}")
        print(f"hitrs and hitrs-runtime, which has no PyTorch, answer alike: {own[0]}, {own[1]:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("build").add_argument("--tag")
    testing = verbs.add_parser("test")
    testing.add_argument("tests", nargs="*")
    testing.add_argument("--oldest", action="store_true")
    testing.add_argument("--but", nargs="+", default=[], help="packages that may be newer all the same")
    arguments = parser.parse_args()
    if arguments.verb == "build":
        build(arguments.tag)
    else:
        test(arguments.tests, arguments.oldest, arguments.but)
