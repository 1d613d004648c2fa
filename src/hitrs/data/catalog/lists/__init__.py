"""Facts of public data sets that are long lists, one entry a line."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def read_list(name: str) -> tuple[str, ...]:
    """The lines of ``NAME.txt`` in this folder."""
    text = (resources.files(__package__) / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line.strip() for line in text.splitlines() if line.strip())
