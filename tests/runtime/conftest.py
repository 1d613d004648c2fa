"""hitrs-runtime as people get it: its wheel in an environment of its own, without PyTorch."""

import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import files
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
collect_ignore_glob = [] if all(map(find_spec, ("onnx", "onnxruntime", "onnxscript"))) else ["test_*.py"]
ROOT = Path(__file__).parents[2]
NEEDED = ("numpy", "onnxruntime")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``pip wheel ./runtime`` makes."""
    place = tmp_path_factory.mktemp("wheel")
    words = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--disable-pip-version-check", "--wheel-dir"]
    words = [sys.executable, *words, str(place), str(ROOT / "runtime")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "Could not find a version" in done.stderr or "No module named pip" in done.stderr:
        pytest.skip("no package index is reached, from which pip gets hatchling, which builds the wheel")
    assert done.returncode == 0, done.stderr
    (made,) = place.glob("hitrs_runtime-*-py3-none-any.whl")
    return made


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with this wheel, NumPy and onnxruntime; these are links to those here."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, symlinks=sys.platform != "win32", with_pip=False)
    paths = {"base": str(home), "platbase": str(home)}
    packages = Path(sysconfig.get_path("purelib", vars=paths))
    with ZipFile(wheel) as archive:  # as pip installs it: it has no scripts
        archive.extractall(packages)
    for name in NEEDED:
        for file in files(name) or ():
            folder = Path(str(file)).parts[0]
            if folder.startswith(name) and not (packages / folder).exists():
                try:
                    (packages / folder).symlink_to(Path(str(file.locate())).parents[len(file.parts) - 2])
                except OSError as error:
                    pytest.skip(f"links cannot be made here: {error}")
    return Path(sysconfig.get_path("scripts", vars=paths)) / (
        "python.exe" if sys.platform == "win32" else "python"
    )
