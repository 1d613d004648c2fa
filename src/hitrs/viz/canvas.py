"""What all plots share: one look, colors that everyone can tell apart, and files that are whole or not there.

Figures are made without pyplot, so that no window system is asked for and no global state changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from hitrs.errors import ConfigError
from hitrs.files import atomic_file, explained_writes

BLUE, ORANGE, GREEN, RED, PALE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#9CB9CC"
PINK, SKY, BROWN, BLACK = "#CC79A7", "#56B4E9", "#8C6D3F", "#222222"
INK, MUTED, FAINT = "#222222", "#6B6B6B", "#E3E3E3"

# Okabe and Ito's palette, made for all kinds of color vision; brown replaces yellow, too pale on white.
PALETTE = (BLUE, RED, GREEN, ORANGE, PINK, SKY, BROWN, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, hence the same on every machine
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # class and file names may hold a dollar sign
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": MUTED,
    "axes.edgecolor": "#B5B5B5",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "white",
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.constrained_layout.h_pad": 0.07,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "hitrs",  # the same picture gives the same file
}

# A date in the file would make two runs of one command differ.
_METADATA: Mapping[str, dict[str, None]] = {
    ".png": {},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


@contextmanager
def sheet(out: Path, width: float, height: float, title: str = "", *, grow: bool = False) -> Iterator[Figure]:
    """Yields an empty figure (width and height in inches), then writes it to ``out`` (.png, .svg or .pdf).

    Axes are laid out to fill the figure. With ``grow`` they stay where they are put, and the paper grows
    around them so that all labels are on it.

    Raises:
        ConfigError: if the suffix is another one (before anything is drawn).
        DataError: if the file cannot be written.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in _METADATA:
        raise ConfigError(f"cannot draw to {out}: a plot is a file with the suffix {', '.join(_METADATA)}.")
    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout=None if grow else "constrained")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        yield figure
        with atomic_file(out) as part, explained_writes(out):
            edge: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.1} if grow else {}
            figure.savefig(part, format=suffix[1:], dpi=150, metadata=_METADATA[suffix], **edge)


def darker(color: str) -> tuple[float, float, float]:
    """A shade of the color that can be read as text on white."""
    red, green, blue = to_rgb(color)
    return 0.72 * red, 0.72 * green, 0.72 * blue


def keep_apart(wanted: list[float], gap: float) -> list[float]:
    """Positions on a line near the wanted ones that are at least ``gap`` from each other, in the same order.

    Used for labels at the ends of lines. Labels that touch are centered together on the mean of their places.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    runs: list[list[int]] = []

    def spread(run: list[int]) -> list[float]:
        middle = sum(wanted[index] for index in run) / len(run)
        return [middle + gap * (place - (len(run) - 1) / 2) for place in range(len(run))]

    for index in order:
        runs.append([index])
        while len(runs) > 1 and spread(runs[-1])[0] - spread(runs[-2])[-1] < gap:
            last = runs.pop()
            runs[-1].extend(last)
    placed = list(wanted)
    for run in runs:
        for index, position in zip(run, spread(run), strict=True):
            placed[index] = position
    return placed


def percent_axis(axes: Axes, *, whole: float = 1.0) -> None:
    """Label the y axis in per cent, where ``whole`` stands for 100 %."""
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value / whole:g}%")
