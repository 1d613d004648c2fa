"""Many recordings: found, sorted by what the model says of them, and written as one page."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from factories import CLASSES, small_store, untrimmed_store
from hitrs.data.recording import Recording
from hitrs.data.store import Store, write_store
from hitrs.errors import ConfigError, DataError
from hitrs.tasks.reply import Reply
from hitrs.viz.show import Gallery, Query, write_page
from hitrs.viz.show.page import page


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """12 recordings of three classes and four subjects."""
    return small_store(tmp_path_factory.mktemp("gallery") / "store")


def held(out: Path) -> dict:
    """What a page holds."""
    text = out.read_text(encoding="utf-8")
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert len(found) == 1
    return json.loads(found[0])


def names(gallery: Gallery, **query: str) -> list[str]:
    total, rows = gallery.find(Query(**query), 0, 100)
    assert total == len(rows)
    return [row["name"] for row in rows]


def test_recordings_are_found_by_class_subject_and_text(store: Store) -> None:
    gallery = Gallery("all", [(store, range(len(store)))])
    assert len(names(gallery)) == 12
    assert names(gallery, label="nod") == [f"recording-{n}" for n in (1, 4, 7, 10)]
    assert names(gallery, label="nod", subject="person-2") == ["recording-7"]
    assert names(gallery, text="RECORDING-1") == ["recording-1", "recording-10", "recording-11"]
    assert names(gallery, text="nothing") == []
    assert gallery.find(Query(), 10, 5)[0] == 12
    assert [row["id"] for row in gallery.find(Query(), 10, 5)[1]] == [10, 11]


def test_labels_of_segments_are_found(tmp_path: Path) -> None:
    store = untrimmed_store(tmp_path / "store")
    gallery = Gallery("all", [(store, range(len(store)))])
    with_wave = [store.name(i) for i in range(len(store)) if "wave" in {s.label for s in store.segments(i)}]
    assert names(gallery, label="wave") == with_wave != names(gallery)


def test_several_stores_are_one_gallery(store: Store, tmp_path: Path) -> None:
    other = small_store(tmp_path / "other", count=2)
    gallery = Gallery("both", [(store, [3, 5]), (other, range(2))])
    assert names(gallery) == ["recording-3", "recording-5", "recording-0", "recording-1"]
    assert gallery.drawing(2)["name"] == "recording-0"
    with pytest.raises(IndexError):
        gallery.drawing(4)


def test_nothing_to_show(store: Store) -> None:
    with pytest.raises(DataError, match="there is no recording to show"):
        Gallery("none", [(store, [])])


def replier(recording: Recording) -> Reply:
    """Says "wave" of all, surer with each recording; cannot use the fourth."""
    number = int(recording.name.rpartition("-")[2])
    if number == 3:
        raise DataError("too few joints")
    sure = 0.5 + number / 100
    right = recording.label == "wave"
    return Reply(recording, f"wave {sure:.0%}", 1 - sure if right else 1 + sure, right, (("wave", sure),))


def test_confident_errors_come_first(store: Store, tmp_path: Path) -> None:
    gallery = Gallery("run", [(store, range(len(store)))], replier=replier)
    assert list(gallery.ask()) == ["too few joints"]
    wrong, right = [11, 10, 8, 7, 5, 4, 2, 1], [0, 6, 9]
    assert names(gallery) == [f"recording-{n}" for n in (*wrong, *right, 3)]
    assert names(gallery, answer="right") == [f"recording-{n}" for n in right]
    assert names(gallery, answer="wrong", label="nod") == [f"recording-{n}" for n in (10, 7, 4, 1)]
    assert gallery.about[0].startswith("8 of 11 answers are wrong")
    said: list[str] = []
    assert write_page(gallery, tmp_path / "run.html", most=4, tell=said.append) == 4
    data = held(tmp_path / "run.html")
    assert [row["name"] for row in data["rows"]] == [f"recording-{n}" for n in wrong[:4]]
    assert [drawing["scores"] for drawing in data["drawings"][:2]] == [[["wave", 0.61]], [["wave", 0.6]]]
    assert data["compared"]
    assert data["total"] == 12
    assert "this page holds the first 4 of 12 recordings" in data["about"][-1]
    assert said == []


def test_what_a_model_cannot_use_is_shown_all_the_same(store: Store, tmp_path: Path) -> None:
    gallery = Gallery("files", [(store, [3])], replier=replier)
    said: list[str] = []
    write_page(gallery, tmp_path / "page.html", tell=said.append)
    (drawing,) = held(tmp_path / "page.html")["drawings"]
    assert drawing["refused"] == "too few joints"
    assert drawing["view"] is not None
    assert said == ["too few joints"]


HOSTILE = '</script><script>alert("1")</script><!--<b>&amp;\u2028'


def test_text_of_data_stays_text(store: Store, tmp_path: Path) -> None:
    hostile = Recording(
        store[0].positions, store[0].valid, store.layout, HOSTILE, subject=HOSTILE, label=HOSTILE
    )
    written = write_store(tmp_path / "store", [hostile])
    write_page(Gallery(HOSTILE, [(written, [0])]), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "alert(" in text  # as text of the title, and of the data
    assert text.count("<script") == text.count("</script>") == 2
    assert "<b>" not in text
    data = held(tmp_path / "page.html")
    assert data["rows"][0]["name"] == HOSTILE
    assert data["classes"] == [HOSTILE]


def test_a_page_needs_nothing_else(store: Store, tmp_path: Path) -> None:
    write_page(Gallery("all", [(store, range(3))]), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)\s*=|url\(|@import|https?://", text)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "connect" not in policy


def test_a_page_has_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recordings share the room of a page: the more of them, the fewer frames of each."""
    monkeypatch.setattr("hitrs.viz.show.page.PAGE_NUMBERS", 12_000)
    long = [np.random.default_rng(n).normal(size=(400, 20, 3)) for n in range(4)]
    store = write_store(tmp_path / "store", long, layout="kinect20")
    write_page(Gallery("all", [(store, range(4))]), tmp_path / "page.html")
    drawings = held(tmp_path / "page.html")["drawings"]
    assert [drawing["drawn"] for drawing in drawings] == [50] * 4
    assert sum(len(drawing["positions"]) for drawing in drawings) <= 12_000 * 2 * 4 / 3 + 16
    assert "every 8th is drawn" in drawings[0]["notes"][0]


def test_a_page_is_html(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot write the page to .*page\.pdf"):
        write_page(Gallery("all", [(store, [0])]), tmp_path / "page.pdf")
    assert list(tmp_path.iterdir()) == []


def test_classes_of_all_are_offered(store: Store) -> None:
    text = page(Gallery("all", [(store, [0])]), {"about": [], "compared": False}, 1)
    assert json.dumps(list(CLASSES), separators=(",", ":")) in text
