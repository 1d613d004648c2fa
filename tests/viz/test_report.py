import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hitrs.errors import ConfigError, DataError
from hitrs.viz import plot_comparison
from hitrs.viz.report import Report


class Page(HTMLParser):
    """All elements and texts of a page; complains about elements that are not closed in their order."""

    def __init__(self, html: str):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and "style" not in self.open:
            self.texts.append(data.strip())

    def count(self, tag):
        return sum(found == tag for found, _ in self.elements)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("RGB", (300, 150), "red").save(path, dpi=(150, 150))
    return path


@pytest.fixture
def movie(tmp_path):
    path = tmp_path / "movie.gif"
    pictures = [Image.new("P", (40, 30), color) for color in range(3)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=50)
    return path


def test_a_report_is_one_file_without_requests(tmp_path, picture, movie):
    report = Report("Title", "Subtitle")
    report.text("Text with https://example.org in it.")
    report.table(["a"], [[1]])
    report.figure(picture, "A red picture")
    report.gallery([(movie, "Moves"), (movie, "Moves too")])
    report.code("hitrs demo")
    path = report.write(tmp_path / "out" / "report.html")
    picture.unlink()
    movie.unlink()

    html = path.read_text(encoding="utf-8")
    page = Page(html)
    sources = [attrs["src"] for tag, attrs in page.elements if tag == "img"]
    assert [source.split(",")[0] for source in sources] == ["data:image/png;base64"] + [
        "data:image/gif;base64"
    ] * 2
    assert page.count("script") == page.count("link") == page.count("a") == 0
    assert {
        name for _, attrs in page.elements for name in attrs if name in ("href", "srcset", "onload")
    } == set()
    assert not re.search(r"url\(|@import", html)
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_pictures_keep_their_bytes_and_their_size_on_paper(tmp_path, picture, movie):
    report = Report("Title")
    report.figure(picture, 'A "red" picture & **more**')
    report.figure(movie, "")
    (_, still), (_, moving) = (element for element in Page(report.html()).elements if element[0] == "img")
    assert base64.b64decode(still["src"].split(",")[1]) == picture.read_bytes()
    assert base64.b64decode(moving["src"].split(",")[1]) == movie.read_bytes()
    assert (still["width"], still["height"]) == ("192", "96")  # 2 x 1 inches
    assert (moving["width"], moving["height"]) == ("40", "30")
    assert still["alt"] == 'A "red" picture & more'


def test_whatever_is_handed_in_is_text(picture):
    bad = "<script>alert('x')</script> & \"q\""
    report = Report(bad, bad)
    report.text(f"{bad}\n\n## {bad}\n\n- {bad}\n\n`{bad}` **{bad}**")
    report.table([bad], [[bad]], caption=bad)
    report.figure(picture, bad)
    report.code(bad)
    html = report.html()
    page = Page(html)
    assert page.count("script") == 0
    assert "<script" not in html
    # Title and heading, subtitle, five in the text, header, cell, two captions, code.
    assert page.texts.count(bad) == 13
    frame = "html head meta title style body main h1 div figure img figcaption pre"
    known = "h2 p ul li code strong table caption thead tbody tr th td"
    assert {tag for tag, _ in page.elements} <= {*frame.split(), *known.split()}


def test_text_knows_headings_paragraphs_lists_bold_and_code():
    report = Report("Title")
    report.text(
        """
        # One
        ### Two
        A paragraph
        of **two bold** lines.
        - an item
          that goes on
        - `a **plain** item`

        Another paragraph.
        """.replace("\n        ", "\n")
    )
    html = report.html()
    assert "<h2>One</h2>\n<h3>Two</h3>\n<p>A paragraph\nof <strong>two bold</strong> lines.</p>" in html
    assert "<ul>\n<li>an item\nthat goes on</li>\n<li><code>a **plain** item</code></li>\n</ul>" in html
    assert "<p>Another paragraph.</p>" in html
    assert Page(html).count("p") == 2


def test_columns_of_numbers_are_aligned_to_the_right():
    report = Report("Title")
    rows = [["scratch", 62.04, "62.0 ± 2.8 %", None], ["**best**", 3, "**81.3 %**", "-1,024"]]
    report.table(["method", "value", "accuracy", "steps"], rows)
    page = Page(report.html())
    kinds = [attrs.get("class") for tag, attrs in page.elements if tag in ("th", "td")]
    assert kinds == [None, "number", "number", "number"] * 3
    assert {"62.0", "3", "62.0 ± 2.8 %", "–", "best", "81.3 %", "-1,024"} <= set(page.texts)


def test_a_table_without_rows_and_one_that_does_not_fit():
    report = Report("Title")
    report.table(["a", "b"], [])
    assert Page(report.html()).count("th") == 2
    with pytest.raises(DataError, match="row 2 of the table has 1 cells, but there are 2 headers"):
        report.table(["a", "b"], [[1, 2], [3]])


def test_pictures_that_cannot_be_shown(tmp_path):
    report = Report("Title")
    with pytest.raises(DataError, match=r"cannot read the picture .*none\.png"):
        report.figure(tmp_path / "none.png", "")
    with pytest.raises(ConfigError, match=r"movie\.mp4 in a report"):
        report.figure(tmp_path / "movie.mp4", "")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"cut\.png is not a picture, or is damaged"):
        report.figure(tmp_path / "cut.png", "")


def test_only_html_is_written_and_a_failure_keeps_the_old_report(tmp_path, monkeypatch):
    report = Report("Title")
    with pytest.raises(ConfigError, match=r"report\.pdf: it is an \.html file"):
        report.write(tmp_path / "report.pdf")
    path = report.write(tmp_path / "report.html")
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(DataError, match="disk is full"):
        Report("Other").write(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def all_kinds(folder: Path) -> Path:
    """A report with everything that one can hold."""
    Image.new("RGB", (3000, 900), "gray").save(folder / "wide.png", dpi=(150, 150))
    Image.new("RGB", (300, 300), "gray").save(folder / "small.png")
    plot_comparison([("a", 10.0, None), ("b", 20.0, 1.0)], folder / "bars.svg", "Bars")
    report = Report("A title of " + "many " * 20 + "words", "hitrs, `" + "f" * 64 + "`")
    report.text("**Won**: 15 more. Then `" + "c" * 80 + "`.\n\n## Next\n\n### Part\n\n- one\n- two")
    for name in ("wide.png", "bars.svg"):
        report.figure(folder / name, "What is seen, in " + "many " * 30 + "words.")
    report.gallery([(folder / "small.png", "small"), (folder / "wide.png", "wide")])
    report.table([f"column {n}" for n in range(14)], [[1000.25] * 14], caption="A wide table")
    report.table(["method", "top-1 %"], [["frozen", 12.5]])
    report.code("hitrs finetune " + "x" * 200)
    return report.write(folder / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_reports_read_on_phones_and_desks(browser: Any, tmp_path: Path, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    page.goto(all_kinds(tmp_path).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    text = page.locator("main").bounding_box()
    for picture in page.locator("img").all():
        box = picture.bounding_box()
        assert box["width"] > 40
        assert box["x"] >= text["x"] - 0.5
        assert box["x"] + box["width"] <= text["x"] + text["width"] + 0.5
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    context.close()
