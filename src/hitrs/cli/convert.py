"""``hitrs convert``: checkpoints of the authors' code to model directories, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import print_line
from hitrs.cli.options import Name
from hitrs.errors import ConfigError


def run(
    source: Annotated[Positional[str], arg(metavar="IN")],
    out: Annotated[Positional[Path], arg(metavar="OUT")],
    *,
    heads: Annotated[int | None, arg(metavar="INT")] = None,
    layout: Name = None,
    classes: Annotated[Path | None, arg(metavar="FILE")] = None,
) -> None:
    """Turn an authors' checkpoint (.pth) into a model directory, or a model directory into a .pth file.

    Nothing in the checkpoint is executed. The model runs in the paper's mode, where zeros are ordinary input.

    Args:
        source: a .pth file; or a model directory, the run that made it, or `hub://OWNER/NAME`.
        out: a model directory to write; or, for the way back, a file whose name ends in .pth.
        heads: attention heads of the checkpoint, needed to read it: the weights do not tell (the paper's
            model has 8).
        layout: the joints' layout; ntu25 for 25 joints with 3 coordinates if left out.
        classes: text file with one class name a line, in the order of the scores; default A001, A002, ...
    """
    if out.exists():
        raise ConfigError(f"{out} exists already; choose another place")
    from hitrs.tasks.authors_files import read_authors, write_authors

    if out.suffix in (".pth", ".pt"):
        lines = write_authors(source, out)
    else:
        lines = read_authors(Path(source), out, heads, layout, classes)
    for line in lines:
        print_line(line)
