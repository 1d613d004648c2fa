"""The order that people expect of names with numbers in them."""

from __future__ import annotations

import re


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """Sort key that puts "s2" before "s10"."""
    pieces = re.split(r"(\d+)", text)
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece]
