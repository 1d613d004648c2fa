"""The page: one HTML file with its style, its script and, unless it is served, all that it shows.

A policy in it forbids the browser to load or send anything, and to run any other script; texts of data are
never taken for HTML.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from hitrs.errors import ConfigError
from hitrs.files import atomic_file, explained_writes
from hitrs.viz.show.drawing import MOST_NUMBERS
from hitrs.viz.show.gallery import Gallery, Query

PAGE_NUMBERS = 12_000_000
"""Coordinates that a page holds, of all its recordings: 32 MB."""
MOST_BESIDE = 4
"""Recordings that stand side by side at first."""


def write_page(
    gallery: Gallery,
    out: str | Path,
    *,
    most: int = 200,
    beside: int = 1,
    tell: Callable[[str], None] = lambda reason: None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> int:
    """Write recordings as one HTML file that needs nothing else, and return how many it holds.

    Args:
        most: recordings at most, the first of the gallery; the page says how many there are.
        beside: so many of them stand side by side when it is opened, at most ``MOST_BESIDE``.
        tell: called with why the model cannot use a recording, for each that it cannot.
        progress: called with the number of recordings that were drawn, and of how many.

    Raises:
        ConfigError: for another suffix than .html.
        WriteError: if the page cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"cannot write the page to {out}: it is an .html file.")
    total, rows = gallery.find(Query(), 0, most)
    each = min(MOST_NUMBERS, PAGE_NUMBERS // len(rows))
    drawings = []
    for row in rows:
        drawing = gallery.drawing(row["id"], each)
        row |= {"said": drawing["said"], "right": drawing["right"]}
        if drawing["refused"]:
            tell(drawing["refused"])
        drawings.append(drawing)
        progress(len(drawings), len(rows))
    about = list(gallery.about)
    if len(rows) < total:
        about.append(
            f"this page holds the first {len(rows):,} of {total:,} recordings; --most takes more, and "
            "without --out all of them are served"
        )
    compared = any(row["right"] is not None for row in rows)
    values = {"rows": rows, "drawings": drawings, "about": about, "compared": compared}
    text = page(gallery, values, beside)
    with atomic_file(out) as part, explained_writes(out):
        part.write_text(text, encoding="utf-8")
    return len(rows)


def served_page(gallery: Gallery, beside: int = 1) -> str:
    """The same page without recordings: it asks ``Server`` for them."""
    return page(gallery, {"served": True, "about": gallery.about, "compared": gallery.compared}, beside)


def page(gallery: Gallery, data: dict[str, Any], beside: int) -> str:
    """HTML with what ``show.js`` reads."""
    values = {
        "total": len(gallery),
        "classes": gallery.classes,
        "subjects": gallery.subjects,
        "beside": min(beside, MOST_BESIDE),
        **data,
    }
    folder = resources.files("hitrs.viz.show")
    parts = {kind: (folder / f"show.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")}
    keys = ", <kbd>N</kbd> <kbd>P</kbd> next and previous recording"
    policy = "; connect-src 'self'" if data.get("served") else ""
    return fill(parts["html"], gallery.title, values, parts["css"], parts["js"], policy, keys)


def fill(
    html: str, title: str, data: dict[str, Any], style: str, script: str, policy: str = "", keys: str = ""
) -> str:
    """A page that plays recordings, and does what its own style and script add.

    Args:
        html: with places for ``$title``, ``$policy``, ``$style``, ``$player``, ``$data`` and ``$script``.
        title: as text.
        data: what the scripts read; "classes" among it, by whose place classes are colored.
        policy: what the browser may do beside running these scripts.
        keys: HTML of what is told of further keys.
    """
    folder = resources.files("hitrs.viz.show")
    player = {kind: (folder / f"player.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")}
    style, script = f"{player['css']}\n{style}", f"{player['js']}\n{script}"
    allowed = f"style-src {_hash(style)}; script-src {_hash(script)}"
    return Template(html).substitute(
        title=escape(title),
        policy=f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'{policy}",
        style=style,
        player=Template(player["html"]).substitute(keys=keys),
        script=script,
        data=json_in_html(data),
    )


def json_in_html(values: Any) -> str:
    """JSON in which nothing can end the element that it stands in: a name may hold ``</script>``."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
