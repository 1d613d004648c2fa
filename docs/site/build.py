"""The documentation as a site: ``make docs``, or ``python docs/site/build.py OUT``.

The pages are the Markdown files of the repository as they stand, found by folder. They are laid into a
temporary folder as in the repository, so that their links hold; beside them come what is made here: pictures
by the package itself, a gallery of them, and a page of public names for each room. Then Sphinx makes the
site. Nothing is downloaded, and every warning (a broken link or anchor, a page that is in no list) is an
error. Why Sphinx: CONTRIBUTING.md.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from sphinx.cmd.build import main

import hitrs
from pictures import GALLERY, START, draw

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GROUPS = {
    "Tutorials": "docs/tutorials/*.md",
    "Pages": "docs/*.md",
    "Project": ("src/hitrs/weights/*/README.md", "runtime/README.md", "CHANGELOG.md", "CONTRIBUTING.md"),
}
"""Headings of the navigation, and where their pages lie. Each group is sorted by title."""

LINK = re.compile(r"\[([^\[\]]*)\]\(([^()#\s]+)((?:#[^()\s]*)?)\)")
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
MARK = "objects.inv"
"""A file of every site, by which an older one is known that may be replaced."""


def groups() -> dict[str, list[Path]]:
    """Heading -> pages, sorted by title."""
    found = {}
    for heading, patterns in GROUPS.items():
        patterns = (patterns,) if isinstance(patterns, str) else patterns
        pages = {page for pattern in patterns for page in ROOT.glob(pattern)}
        found[heading] = sorted(pages, key=lambda page: title(page).lower())
    return found


def title(page: Path) -> str:
    found = TITLE.search(page.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{page} has no title: its first line is `# Title`")
    return found[1]


def build(out: Path) -> None:
    """Write the site to a folder, in place of an older site."""
    if out.exists() and not (out / MARK).is_file():
        raise SystemExit(f"{out} exists and is no site that was made here; name another folder")
    with TemporaryDirectory(prefix="hitrs-site-") as temporary:
        source, site = Path(temporary, "source"), Path(temporary, "site")
        lay(source, Path(temporary, "work"))
        options = [
            "-q",
            "-W",
            "--keep-going",
            "-b",
            "html",
            "-c",
            str(HERE),
            "-d",
            str(Path(temporary, "read")),
        ]
        if main([*options, str(source), str(site)]):
            raise SystemExit("the site was not written: every warning above is an error")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(site, out)


def lay(source: Path, work: Path) -> None:
    """Everything that Sphinx reads."""
    draw(source / "extra" / "pictures", work)
    found = groups()
    for page in (page for pages in found.values() for page in pages):
        put(source / page.relative_to(ROOT), followed(page, source))
    put(source / "gallery.md", GALLERY)
    rooms = reference(source / "api")
    navigation = {
        "Start": ["gallery"],
        **{
            name: [str(page.relative_to(ROOT).with_suffix("").as_posix()) for page in p]
            for name, p in found.items()
        },
        "Reference": rooms,
    }
    trees = [toctree(heading, pages) for heading, pages in navigation.items()]
    head, rest = followed(ROOT / "README.md", source).split("\n## ", 1)
    put(source / "index.md", "\n".join([head, START, f"## {rest}", *trees]))


def toctree(heading: str, pages: list[str]) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {heading}", "", *pages, "```"])


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def followed(page: Path, source: Path) -> str:
    """A page's text. Files that it links to (source, plans, pictures) are laid beside it; a link to a folder,
    which a site cannot show, becomes its text; README is the start page.
    """

    def follow(found: re.Match[str]) -> str:
        label, target, anchor = found.groups()
        file = (page.parent / target).resolve()
        if "://" in target or not file.exists():
            return found[0]
        if file.is_dir():
            return label
        if file == ROOT / "README.md":
            start = os.path.relpath(ROOT / "index.md", page.parent).replace(os.sep, "/")
            return f"[{label}]({start}{anchor})"
        if file.suffix != ".md":
            copy = source / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        return found[0]

    return LINK.sub(follow, page.read_text(encoding="utf-8"))


def reference(folder: Path) -> list[str]:
    """A page for each room with public names; the pages' names."""
    rooms = defaultdict(list)
    for name, home in hitrs._HOMES.items():
        rooms[home.split(".")[1]].append(name)
    for room, names in sorted(rooms.items()):
        blocks = [f"# hitrs: {room}", "", "```{eval-rst}"]
        for name in sorted(names):
            kind, options = directive(getattr(hitrs, name))
            blocks += [f".. {kind}:: hitrs.{name}", *options, ""]
        put(folder / f"{room}.md", "\n".join([*blocks, "```", ""]))
    return [f"api/{room}" for room in sorted(rooms)]


def directive(thing: object) -> tuple[str, list[str]]:
    """How autodoc describes it."""
    if not isinstance(thing, type):
        return "autofunction", []
    return ("autoexception" if issubclass(thing, Exception) else "autoclass"), ["   :members:"]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    build(Path(sys.argv[1]))
    print(f"site    {Path(sys.argv[1]) / 'index.html'}")
