"""A recording that is sent: answered as by the commands, or refused in a sentence, at no cost to others."""

import json
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from hitrs import Detector, Predictor, Recognizer
from hitrs.cli.main import main
from hitrs.data import write_npz
from hitrs.errors import ConfigError
from hitrs.serve import Limits, Service, upload
from people_models import person
from servers import Served


def as_json(values):
    return json.loads(json.dumps(values))


def test_the_answers_are_those_of_the_commands(served: Served, models, clip: Path, capsys) -> None:
    for task, verb in (("recognition", "recognize"), ("detection", "detect")):
        capsys.readouterr()
        assert main([verb, models[task], str(clip), "--json"]) == 0
        (command,) = json.loads(capsys.readouterr().out)
        command.pop("file", None)
        status, answer = served.ask(verb, clip.read_bytes(), file="anna.npz")
        assert (status, answer) == (200, command)


def test_a_predicted_recording(served: Served, models, clip: Path) -> None:
    done = Predictor(models["prediction"])(clip, at=40)
    status, answer = served.ask("predict", clip.read_bytes(), file="anna.npz", at=40)
    assert status == 200
    assert answer == as_json(done.to_dict())
    np.testing.assert_allclose(answer["positions"], done.positions, atol=1e-5)
    assert len(answer["errors"]) == len(done.positions)
    assert answer["start"] == 40


def test_null_stands_for_what_is_not_predicted(served: Served, tmp_path: Path) -> None:
    recording = person(frames=40)
    recording.valid[:, :, 3] = False
    recording.positions[:, :, 3] = 0
    write_npz(recording, tmp_path / "a.npz")
    answer = served.ask("predict", (tmp_path / "a.npz").read_bytes(), file="a.npz")[1]
    assert answer["positions"][0][0][3] == [None, None, None]
    assert None not in answer["positions"][0][0][4]


def test_options_are_those_of_the_commands(served: Served, models, tmp_path: Path) -> None:
    slow = person(frames=30, fps=15.0)
    write_npz(slow, tmp_path / "slow.npz")
    body = (tmp_path / "slow.npz").read_bytes()
    status, told = served.ask("detect", body, file="slow.npz")
    assert (status, "15 frames a second" in told["error"]) == (422, True)
    status, answer = served.ask("detect", body, file="slow.npz", resample="true")
    assert (status, answer["frames"]) == (200, 59)
    expected = Detector(models["detection"])(tmp_path / "slow.npz", resample=True)
    assert answer == as_json(expected.to_dict())


def test_a_table_needs_its_layout_and_is_read_with_it(served: Served, models, tmp_path: Path) -> None:
    recording = person(frames=30)
    path = tmp_path / "plain.csv"
    np.savetxt(path, recording.positions[:, 0].reshape(30, -1), delimiter=",", fmt="%.6f")
    reading = {"layout": "kinect20", "columns": "x,y,z", "fps": 30}
    status, answer = served.ask("recognize", path.read_bytes(), file="plain.csv", **reading)
    assert status == 200, answer
    assert answer["scores"] == [
        {"label": s.label, "probability": pytest.approx(s.probability, abs=1e-3)}
        for s in Recognizer(models["recognition"])(recording).scores
    ]
    joints = ",".join(recording.layout.joints)
    assert (
        served.ask("recognize", path.read_bytes(), file="plain.csv", **{**reading, "layout": joints})[0]
        == 200
    )


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({}, 400, "name the file as `file`"),
        ({"file": "a.npz", "lay": "x"}, 400, "there is no option lay; did you mean 'layout'"),
        ({"file": "a.npz", "fps": "fast"}, 400, "fps must be a number, got 'fast'"),
        ({"file": "a.npz", "fps": "nan"}, 400, "fps must be above 0"),
        ({"file": "a.npz", "resample": "maybe"}, 400, "resample must be true or false"),
        ({"file": "a.npz", "at": "3"}, 400, "there is no option at"),
        ({"file": "a.npz", "unit": "miles"}, 400, "unit must be one of"),
        ({"file": "a.npz", "layout": "/etc/passwd"}, 422, "there is no layout '/etc/passwd'"),
        ({"file": "a.npz", "layout": "layouts/own.yaml"}, 422, "there is no layout 'layouts/own.yaml'"),
        ({"file": "a.bvh"}, 422, "a.bvh"),
        ({"file": "../../etc/passwd"}, 422, "passwd"),
        ({"file": "/etc/passwd"}, 422, "passwd"),
    ],
)
def test_what_is_refused(served: Served, clip: Path, query, status: int, words: str) -> None:
    answered, told = served.ask("recognize", clip.read_bytes(), **query)
    assert (answered, words in told["error"]) == (status, True), told
    assert "/tmp" not in told["error"]
    assert "root:" not in told["error"]


@pytest.mark.parametrize(
    "body", [b"", b"\0" * 1000, b"PK\x03\x04" + b"x" * 500, b"{" * 5000, "ü".encode() * 99]
)
@pytest.mark.parametrize(
    "name", ["a.npz", "a.csv", "a.json", "a.bvh", "a.c3d", "a.pkl", "a.mat", "a", "\0", "a\n.npz"]
)
def test_garbage_is_refused_in_a_sentence(served: Served, body: bytes, name: str) -> None:
    status, told = served.ask("recognize", body, file=name)
    assert status in (400, 422)
    assert len(told["error"]) > 20
    assert "hitrs-" not in told["error"]  # the temporary folder


@pytest.mark.parametrize(
    ("what", "method", "status"),
    [
        ("nothing", "GET", 404),
        ("../../etc/passwd", "GET", 404),
        ("%2e%2e/%2e%2e/etc/passwd", "GET", 404),
        ("//etc/passwd", "GET", 404),
        ("live.js", "GET", 404),
        ("recognize", "GET", 405),
        ("models", "DELETE", 405),
        ("live", "GET", 404),
    ],
)
def test_what_there_is_not(served: Served, what: str, method: str, status: int) -> None:
    answered, told = served.ask(what, method=method)
    assert answered == status
    assert told["error"]


def test_a_task_without_a_model_is_named(serve) -> None:
    status, told = serve("recognition").ask("predict", b"", file="a.npz")
    assert status == 404
    assert "no model for prediction is served; start `hitrs serve` with one" in told["error"]


def test_too_large_is_refused_before_and_while_it_comes(serve, clip: Path) -> None:
    served = serve("recognition", limits=Limits(upload=10_000))
    status, told = served.ask("recognize", bytes(20_000), file="a.npz")
    assert (status, "larger than 0.01 MB" in told["error"]) == (413, True)
    with served.raw() as connection:  # which does not say how large it is
        head = f"POST /recognize?file=a.npz HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        head += "Transfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + (b"1000\r\n" + bytes(4096) + b"\r\n") * 4)
        assert connection.recv(100).split()[1] == b"413"
    assert served.service.uploads == 0


def test_slow_and_half_closed_and_dead_ones_cost_others_nothing(serve, clip: Path, monkeypatch) -> None:
    monkeypatch.setattr(upload, "_PATIENCE", 0.5)
    served = serve("recognition")
    head = f"POST /recognize?file=a.npz HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
    head += "Content-Length: 5000\r\n\r\nabc"
    slow, half, dead = served.raw(), served.raw(), served.raw()
    for connection in (slow, half, dead):
        connection.sendall(head.encode())
    half.shutdown(1)
    dead.close()
    assert served.ask("recognize", clip.read_bytes(), file="a.npz")[0] == 200
    assert slow.recv(100).split()[1] == b"408"
    half.close()
    slow.close()
    until = time.monotonic() + 60
    while served.service.uploads and time.monotonic() < until:
        time.sleep(0.02)
    assert served.service.uploads == 0


def test_a_head_that_does_not_come_is_not_waited_for(serve, clip: Path, monkeypatch) -> None:
    from hitrs.serve import server

    monkeypatch.setattr(server, "_HEAD", 0.5)
    served = serve("recognition")
    silent, begun = served.raw(), served.raw()
    begun.sendall(b"GET /models HT")
    assert served.ask("models")[0] == 200
    for connection in (silent, begun):
        with suppress(ConnectionResetError):
            assert connection.recv(10) == b""
        connection.close()


def test_no_http_at_all(served: Served) -> None:
    for garbage in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 70_000,
    ):
        with served.raw() as connection:
            connection.sendall(garbage)
            connection.shutdown(1)
            try:
                answer = connection.recv(100)
            except ConnectionResetError:
                answer = b""
            assert answer == b"" or answer.split()[1].startswith(b"4")
    assert served.ask("models")[0] == 200


def test_a_defect_is_told_as_one_and_others_go_on(serve, clip: Path, caplog) -> None:
    served = serve("recognition")
    model = served.service.models["recognition"]
    broken = type(model.served)(lambda recording, **reading: 1 / 0)
    whole = model.served
    object.__setattr__(model, "served", broken)
    status, told = served.ask("recognize", clip.read_bytes(), file="a.npz")
    assert (status, "defect" in told["error"]) == (500, True)
    assert "ZeroDivisionError" in caplog.text
    object.__setattr__(model, "served", whole)
    assert served.ask("recognize", clip.read_bytes(), file="a.npz")[0] == 200


def test_many_at_once_are_answered_or_told_to_come_back(serve, clip: Path) -> None:
    served = serve("recognition")
    found: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(served.ask("recognize", clip.read_bytes(), file="a.npz")[0])
        )
        for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) <= {200, 503}
    assert found.count(200) >= 8
    assert served.ask("recognize", clip.read_bytes(), file="a.npz")[0] == 200


def test_the_description_lists_what_there_is(served: Served) -> None:
    told = served.ask("openapi.json")[1]
    assert told["openapi"] == "3.1.0"
    assert {"/recognize", "/detect", "/predict", "/live", "/models", "/drawing"} <= set(told["paths"])
    assert {each["name"] for each in told["paths"]["/predict"]["post"]["parameters"]} >= {
        "file",
        "layout",
        "at",
    }
    assert "at" not in {each["name"] for each in told["paths"]["/detect"]["post"]["parameters"]}
    for each in ("recognize", "detect", "predict"):
        assert served.ask(each, method="POST")[0] == 400  # the paths exist


def test_the_models(served: Served) -> None:
    found = {each["task"]: each for each in served.ask("models")[1]["models"]}
    assert found["detection"]["live"]
    assert not found["prediction"]["live"]
    assert found["recognition"]["classes"] == ["wave", "nod", "bow"]


def test_one_model_of_each_task(models) -> None:
    with pytest.raises(ConfigError, match="are both models for detection; serve one model of each task"):
        Service.of([models["detection"], models["detection"]])


def test_a_recording_as_the_page_draws_it(served: Served, clip: Path) -> None:
    status, drawing = served.ask("drawing", clip.read_bytes(), file="anna.npz", task="detection")
    assert status == 200
    assert (drawing["name"], drawing["frames"], drawing["refused"]) == ("anna", 60, "")
    assert drawing["probabilities"]["labels"][-1] == "no action"
    assert served.ask("drawing", clip.read_bytes(), file="anna.npz")[0] == 400  # of which model
