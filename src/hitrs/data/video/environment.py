"""The Python environment of the process that opens videos, which `hitrs video-setup` makes.

MediaPipe wants numpy below 2, protobuf below 5 and Python up to 3.12, which the rest must not be held to.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hitrs.data.cache import cache_folder
from hitrs.errors import DataError
from hitrs.files import explained_writes, locked

PYTHON = "HITRS_VIDEO_PYTHON"
"""Environment variable that names the Python of an environment of one's own."""
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
SCRIPT = Path(__file__).with_name("video_process.py")
SUPPORTED = ((3, 9), (3, 12))
"""First and last version of Python with a wheel of MediaPipe 0.10.21."""
SIZE = "about 300 MB"
_FOLDER, _READY = "video-env", "ready"
_SECONDS = 3600  # of one step of the setup


def command() -> list[str]:
    """Command line of the process that opens videos.

    Raises:
        DataError: if its environment was not made, or by another version of this package.
    """
    if named := os.environ.get(PYTHON):
        python = Path(named)
        if not python.is_file():
            raise DataError(
                f"{PYTHON} names {named}, which is no file; expected the Python of an environment."
            )
    else:
        folder = cache_folder() / _FOLDER
        python, ready = _python_of(folder), folder / _READY
        if not (python.is_file() and ready.is_file()):
            raise DataError(
                f"videos are opened by OpenCV and MediaPipe, in an environment of their own that is not "
                f"there yet. Make it once: hitrs video-setup ({SIZE})."
            )
        if ready.read_text(encoding="utf-8") != REQUIREMENTS.read_text(encoding="utf-8"):
            raise DataError(
                f"the pose environment {folder} was made by another version of hitrs. Make it again: hitrs "
                "video-setup."
            )
    return [str(python), "-I", str(SCRIPT)]


def set_up(python: str | None, tell: Callable[[str], None]) -> Path:
    """Make the environment, or make it anew; its folder.

    Args:
        python: interpreter to make it with; by default this one, or the newest that fits on the path.
        tell: called with what happens.

    Raises:
        DataError: if there is no Python that MediaPipe has a wheel for, a package cannot be installed, or
            another process makes it.
    """
    base = _base(python)
    folder = cache_folder() / _FOLDER
    with locked(folder.parent, f"the pose environment {folder}", name=".lock-video"):
        with explained_writes(folder):
            (folder / _READY).unlink(missing_ok=True)  # it is not whole from here on
        tell(f"python      {base}")
        _call([base, "-m", "venv", "--clear", str(folder)], f"cannot make the environment {folder}")
        own = str(_python_of(folder))
        tell(f"installing  {', '.join(_pins())}")
        options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "-q"]
        _call(
            [own, "-I", "-m", "pip", "install", *options, "-r", str(REQUIREMENTS)],
            "cannot install MediaPipe (there are wheels for Linux on x86-64, Windows and macOS, and the "
            "network is needed once)",
        )
        _call([own, "-I", str(SCRIPT), "--check"], "MediaPipe is installed, but does not run here")
        with explained_writes(folder):
            (folder / _READY).write_text(REQUIREMENTS.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def _pins() -> list[str]:
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _base(named: str | None) -> str:
    """The interpreter to make the environment with."""
    low, high = SUPPORTED
    fits = [f"python{high[0]}.{minor}" for minor in range(high[1], low[1] - 1, -1)]
    for each in [named] if named else [sys.executable, *fits]:
        path = shutil.which(each)
        if path is not None and (version := _version(path)) is not None and low <= version <= high:
            return path
        if named:
            what = "is not there" if path is None else f"is {_version(path) or 'no Python'}"
            raise DataError(
                f"{named} {what}; expected Python {low[0]}.{low[1]} to {high[0]}.{high[1]}, for which there "
                "is MediaPipe 0.10.21."
            )
    raise DataError(
        f"MediaPipe 0.10.21 needs Python {low[0]}.{low[1]} to {high[0]}.{high[1]}, and none is on the path. "
        f"Install Python {high[0]}.{high[1]} beside this one, and name it: hitrs video-setup --python "
        f"/path/to/python{high[0]}.{high[1]}."
    )


def _version(python: str) -> tuple[int, int] | None:
    try:
        text = subprocess.run(
            [python, "-I", "-c", "import sys; print(*sys.version_info[:2])"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        major, minor = map(int, text.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return major, minor


def _call(arguments: Sequence[str], failure: str) -> None:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, errors="replace", timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{failure}: {error}.") from error
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise DataError(f"{failure}: {' '.join(words) or f'exit code {done.returncode}'}")
