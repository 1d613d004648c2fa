"""A report: one HTML file that holds everything it shows.

It needs no network, no script and no other file: it can be mailed, archived with a run, opened in ten years.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from hitrs.errors import ConfigError, DataError
from hitrs.files import atomic_file, explained_writes

_MEDIA = {
    ".png": "image/png",
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".svg": "image/svg+xml",
}


class Report:
    """Collects text, tables and pictures, and writes them as one HTML file.

    Nothing that is handed in is taken for HTML. In all texts **two stars** make bold, `back quotes` code.

    Example:
        >>> report = Report("Demo")
        >>> report.text("## Result\\n\\nPre-training **helps**: 81.3 against 62.0 per cent.")
        >>> report.table(["method", "accuracy"], [["pre-trained", 81.3], ["from scratch", 62.0]])
        >>> path = report.write("report.html")  # doctest: +SKIP
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self._parts: list[str] = []

    def text(self, text: str) -> None:
        """Paragraphs, separated by empty lines. ``##`` and ``###`` begin headings, ``-`` list items."""
        self._parts.extend(_blocks(text))

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str = "") -> None:
        """A table; columns of numbers (also with %, ± or a dash for none) are aligned to the right.

        Raises:
            DataError: if a row has another length than the headers.
        """
        cells = [[_shown(cell) for cell in row] for row in rows]
        for number, row in enumerate(cells, start=1):
            if len(row) != len(headers):
                raise DataError(
                    f"row {number} of the table has {len(row)} cells, but there are {len(headers)} headers."
                )
        kinds = [
            ' class="number"'
            if cells and all(_NUMBER.fullmatch(row[column].strip("*")) for row in cells)
            else ""
            for column in range(len(headers))
        ]
        head = "".join(
            f"<th{kind}>{escape(header)}</th>" for kind, header in zip(kinds, headers, strict=True)
        )
        body = "\n".join(
            "<tr>"
            + "".join(f"<td{kind}>{_inline(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
            + "</tr>"
            for row in cells
        )
        note = f"<caption>{_inline(caption)}</caption>" if caption else ""
        name = _plain(caption or ", ".join(headers))
        self._parts.append(
            f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">'
            f"<table>{note}<thead><tr>{head}</tr></thead>\n"
            f"<tbody>\n{body}\n</tbody></table></div>"
        )

    def figure(self, path: Path, caption: str) -> None:
        """A picture (.png, .gif, .jpg, .svg), read now and kept, with a caption that says what is seen.

        Raises:
            ConfigError: for another kind of file.
            DataError: if it cannot be read.
        """
        self._parts.append(_figure(Path(path), caption))

    def gallery(self, figures: Sequence[tuple[Path, str]]) -> None:
        """Several small pictures (path, caption) side by side. Raises what ``figure`` raises."""
        inside = "\n".join(_figure(Path(path), caption) for path, caption in figures)
        self._parts.append(f'<div class="gallery">\n{inside}\n</div>')

    def code(self, code: str) -> None:
        """A block in a fixed-width font, as for the command that made the numbers."""
        self._parts.append(f"<pre><code>{escape(code.strip(chr(10)))}</code></pre>")

    def html(self) -> str:
        """The whole document."""
        style = (resources.files("hitrs.viz") / "report.css").read_text(encoding="utf-8")
        subtitle = f'<p class="subtitle">{_inline(self.subtitle)}</p>\n' if self.subtitle else ""
        parts = "\n".join(self._parts)
        # The policy lets the browser itself refuse anything from outside.
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(self.title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{escape(self.title)}</h1>
{subtitle}{parts}
</main>
</body>
</html>
"""

    def write(self, path: Path) -> Path:
        """Write the report to an .html file, whole or not at all, and return its path.

        Raises:
            ConfigError: for another suffix.
            DataError: if the file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise ConfigError(f"cannot write the report to {path}: it is an .html file.")
        with atomic_file(path) as part, explained_writes(path):
            part.write_text(self.html(), encoding="utf-8", newline="\n")
        return path


_NUMBER = re.compile(r"[-+−]?[\d,.]+(\s?±\s?[\d.]+)?\s?%?|[-–—]|")


def _shown(cell: object) -> str:
    """A cell as text: floats with one decimal, None as a dash."""
    if cell is None:
        return "–"
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)


def _inline(text: str) -> str:
    """Escaped text with `code` and **bold**. What stands inside code stays as it is."""
    pieces = re.split(r"`([^`\n]+)`", text)
    for at, piece in enumerate(pieces):
        safe = escape(piece)
        pieces[at] = (
            f"<code>{safe}</code>"
            if at % 2
            else re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe, flags=re.S)
        )
    return "".join(pieces)


def _blocks(text: str) -> list[str]:
    """HTML of headings, lists and paragraphs."""
    blocks: list[tuple[str, list[str]]] = []  # tag, then a line each, or an item each of a list
    for line in [*text.splitlines(), ""]:
        heading = re.match(r"(#{1,3})\s+(.*)", line)
        open_tag = blocks[-1][0] if blocks else ""
        if heading:
            level = max(2, len(heading[1]))  # the title alone is of the first level
            blocks += [(f"h{level}", [heading[2]]), ("", [])]
        elif line.startswith("- "):
            if open_tag != "ul":
                blocks.append(("ul", []))
            blocks[-1][1].append(line[2:])
        elif not line.strip():
            blocks.append(("", []))
        elif open_tag == "ul":
            blocks[-1][1][-1] += "\n" + line.strip()
        elif open_tag == "p":
            blocks[-1][1].append(line)
        else:
            blocks.append(("p", [line]))
    return [f"<{tag}>{_inside(tag, lines)}</{tag}>" for tag, lines in blocks if tag]


def _inside(tag: str, lines: list[str]) -> str:
    if tag == "ul":
        return "".join(f"\n<li>{_inline(item)}</li>" for item in lines) + "\n"
    return _inline("\n".join(lines))


def _figure(path: Path, caption: str) -> str:
    kind = _MEDIA.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(f"cannot show {path} in a report: a picture is a {', '.join(_MEDIA)} file.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the picture {path}: {error.strerror or error}.") from error
    size = "" if kind == "image/svg+xml" else _size(content, path)
    data = base64.b64encode(content).decode("ascii")
    note = f"<figcaption>{_inline(caption)}</figcaption>" if caption else ""
    return f'<figure><img{size} alt="{_plain(caption)}" src="data:{kind};base64,{data}">{note}</figure>'


def _plain(text: str) -> str:
    """For attributes: escaped, without the marks of bold and code."""
    return escape(re.sub(r"\*\*|`", "", text))


def _size(content: bytes, path: Path) -> str:
    """Width and height attributes: as on paper if the file tells its resolution, else pixel by pixel."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            resolution = picture.info.get("dpi", (96, 96))[0]
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not a picture, or is damaged.") from error
    scale = 96 / resolution if resolution > 1 else 1.0  # a page counts 96 pixels to the inch
    return f' width="{round(width * scale)}" height="{round(height * scale)}"'
