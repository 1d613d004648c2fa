"""The live page as people use it: in a browser, which needs `playwright` and a Chromium of the system."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bodies import KINECT, people
from hitrs import import_dataset
from hitrs.data import Recording, write_npz
from hitrs.data.formats.npz import read_npz
from hitrs.data.video import environment
from hitrs.errors import DataError
from servers import Served


@pytest.fixture
def opened(browser) -> Iterator[Callable[..., Any]]:
    """``opened(served, width=1200, scheme="light")``: the page in a window; it asks nobody but its server."""
    contexts, asked, failed = [], [], []
    own: list[str] = []

    def make(served: Served, width: int = 1200, scheme: str = "light", **more: Any):
        own.append(f"127.0.0.1:{served.port}/")
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("console", lambda said: failed.append(said.text) if said.type == "error" else None)
        page.goto(served.url)
        page.wait_for_selector("#camera")
        return page

    yield make
    for context in contexts:
        context.close()
    assert [
        url for url in asked if not any(each in url for each in own) and not url.startswith("blob:")
    ] == []
    assert [each for each in failed if "status of 422" not in each] == []


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A recording of two persons and nine seconds."""
    positions, valid = people(270, persons=2)
    valid[40:60, 1] = False
    valid[:, 0, 5] = False
    path = tmp_path / "anna.npz"
    write_npz(Recording(positions, valid, KINECT, "anna", fps=30.0), path)
    return path


def until(page, condition: str) -> None:
    """Waits for it; the policy of the page does not let playwright's own way into it."""
    for _ in range(1200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{condition} did not come true: {page.text_content('#problem')}")


def open_recording(page, path: Path) -> None:
    page.set_input_files("#recording-file", path)
    page.wait_for_selector(f"article[aria-label='{path.stem}']")


def test_a_recording_is_answered_and_played(opened, served: Served, long: Path) -> None:
    page = opened(served)
    assert page.locator("#whole").is_hidden()
    page.select_option("#task", "recognition")
    open_recording(page, long)
    assert page.locator(".bars li").count() == 3
    page.keyboard.press("Space")
    until(page, "document.querySelector('#seek').value > 2")
    page.keyboard.press("Space")
    page.select_option("#task", "prediction")
    page.set_input_files("#recording-file", long)
    until(page, "document.querySelector('.card .legend').textContent.includes('predicted')")
    assert page.locator("#play-live").is_hidden()
    assert page.locator("#camera").is_disabled()
    assert "whole recordings" in page.text_content("#no-pictures")


@pytest.mark.parametrize("task", ["detection", "recognition"])
def test_a_recording_goes_through_the_model_live(opened, served: Served, long: Path, task: str) -> None:
    page = opened(served)
    page.select_option("#task", task)
    open_recording(page, long)
    page.click("#play-live")
    until(page, "document.querySelector('#figures').textContent.includes('latency')")
    until(page, "document.querySelector('#now').textContent.length > 0")
    before = page.evaluate("document.querySelector('#scene').toDataURL()")
    until(page, "live.answered > 60")
    assert page.evaluate("document.querySelector('#scene').toDataURL()") != before
    labels = {*served.ask("models")[1]["models"][0]["classes"], "no action"}
    assert page.text_content("#now") in labels
    assert page.locator("#scores li").count() == 3
    assert re.search(
        r"latency \d+ ms \(waited .*model .*\) · \d+ frames a second", page.text_content("#figures")
    )
    until(page, "live.answered === 269")
    page.click("#stop")
    assert page.locator("#stop").is_hidden()
    assert page.text_content("#problem") == ""


def test_what_is_not_seen_is_not_made_up(opened, served: Served, long: Path) -> None:
    page = opened(served)
    page.select_option("#task", "detection")
    open_recording(page, long)
    page.click("#play-live")
    until(page, "live.answered > 5")
    never, seen = page.evaluate(
        "[live.figure.last[live.figure.stride + 5], live.figure.last[live.figure.stride]]"
    )
    assert (never, seen) == (-1, 1)


def test_a_moment_is_recorded_and_labeled_by_keyboard_alone(
    opened, serve, long: Path, tmp_path: Path
) -> None:
    served = serve("detection", moments=tmp_path / "moments")
    page = opened(served)
    open_recording(page, long)
    page.focus("#play-live")
    page.keyboard.press("Enter")
    until(page, "live.answered > 5")
    page.focus("#stop")
    page.keyboard.press("r")
    until(page, "document.querySelector('#record').textContent === 'Stop'")
    begun = page.evaluate("live.answered")
    until(page, f"live.answered > {begun + 30}")
    page.keyboard.press("r")
    until(page, "document.activeElement.id === 'label'")
    page.keyboard.type("rare wave")  # r is a letter here
    page.keyboard.press("Tab")
    page.keyboard.type("anna")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#kept').textContent.startsWith('Kept as')")
    (file,) = (tmp_path / "moments").glob("*.npz")
    assert file.name in page.text_content("#kept")
    recording = read_npz(file)
    assert (recording.label, recording.subject) == ("rare wave", "anna")
    assert recording.n_frames > 20
    assert recording.fps == pytest.approx(30, abs=0.1)
    assert import_dataset(tmp_path / "moments", tmp_path / "store").classes == ("rare wave",)
    assert page.locator("#record").is_enabled()


def test_a_moment_is_discarded(opened, serve, long: Path, tmp_path: Path) -> None:
    served = serve("detection", moments=tmp_path / "moments")
    page = opened(served)
    open_recording(page, long)
    page.click("#play-live")
    until(page, "live.answered > 5")
    page.click("#record")
    until(page, "document.querySelector('#record').textContent === 'Stop'")
    page.click("#record")
    until(page, "!document.querySelector('#naming').hidden")
    page.click("#discard")
    assert page.locator("#naming").is_hidden()
    assert list((tmp_path / "moments").iterdir()) == []


def test_a_page_with_another_token_is_refused(browser, served: Served) -> None:
    page = browser.new_page()
    answer = page.goto(served.url.replace(served.token, "x" * len(served.token)))
    assert answer.status == 404
    assert page.locator("#camera").count() == 0
    page.close()


def test_another_site_cannot_reach_it(browser, served: Served) -> None:
    """A page from elsewhere, whose browser is on this machine."""
    page = browser.new_page()
    page.route(
        "http://example.org/", lambda route: route.fulfill(body="<h1>evil</h1>", content_type="text/html")
    )
    page.goto("http://example.org/")
    told = page.evaluate(
        f"""async () => {{
            const tried = [];
            await fetch("http://127.0.0.1:{served.port}/models").then(
                (answer) => tried.push(answer.status), () => tried.push("refused"));
            tried.push(await new Promise((done) => {{
                const socket = new WebSocket("ws://127.0.0.1:{served.port}/{served.token}/live");
                socket.onopen = () => done("open");
                socket.onerror = () => done("refused");
            }}));
            return tried;
        }}"""
    )
    assert told == ["refused", "refused"]
    page.close()


def test_a_file_that_is_no_recording(opened, served: Served, tmp_path: Path) -> None:
    page = opened(served)
    (tmp_path / "a.npz").write_bytes(b"nothing")
    page.set_input_files("#recording-file", tmp_path / "a.npz")
    until(page, "document.querySelector('#problem').textContent.includes('a.npz is not shown')")


def test_the_server_goes_away(opened, serve, long: Path) -> None:
    served = serve("detection")
    page = opened(served)
    open_recording(page, long)
    page.click("#play-live")
    until(page, "live.answered > 5")
    served.listener.stop()
    until(page, "document.querySelector('#problem').textContent.length > 10")
    assert page.locator("#stop").is_hidden()


def test_the_camera_of_the_browser(opened, serve, fake, tmp_path: Path) -> None:
    fake("plain")
    served = serve("detection", moments=tmp_path / "moments")
    page = opened(served, permissions=["camera"])
    page.click("#camera")
    until(page, "live.answered > 10")
    assert page.locator("#picture").is_visible()
    assert any("MediaPipe" in each for each in page.locator("#notes li").all_text_contents())
    assert page.get_attribute("#camera", "aria-pressed") == "true"
    assert page.evaluate("live.figure.view !== null")
    page.check("#pictures")
    page.click("#record")
    begun = page.evaluate("live.answered")
    until(page, f"live.answered > {begun + 5}")
    page.click("#record")
    page.fill("#label", "sit")
    page.click("#save")
    until(page, "document.querySelector('#kept').textContent.startsWith('Kept as')")
    page.click("#stop")
    assert page.locator("#picture").is_hidden()
    assert page.evaluate("picture.srcObject") is None
    assert len(list((tmp_path / "moments").rglob("*.jpg"))) > 3


def test_a_video_with_the_real_pose_process(opened, serve, hitrs_data) -> None:
    try:
        environment.command()
    except DataError as error:
        pytest.skip(str(error))
    clip = hitrs_data("videos") / "sports2d-demo.mp4"
    page = opened(serve("recognition"))
    page.set_input_files("#video-file", clip)
    until(page, "live.figure && live.figure.last.subarray(live.figure.stride).includes(1)")
    up = page.evaluate(
        """() => {
            const at = (name) => position(live.figure, 1, 0, live.figure.joints.indexOf(name))[1];
            return at("nose") - at("left_hip");
        }"""
    )
    assert up > 0.2  # meters: a person in motion, upright, although MediaPipe's y points down


def test_without_the_pose_environment_the_page_says_so(
    opened, serve, long: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("HITRS_CACHE", str(tmp_path / "nothing"))
    page = opened(serve("detection"))
    assert page.locator("#camera").is_disabled()
    assert page.locator("#video").is_disabled()
    assert "hitrs video-setup" in page.text_content("#no-pictures")
    open_recording(page, long)


@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_phones_and_desks(opened, served: Served, long: Path, width: int) -> None:
    page = opened(served, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.select_option("#task", "detection")
    open_recording(page, long)
    page.click("#play-live")
    until(page, "live.answered > 40")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#now").bounding_box()
    assert box["y"] + box["height"] < 800 + 400 * (width < 600)


def test_light_and_dark(opened, served: Served) -> None:
    color = "getComputedStyle(document.body).backgroundColor"
    assert opened(served).evaluate(color) != opened(served, scheme="dark").evaluate(color)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_it_is_accessible(opened, served: Served, long: Path, width: int, scheme: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python", reason="axe is not installed: `pip install axe-playwright-python`"
    )
    script = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page = opened(served, width, scheme)
    page.select_option("#task", "detection")
    open_recording(page, long)
    page.click("#play-live")
    until(page, "live.answered > 40")
    page.click("#record")
    until(page, "document.querySelector('#record').textContent === 'Stop'")
    page.click("#record")
    until(page, "!document.querySelector('#naming').hidden")
    page.evaluate(script)
    found = page.evaluate("axe.run().then((results) => results.violations)")
    assert [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"]) for each in found
    ] == []


def test_every_control_is_reached_by_tab(opened, served: Served, long: Path) -> None:
    page = opened(served)
    page.select_option("#task", "detection")
    open_recording(page, long)
    page.focus("#camera")
    reached = {"camera"}
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"recording", "task", "play-live", "play", "seek", "speed", "repeat"} <= reached
