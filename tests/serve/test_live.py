"""Frames as they come: in order, answered as by the online classes; what is wrong costs one client."""

import io
import json
import socket
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed

from hitrs import OnlineDetector, OnlineRecognizer, import_dataset
from hitrs.data.formats.npz import read_npz
from hitrs.data.video.rate import Held
from hitrs.serve import Limits
from hitrs.serve import live as module
from hitrs.serve.moment import Moments
from people_models import person
from servers import Served, begin, heard, say

FRAMES = person(frames=40).positions  # (T, 1, J, 3)


def send(live, frame, **more) -> None:
    say(live, "frame", positions=None if frame is None else np.round(frame, 5).tolist(), **more)


def until_finished(live) -> list[dict]:
    """What is heard before the recording is over."""
    answers = []
    while (message := heard(live))["type"] != "finished":
        answers.append(message)
    return answers


def nth(number: int) -> np.ndarray:
    return FRAMES[number % len(FRAMES)]


def test_a_detector_answers_each_frame_as_the_class_does(served: Served, models) -> None:
    online = OnlineDetector(models["detection"])
    with served.live() as live:
        ready = begin(live, task="detection")
        assert ready["labels"] == [*ready["classes"], "no action"]
        for number in range(40):
            expected = online.update(np.round(nth(number), 5).astype(np.float32))
            send(live, nth(number))
            answer = heard(live)
            assert (answer["type"], answer["frame"], answer["frames"], answer["dropped"]) == (
                "answer",
                number,
                1,
                0,
            )
            assert answer["label"] == expected.label
            np.testing.assert_allclose(answer["probabilities"], expected.probabilities, atol=2e-4)
            assert answer["events"] == json.loads(json.dumps([e.to_dict(30.0) for e in expected.events]))
        say(live, "finish")
        ended = [each.to_dict(30.0) for each in online.finish()]
        assert heard(live) == {"type": "finished", "events": json.loads(json.dumps(ended))}


def test_a_recognizer_answers_for_the_window(served: Served, models) -> None:
    online = OnlineRecognizer(models["recognition"], window=10)
    with served.live() as live:
        begin(live, task="recognition", window=10)
        for number in range(25):
            expected = online.update(np.round(nth(number), 5).astype(np.float32))
            send(live, nth(number))
            answer = heard(live)
            assert answer["frame"] == number
        assert answer["label"] == (expected.label if expected.known else None)
        assert max(answer["probabilities"]) == pytest.approx(expected.probability, abs=2e-4)


def test_frames_that_come_at_once_are_answered_in_order_or_counted(served: Served) -> None:
    with served.live() as live:
        begin(live, task="detection")
        for number in range(100):
            send(live, nth(number))
        say(live, "finish")
        answers = until_finished(live)
    numbers = [each["frame"] for each in answers]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 99
    assert sum(each["frames"] + each["dropped"] for each in answers) == 100


def test_a_recognizer_answers_once_for_all_that_wait(served: Served) -> None:
    with served.live() as live:
        begin(live, task="recognition")
        for number in range(60):
            send(live, nth(number))
        say(live, "finish")
        answers = until_finished(live)
    assert answers[-1]["frame"] == 59
    assert sum(each["frames"] + each["dropped"] for each in answers) == 60
    assert len(answers) < 60


def test_a_model_with_a_rate_is_shown_the_newest_frame_as_often(served: Served, models) -> None:
    online, at = OnlineDetector(models["detection"]), Held(30.0).at
    with served.live() as live:
        begin(live, task="detection")
        for number in range(20):  # at 10 a second, the model's rate is 30
            send(live, nth(number), seconds=number / 10)
            answer = heard(live)
            shown = list(at(number / 10, np.round(nth(number), 5).astype(np.float32)))
            assert len(shown) == (3 if number else 1)
            expected = [online.update(each) for each in shown][-1]
            np.testing.assert_allclose(answer["probabilities"], expected.probabilities, atol=2e-4)


GARBAGE = [
    ("hello", "message", "no JSON"),
    ("[" * 60_000, "message", "no JSON"),
    ("[1, 2]", "message", "an object with a"),
    ('{"type": 7}', "message", "an object with a"),
    ('{"type": "dance"}', "message", "there is no message of type 'dance'"),
    ('{"type": "frame", "positions": [[1, 2, 3]], "x": 1}', "frame", "no x"),
    ('{"type": "frame"}', None, ""),  # nobody
    ('{"type": "frame", "positions": "here"}', "frame", "`positions` is a list"),
    ('{"type": "frame", "positions": [[1, 2], [3]]}', "frame", "no numbers of one shape"),
    (
        '{"type": "frame", "positions": [[1, 2, 3]]}',
        "frame",
        "positions have shape (1, 1, 3), expected (20, 3)",
    ),
    ('{"type": "frame", "positions": [["a", "b", "c"]]}', "frame", "no numbers of one shape"),
    ('{"type": "frame", "positions": [[{}, 1, 2]]}', "frame", "no numbers of one shape"),
    (
        '{"type": "frame", "positions": [[1e999, 1, 2]' + ", [0, 0, 0]" * 19 + "]}",
        "frame",
        "infinite or absurdly",
    ),
    (
        '{"type": "frame", "positions": [[1e300, 1, 2]' + ", [0, 0, 0]" * 19 + "]}",
        "frame",
        "infinite or absurdly",
    ),
    ('{"type": "frame", "positions": [[' + "9" * 4000 + ", 1, 2]" + ", [0, 0, 0]" * 19 + "]}", "frame", ""),
    ('{"type": "frame", "positions": ' + "[" * 200 + "]" * 200 + "}", "frame", ""),
    ('{"type": "frame", "positions": [[[0, 0, 0]], [[0, 0, 0]]]}', "frame", "expected (20, 3)"),
    (
        '{"type": "frame", "positions": null, "seconds": "now"}',
        "frame",
        "the seconds of a frame are a number",
    ),
    ('{"type": "frame", "positions": null, "seconds": NaN}', "frame", "the seconds of a frame are a number"),
    (
        '{"type": "frame", "positions": null, "seconds": 1e300}',
        "frame",
        "the seconds of a frame are a number",
    ),
    ('{"type": "start", "task": "dancing"}', "start", "there is no model for dancing"),
    ('{"type": "start", "task": "prediction"}', "start", "whole recordings"),
    ('{"type": "start"}', "start", "name one of them as `task`"),
    ('{"type": "start", "task": "detection", "layout": "/etc/passwd"}', "start", "there is no layout"),
    (
        '{"type": "start", "task": "detection", "persons": 99}',
        "start",
        "start.persons must be a whole number from 1",
    ),
    (
        '{"type": "start", "task": "detection", "window": 1000000}',
        "start",
        "start.window must be a whole number",
    ),
    ('{"type": "start", "task": "detection", "winow": 3}', "start", "did you mean 'window'"),
    ('{"type": "record", "do": "start"}', "token", "needs the token"),
    (b"", "frame", "pictures were not announced"),
    (b"\0" * 100, "frame", "pictures were not announced"),
    ("x" * 70_000, "message", "at most 65,536 characters"),
]


@pytest.mark.parametrize(("text", "code", "words"), GARBAGE)
def test_garbage_is_answered_in_a_sentence_and_the_next_frame_goes_on(
    served: Served, text, code, words
) -> None:
    with served.live() as live:
        begin(live, task="detection")
        send(live, nth(0))
        heard(live)
        live.send(text)
        message = heard(live)
        if code is None:
            assert message["type"] == "answer"
        else:
            assert (message["type"], message["code"]) == ("error", code)
            assert words in message["message"]
            assert len(message["message"]) > 15
        send(live, nth(1))
        assert heard(live)["type"] == "answer"


def test_a_frame_before_the_start(served: Served) -> None:
    with served.live() as live:
        send(live, nth(0))
        assert heard(live)["code"] == "start"
        say(live, "finish")
        assert heard(live)["code"] == "start"
        assert begin(live, task="detection")["type"] == "ready"


def test_seconds_that_go_back(served: Served) -> None:
    with served.live() as live:
        begin(live, task="detection")
        send(live, nth(0), seconds=5)
        heard(live)
        send(live, nth(1), seconds=4)
        assert "the one before of 5 s" in heard(live)["message"]
        say(live, "finish")
        heard(live)
        send(live, nth(1), seconds=0)  # another recording
        assert heard(live)["type"] == "answer"


def test_another_unit_is_converted_and_told_once(served: Served) -> None:
    with served.live() as live:
        begin(live, task="detection")
        send(live, 1000 * nth(0))
        assert any("millimeters" in note for note in heard(live)["notes"])
        send(live, 1000 * nth(1))
        assert heard(live)["notes"] == []


def test_another_layout_and_missing_joints(served: Served) -> None:
    with served.live() as live:
        ready = begin(live, task="detection", layout="ntu25", persons=2)
        assert len(ready["joints"]) == 25
        frame = np.random.default_rng(0).normal(size=(25, 3)).tolist()
        frame[3] = None
        frame[4] = [None, 1, 2]
        say(live, "frame", positions=frame)
        heard(live)
        say(live, "frame", positions=[frame, None])
        assert heard(live)["frame"] == 1
        say(live, "frame", positions=[frame, frame, frame])
        assert '"persons": 3' in heard(live)["message"]


def test_the_skeleton_comes_back_upright(served: Served) -> None:
    turned = nth(0)[..., [0, 2, 1]] * np.float32([1, -1, 1])  # z up
    with served.live() as live:
        ready = begin(live, task="detection", skeleton=True)
        assert len(ready["bones"]) == 19
        frame = turned[0].tolist()
        frame[5] = None
        say(live, "frame", positions=frame)
        answer = heard(live)
        drawn = answer["skeleton"][0]
        assert drawn[5] is None
        assert drawn[ready["joints"].index("head")][1] > drawn[ready["joints"].index("left_foot")][1] + 1
        assert answer["view"]["radius"] > 0
        views = 0
        for _ in range(60):
            say(live, "frame", positions=frame)
            views += "view" in heard(live)
        assert 3 < views < 10  # the more was seen, the more rarely


# ---- Others.


def test_no_more_clients_than_are_allowed(serve) -> None:
    served = serve("detection", limits=Limits(clients=2))
    with served.live() as one, served.live() as two:
        for live in (one, two):
            begin(live)
        with served.live() as three, pytest.raises(ConnectionClosed) as closed:
            three.recv(timeout=60)
        assert (closed.value.rcvd.code, "2 clients are live" in closed.value.rcvd.reason) == (1013, True)
        send(one, nth(0))
        assert heard(one)["type"] == "answer"
    for _ in range(200):
        if not served.service.clients:
            break
        time.sleep(0.05)
    with served.live() as again:
        assert begin(again)["type"] == "ready"


def test_a_message_that_is_too_large_ends_its_client_alone(served: Served) -> None:
    with served.live() as good, served.live() as bad:
        begin(good, task="detection")
        with suppress(ConnectionClosed):
            bad.send(bytes(2_000_000))
        with pytest.raises(ConnectionClosed) as closed:
            bad.recv(timeout=60)
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
        send(good, nth(0))
        assert heard(good)["type"] == "answer"


def test_a_client_that_takes_no_answers_is_let_go(serve, monkeypatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    monkeypatch.setattr(module, "_PER_SECOND", 1e6)
    monkeypatch.setattr(module, "_AT_ONCE", 1e6)
    served = serve("detection")
    served.listener._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with served.live() as good:
        begin(good)
        raw = served.raw()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # a small buffer for what comes
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        head = (
            f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        raw.sendall(head.encode())
        say_raw(raw, {"type": "start", "skeleton": True})
        frame = {"type": "frame", "positions": np.round(nth(0), 4).tolist()}

        def flood() -> None:
            try:
                for _ in range(20_000):
                    say_raw(raw, frame)
            except OSError:
                pass

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        for number in range(40):
            send(good, nth(number))
            assert heard(good)["frame"] == number
        until = time.monotonic() + 60
        while served.service.clients > 1 and time.monotonic() < until:
            time.sleep(0.05)
        assert served.service.clients == 1
        with suppress(OSError):  # where the server's reset has come, nothing is left to shut down
            raw.shutdown(2)
        thread.join(60)
        raw.close()
        send(good, nth(0))
        assert heard(good)["type"] == "answer"


def say_raw(raw, values) -> None:
    """A text message of a websocket, masked with zeros."""
    body = json.dumps(values).encode()
    size = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + struct.pack(">H", len(body))
    raw.sendall(b"\x81" + size + b"\0\0\0\0" + body)


def test_broken_websockets_cost_others_nothing(served: Served) -> None:
    with served.live() as good:
        begin(good, task="detection")
        for garbage in (b"\xff" * 40, b"\x81\xff" + b"\xff" * 8, b"\x81\x05hello", b"\x88\x80\0\0\0\0"):
            with served.raw() as raw:
                raw.sendall(
                    f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Version: 13\r\n\r\n".encode()
                )
                assert raw.recv(12) == b"HTTP/1.1 101"
                raw.sendall(garbage)
                raw.shutdown(1)
        send(good, nth(0))
        assert heard(good)["type"] == "answer"


def test_many_come_and_go(serve) -> None:
    served = serve("detection")
    for number in range(100):
        with served.live() as live:
            if number % 2:
                begin(live)
                send(live, nth(0))
            if number % 3:
                live.socket.shutdown(2)  # without a goodbye
    until = time.monotonic() + 60
    while served.service.clients and time.monotonic() < until:
        time.sleep(0.05)
    assert served.service.clients == 0
    with served.live() as live:
        assert begin(live)["type"] == "ready"


def test_a_recording_that_takes_long_does_not_stop_who_is_live(serve, clip: Path) -> None:
    served = serve("recognition", "detection")
    model = served.service.models["recognition"]
    release = threading.Event()

    def slow(recording, **reading):
        assert release.wait(60)
        return {"done": True}

    object.__setattr__(model, "served", type(model.served)(slow, model.served.live))
    found: list = []
    thread = threading.Thread(
        target=lambda: found.append(served.ask("recognize", clip.read_bytes(), file="a.npz"))
    )
    thread.start()
    with served.live() as live:
        begin(live, task="detection")
        for number in range(10):
            send(live, nth(number))
            assert heard(live)["frame"] == number
    assert not found
    release.set()
    thread.join(60)
    assert found == [(200, {"done": True})]


def test_who_sends_too_many_other_messages_is_let_go(serve) -> None:
    served = serve("detection")
    model, release = served.service.models["detection"], threading.Event()
    live_of = model.served.live

    def slow(settings):
        assert release.wait(60)
        return live_of(settings)

    object.__setattr__(model, "served", type(model.served)(model.served.answer, slow))
    with served.live() as live:
        for _ in range(20):
            say(live, "start")
        with pytest.raises(ConnectionClosed) as closed:
            live.recv(timeout=60)
        assert closed.value.rcvd.reason == "too many messages beside frames"
        release.set()
    with served.live() as live:
        assert begin(live)["type"] == "ready"


# ---- Moments.


def test_a_moment_becomes_a_recording_that_an_import_reads(serve, tmp_path: Path) -> None:
    served = serve("detection", moments=tmp_path / "moments")
    with served.live(trusted=True) as live:
        begin(live)
        for number in range(30):
            if number == 5:
                say(live, "record", do="start")
                assert heard(live)["state"] == "recording"
            send(live, nth(number), seconds=number / 25)
            heard(live)
        say(live, "record", do="stop")
        assert heard(live) == {"type": "recording", "state": "stopped", "frames": 25}
        send(live, nth(0), seconds=2)  # which is not in it
        heard(live)
        assert list((tmp_path / "moments").iterdir()) == []
        say(live, "record", do="save", label="wave", subject="anna")
        kept = heard(live)
    assert (kept["state"], kept["frames"]) == ("saved", 25)
    recording = read_npz(tmp_path / "moments" / kept["file"])
    assert (recording.label, recording.subject, recording.fps) == ("wave", "anna", 25.0)
    np.testing.assert_allclose(recording.positions[:, 0], FRAMES[5:30, 0], atol=1e-5)
    store = import_dataset(tmp_path / "moments", tmp_path / "store")
    assert list(store.classes) == ["wave"]
    assert len(store) == 1


def test_a_moment_of_a_name_that_leads_elsewhere(serve, tmp_path: Path) -> None:
    served = serve("detection", moments=tmp_path / "moments")
    with served.live(trusted=True) as live:
        begin(live)
        for label in ("../../evil", "/etc/evil", "con", "", "a\0b", "ß" * 90):
            say(live, "record", do="start")
            heard(live)
            send(live, nth(0))
            heard(live)
            say(live, "record", do="save", label=label)
            assert heard(live)["state"] == "saved"
        for label in ("x" * 101, 7, None, ["x"]):
            say(live, "record", do="start")
            heard(live)
            send(live, nth(0))
            heard(live)
            say(live, "record", do="save", label=label)
            assert "at most 100 characters" in heard(live)["message"]
    assert len(list((tmp_path / "moments").iterdir())) == 6
    assert {path.name for path in tmp_path.iterdir()} == {"moments"}
    assert len(import_dataset(tmp_path / "moments", tmp_path / "store")) == 6


def test_what_is_wrong_with_a_moment(serve, tmp_path: Path) -> None:
    served = serve("detection", moments=tmp_path / "moments")
    with served.live(trusted=True) as live:
        say(live, "record", do="start")
        assert heard(live)["code"] == "start"
        begin(live)
        for values, words in (
            ({"do": "save", "label": "x"}, "nothing is being recorded"),
            ({"do": "dance"}, '"do" is one of these'),
            ({"do": ["start"]}, '"do" is one of these'),
            ({"do": "start", "label": "x"}, '"do" is one of these'),
        ):
            say(live, "record", **values)
            assert words in heard(live)["message"]
        say(live, "record", do="start")
        heard(live)
        send(live, None)
        heard(live)
        say(live, "record", do="save", label="x")
        assert "nobody was seen" in heard(live)["message"]
        say(live, "record", do="discard")
        assert heard(live)["state"] == "discarded"
    assert list((tmp_path / "moments").iterdir()) == []


def test_a_moment_without_a_folder(serve) -> None:
    served = serve("detection")
    with served.live(trusted=True) as live:
        assert begin(live)["recording"] is False
        say(live, "record", do="start")
        assert "--record FOLDER" in heard(live)["message"]


def test_a_moment_has_an_end(tmp_path: Path, monkeypatch) -> None:
    from hitrs.serve import moment as module

    monkeypatch.setattr(module, "_MOST_FRAMES", 3)
    kept = Moments(tmp_path / "m").begin(person().layout)
    for number in range(3):
        assert not kept.full
        kept.add(nth(number), np.ones((1, 20), bool), None)
    assert kept.full


# ---- Pictures.


def jpeg(bright: int = 200, size: tuple[int, int] = (64, 48)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (bright, bright, bright)).save(out, "JPEG")
    return out.getvalue()


def send_picture(live, seconds: float, picture: bytes) -> None:
    live.send(struct.pack("<d", seconds) + picture)


def test_pictures_become_skeletons(serve, fake, tmp_path: Path) -> None:
    fake("plain")
    served = serve("detection", moments=tmp_path / "moments")
    with served.live(trusted=True) as live:
        ready = begin(live, pictures=True, skeleton=True)
        assert (ready["layout"], ready["persons"]) == ("mediapipe33", 1)
        say(live, "record", do="start", pictures=True)
        heard(live)
        send_picture(live, 0.0, jpeg())
        answer = heard(live)
        assert any("MediaPipe" in note for note in answer["notes"])
        assert answer["milliseconds"]["pose"] > 0
        assert sum(point is not None for point in answer["skeleton"][0]) == 30
        send_picture(live, 0.1, jpeg(0))
        assert heard(live)["skeleton"] == [[None] * 33]
        for bad in (b"x" * 100, jpeg()[:100], b"GIF89a" + bytes(100)):
            send_picture(live, 0.2, bad)
            assert "cannot be read as JPEG, PNG or WebP" in heard(live)["message"]
        live.send(b"short")
        assert "8 bytes of a little-endian double" in heard(live)["message"]
        send(live, nth(0))
        assert "pictures were announced" in heard(live)["message"]
        send_picture(live, 0.3, jpeg())
        assert heard(live)["type"] == "answer"
        say(live, "record", do="save", label="wave")
        kept = heard(live)
    recording = read_npz(tmp_path / "moments" / kept["file"])
    assert recording.layout.name == "mediapipe33"
    pictures = tmp_path / "moments" / "pictures" / Path(kept["file"]).stem
    assert [path.name for path in sorted(pictures.iterdir())] == ["000000.jpg", "000001.jpg", "000002.jpg"]
    assert (pictures / "000000.jpg").read_bytes() == jpeg()
    assert len(import_dataset(tmp_path / "moments", tmp_path / "store")) == 1


@pytest.mark.parametrize("ending", ["save", "discard", "leave"])
def test_pictures_are_kept_only_where_they_were_asked_for(serve, fake, tmp_path: Path, ending: str) -> None:
    fake("plain")
    served = serve("detection", moments=tmp_path / "moments")
    with served.live(trusted=True) as live:
        begin(live, pictures=True)
        say(live, "record", do="start", pictures=ending != "save")
        heard(live)
        send_picture(live, 0.0, jpeg())
        heard(live)
        if ending != "leave":
            say(live, "record", do=ending)
            heard(live)
    until = time.monotonic() + 60
    while served.service.clients and time.monotonic() < until:
        time.sleep(0.02)
    assert [path for path in (tmp_path / "moments").rglob("*") if path.suffix == ".jpg"] == []


def test_a_pose_process_that_ends_is_started_once_more(serve, fake) -> None:
    counts = fake("dies")
    served = serve("detection")
    with served.live() as live:
        begin(live, pictures=True)
        for number in range(8):
            send_picture(live, number / 10, jpeg())
            answer = heard(live)
            assert answer["type"] == "answer"
            if number == 5:
                assert "the pose process ended and was started again" in answer["notes"]
    assert (counts / "starts").read_text() == "2"


def test_no_more_cameras_than_are_allowed_and_they_end_with_their_client(serve, fake) -> None:
    fake("plain")
    served = serve("detection", limits=Limits(cameras=1))
    with served.live() as one, served.live() as two:
        assert begin(one, pictures=True)["type"] == "ready"
        assert "1 cameras are looked at already" in begin(two, pictures=True)["message"]
        send(two, nth(0))
        assert heard(two)["code"] == "start"
    until = time.monotonic() + 60
    while served.service.cameras and time.monotonic() < until:
        time.sleep(0.02)
    with served.live() as three:
        assert begin(three, pictures=True)["type"] == "ready"


def test_without_the_pose_environment_pictures_are_refused_and_skeletons_taken(
    serve, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("HITRS_CACHE", str(tmp_path / "nothing"))
    monkeypatch.delenv("HITRS_VIDEO_PYTHON", raising=False)
    served = serve("detection")
    assert "hitrs video-setup" in served.ask(f"{served.token}/")[1]
    with served.live() as live:
        message = begin(live, pictures=True)
        assert (message["code"], "hitrs video-setup" in message["message"]) == ("pictures", True)
        assert begin(live)["type"] == "ready"
        send(live, nth(0))
        assert heard(live)["type"] == "answer"
