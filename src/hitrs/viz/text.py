"""Text on pictures that are drawn with Pillow."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
from PIL import ImageFont


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and hence is on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), size)


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def fitted(text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    """The text on one line, cut with an ellipsis if it is wider than ``width`` pixels."""
    text = one_line(text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
