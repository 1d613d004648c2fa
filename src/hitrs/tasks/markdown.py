"""Text of tables of results: means over runs, and Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mean_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; no deviation for a single value.

    >>> mean_deviation([1.0, 3.0])
    (2.0, 1.4142135623730951)
    """
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def mean_text(values: Sequence[float | None]) -> str:
    """Mean and deviation of what is known of some values, with one decimal.

    >>> mean_text([1.0, 3.0, None])
    '2.0 ± 1.4'
    >>> mean_text([None])
    '-'
    """
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    mean, deviation = mean_deviation(known)
    return f"{mean:.1f}" if deviation is None else f"{mean:.1f} ± {deviation:.1f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, ending with a newline.

    >>> print(markdown(["model", "mm"], [["zero velocity", "12.3"]]), end="")
    | model | mm |
    | --- | --- |
    | zero velocity | 12.3 |
    """
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"
