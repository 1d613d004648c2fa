"""The documentation as a site: `make docs` without a warning, complete, and in no need of a network."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image

import hitrs

ROOT = Path(__file__).parent.parent
LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "srcset"), ("iframe", "src")}
"""What a browser fetches by itself."""


class Page(HTMLParser):
    """What a page loads, what it links to, and its anchors."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (tag, name) in LOADS and dict(attrs).get("rel") not in ("next", "prev", "index", "search"):
                self.loads.append(value or "")
            if name == "id":
                self.anchors.add(value or "")
            if (tag, name) == ("a", "href"):
                self.links.append(value or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for needed in ("sphinx", "myst_parser", "furo", "latex2mathml"):
        pytest.importorskip(needed, reason="the extra `docs` is not installed")
    out = tmp_path_factory.mktemp("docs") / "site"
    build = [sys.executable, str(ROOT / "docs" / "site" / "build.py"), str(out)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr  # every warning is an error
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in site.rglob("*.html") if "pictures" not in file.parts}


def test_every_page_is_there_and_in_the_navigation(site: Path) -> None:
    sidebar = (site / "index.html").read_text(encoding="utf-8").split("</aside>")[0]
    for page in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "tutorials").glob("*.md")]:
        name = page.relative_to(ROOT).with_suffix(".html").as_posix()
        assert (site / name).is_file()
        assert f'href="{name}"' in sidebar, f"{name} is not in the navigation"


def test_every_public_name_is_in_the_reference(pages: dict[Path, Page]) -> None:
    told = set().union(*(page.anchors for file, page in pages.items() if file.parent.name == "api"))
    assert {name for name in hitrs.__all__ if f"hitrs.{name}" not in told} == set()


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        assert [each for each in page.loads if "//" in each] == [], file
    for sheet in site.rglob("*.css"):
        found = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", sheet.read_text(encoding="utf-8"))
        assert [each for each in found if "//" in each and not each.startswith("data:")] == [], sheet


def test_links_and_anchors_of_the_pages_lead_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for file, page in pages.items():
        for link in [*page.links, *page.loads]:
            place, _, anchor = unquote(link).partition("#")
            target = (file.parent / place.partition("?")[0]).resolve() if place else file
            if re.match(r"\w+:", link):
                continue
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
                broken.append(f"{file.relative_to(site)}: {link}")
    assert broken == []


def test_the_start_page_has_a_picture_that_moves_and_one_that_rests(site: Path) -> None:
    assert "pictures/start.gif" in (site / "index.html").read_text(encoding="utf-8")
    with (
        Image.open(site / "pictures" / "start.gif") as moving,
        Image.open(site / "pictures" / "start.png") as still,
    ):
        assert moving.n_frames > 20
        assert moving.size == still.size


def test_another_folder_is_not_replaced(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
    (tmp_path / "mine.txt").write_text("mine")
    build = [sys.executable, str(ROOT / "docs" / "site" / "build.py"), str(tmp_path)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "name another folder" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_open_from_disk_on_a_phone(browser: Any, site: Path, scheme: str) -> None:
    """Nothing is asked for but files, and no page is wider than the screen."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page, asked, failed = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    for name in ("index", "gallery", "docs/method", "docs/results", "docs/tutorials/mocap", "api/tasks"):
        page.goto((site / f"{name}.html").as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, f"{name} is {wide} pixels wide"
    context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert failed == []
