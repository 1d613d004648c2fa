"""The page as people use it: in a browser, which needs `playwright` and a Chromium of the system."""

import re
import threading

import numpy as np
import pytest

from bodies import KINECT, people
from hitrs.data.recording import Recording, Segment
from hitrs.data.store import Store, write_store
from hitrs.tasks.reply import Reply
from hitrs.viz.show import Gallery, Server, write_page

HOSTILE = '<img src="http://127.0.0.1:9/x" onerror="document.title=1"><script>document.title=2</script>'
FRAMES = 30


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """60 recordings of two persons with two segments; the second is missing from frame 20 on."""

    def recordings():
        positions, valid = people(FRAMES, persons=2)
        valid[20:, 1] = False
        valid[5:9, 0, 4] = False
        for number in range(60):
            yield Recording(
                positions,
                valid,
                KINECT,
                HOSTILE if number == 3 else f"clip-{number:02}",
                fps=10.0,
                segments=(Segment(3, 12, "wave"), Segment(15, 25, HOSTILE if number == 3 else "nod")),
                subject=str(number % 5),
            )

    return write_store(tmp_path_factory.mktemp("browser") / "store", recordings())


@pytest.fixture(scope="module")
def written(store: Store) -> str:
    """The address of the page of a run."""
    out = store.path.parent / "page.html"
    write_page(gallery(store), out)
    return out.as_uri()


def answered(recording: Recording) -> Reply:
    wrong = recording.name in ("clip-01", "clip-07")
    probabilities = np.tile([0.1, 0.7, 0.2], (recording.n_frames, 1))
    probabilities[10:] = [0.8, 0.1, 0.1]
    return Reply(
        recording,
        "wave 70%",
        error=1.7 if wrong else 0.3,
        right=not wrong,
        segments=((3, 12, "wave", 0.7), (14, 22, "nod", 0.8)),
        probabilities=probabilities,
        labels=("nod", "wave", "no action"),
    )


@pytest.fixture
def opened(browser, written: str):
    """``opened(width=1200, scheme="light")``: the page of a run in a window; it asks for nothing else."""
    contexts, asked, failed = [], [], []

    def make(width: int = 1200, scheme: str = "light"):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto(written)
        page.wait_for_selector(".card")
        return page

    yield make
    for context in contexts:
        context.close()
    assert set(asked) == {written}
    assert failed == []


def gallery(store: Store) -> Gallery:
    made = Gallery("run", [(store, range(len(store)))], replier=answered)
    assert list(made.ask()) == []
    return made


def moment(page) -> int:
    """The frame that is shown."""
    found = re.search(r"frame (\d+) of 30", page.text_content("#moment"))
    assert found is not None
    return int(found[1])


def until(page, condition: str) -> None:
    """Waits for it; the policy of the page does not let playwright's own way into it."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{condition} did not come true")


def names(page) -> list[str]:
    return page.eval_on_selector_all("#rows .row > span", "all => all.map(each => each.textContent)")


def picture(page) -> str:
    return page.eval_on_selector("canvas.scene", "canvas => canvas.toDataURL()")


def test_playing_and_stopping(opened) -> None:
    page = opened()
    assert moment(page) == 0
    page.keyboard.press("Space")
    until(page, "document.querySelector('#seek').value > 2")
    assert page.text_content("#play") == "Pause"
    page.keyboard.press("Space")
    assert page.text_content("#play") == "Play"
    stopped = moment(page)
    page.keyboard.press("ArrowRight")
    assert moment(page) == stopped + 1


def test_it_stops_at_the_end_unless_it_repeats(opened) -> None:
    page = opened()
    page.uncheck("#repeat")
    page.select_option("#speed", "4")
    page.click("#play")
    until(page, "document.querySelector('#play').textContent === 'Play'")
    assert moment(page) == FRAMES - 1
    page.check("#repeat")
    page.click("#play")  # from the start again
    until(page, "document.querySelector('#seek').value < 25")
    assert page.text_content("#play") == "Pause"


def test_the_keyboard_is_enough(opened) -> None:
    page = opened()
    for key, frame in (
        ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 29), ("ArrowRight", 29), ("Home", 0)
    ):  # fmt: skip
        page.keyboard.press(key)
        assert moment(page) == frame
    page.keyboard.press("+")
    assert page.input_value("#speed") == "2"
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert page.input_value("#speed") == "0.5"
    before = picture(page)
    page.keyboard.press("Shift+ArrowRight")
    assert picture(page) != before
    page.keyboard.press("0")
    assert picture(page) == before
    page.keyboard.press("n")
    page.wait_for_selector("article[aria-label='clip-07']")
    page.keyboard.press("p")
    page.wait_for_selector("article[aria-label='clip-01']")
    page.focus("#text")
    page.keyboard.type("n0+ ")
    assert page.input_value("#text") == "n0+ "  # a search, no command
    page.focus("#play")
    assert page.eval_on_selector("#play", "button => getComputedStyle(button).outlineStyle") == "solid"


def test_a_click_jumps(opened) -> None:
    page = opened()
    page.click(".lane:nth-child(1) .span >> nth=1")
    assert moment(page) == 15
    page.click(".lane:nth-child(2) .span >> nth=1")
    assert moment(page) == 14
    box = page.locator(".track.thin").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.705, box["y"] + 3)
    assert moment(page) == 21
    page.fill("#seek", "8")
    assert moment(page) == 8


def test_dragging_turns(opened) -> None:
    page = opened()
    before = picture(page)
    box = page.locator("canvas.scene").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 120)
    page.mouse.up()
    turned = picture(page)
    assert turned != before
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    assert picture(page) == turned


def test_what_is_not_seen_is_told_and_drawn(opened) -> None:
    page = opened()
    assert page.text_content(".unseen") == ""
    page.fill("#seek", "20")
    assert page.text_content(".unseen") == "Not seen in this frame: person 2."
    assert "hollow: not seen" in page.text_content(".legend")
    assert "person 2 is not seen at all in 33% of the frames" in page.get_attribute(
        ".track.thin canvas", "aria-label"
    )


def test_the_answer_of_each_frame(opened) -> None:
    page = opened()
    bars = "all => all.map(each => each.innerText.replace(/\\s+/g, ' '))"
    assert page.eval_on_selector_all(".bars li", bars) == ["wave 70%", "no action 20%", "nod 10%"]
    page.fill("#seek", "12")
    assert page.eval_on_selector_all(".bars li", bars)[0] == "nod 80%"
    assert page.text_content(".said") == "wrong: wave 70%"


def test_errors_come_first_and_are_found(opened) -> None:
    page = opened()
    assert names(page)[:3] == ["clip-01", "clip-07", "clip-00"]
    assert page.text_content("#count") == "60 recordings"
    page.select_option("#answer", "wrong")
    assert names(page) == ["clip-01", "clip-07"]
    assert page.text_content("#count") == "2 of 60 recordings"
    page.select_option("#answer", "")
    page.select_option("#subject", "2")
    assert len(names(page)) == 12
    page.fill("#text", "clip-1")
    assert names(page) == ["clip-12", "clip-17"]
    page.fill("#text", "no such")
    assert names(page) == []
    page.fill("#text", "")
    page.select_option("#subject", "")
    assert len(names(page)) == 50
    page.click("#next")
    assert page.text_content("#range") == "51–60"
    assert len(names(page)) == 10
    page.click("#rows li:nth-child(2) .row")
    page.wait_for_selector("article[aria-label='clip-51']")
    assert page.locator(".card").count() == 1


def test_recordings_stand_side_by_side(opened) -> None:
    page = opened()
    page.click("#rows li:nth-child(2) .beside")
    page.wait_for_selector("article[aria-label='clip-07']")
    assert page.locator(".card").count() == 2
    page.keyboard.press("End")
    heads = "all => all.map(each => each.style.left)"
    assert len(set(page.eval_on_selector_all(".head", heads))) == 1  # one time for all
    page.click("[aria-label='Remove clip-01']")
    assert page.locator(".card h2").all_text_contents() == ["clip-07"]
    page.click("[aria-label='Remove clip-07']")
    assert page.locator("#transport").is_hidden()


def test_text_of_data_is_shown_as_text(opened) -> None:
    page = opened()
    page.fill("#text", "onerror")
    assert names(page) == [HOSTILE]
    page.click("#rows .row")
    until(page, "document.querySelector('.card h2').textContent.includes('onerror')")
    assert page.text_content(".card h2") == HOSTILE
    assert page.text_content(".span >> nth=1") == HOSTILE
    assert page.title() == "run"
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_phones_and_desks(opened, width: int) -> None:
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click("#rows li:nth-child(2) .beside")
    page.wait_for_selector("article[aria-label='clip-07']")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click("#rows li:nth-child(9) .row")
    page.wait_for_selector("article[aria-label='clip-08']")
    box = page.locator(".card").bounding_box()  # in sight, although the list stands below it on a phone
    assert -box["height"] / 2 < box["y"] < 400


def test_light_and_dark(opened) -> None:
    color = "getComputedStyle(document.body).backgroundColor"
    light, dark = opened(scheme="light"), opened(scheme="dark")
    assert light.evaluate(color) != dark.evaluate(color)
    assert picture(light) != picture(dark)


def test_all_that_can_be_used_has_a_name(opened) -> None:
    page = opened()
    page.click("#rows li:nth-child(2) .beside")
    page.wait_for_selector("article[aria-label='clip-07']")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas, section, nav")]
            .filter(each => !(each.getAttribute("aria-label") || each.textContent.trim()
                || (each.labels && [...each.labels].some(label => label.textContent.trim()))))
            .map(each => each.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("h1").count() == page.locator("main").count() == 1


def test_a_served_page_asks_for_what_it_shows(browser, store: Store) -> None:
    with Server(gallery(store)) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            page = browser.new_page()
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url.removeprefix(server.url)))
            page.goto(server.url)
            page.wait_for_selector("article[aria-label='clip-01']")
            assert sum(each.startswith("drawing") for each in asked) == 1
            assert len(names(page)) == 50
            page.click("#next")
            until(page, "document.querySelector('#range').textContent === '51–60'")
            page.fill("#text", "clip-5")
            until(page, "document.querySelector('#count').textContent === '10 of 60 recordings'")
            page.click("#rows li:nth-child(1) .row")
            page.wait_for_selector("article[aria-label='clip-50']")
            page.close()
        finally:
            server.stop()
            thread.join()
    assert sum(each.startswith("drawing") for each in asked) == 2
    assert all(each.startswith(("rows?", "drawing?")) or each == "" for each in asked)
