"""``hitrs video-setup``: what opens videos, in a Python environment of its own."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from hitrs.cli.console import print_line


def run(*, python: Annotated[str | None, arg(metavar="PYTHON")] = None) -> None:
    """Install MediaPipe 0.10.21 and OpenCV for the commands that read videos (about 300 MB, once).

    They get an environment of their own, because they need an older numpy than the rest.

    Args:
        python: Python 3.9 to 3.12 to make it with; found if left out.
    """
    from hitrs.data.video.environment import set_up

    folder = set_up(python, print_line)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    print_line(f"ready       {folder} ({size / 1e6:.0f} MB)")
