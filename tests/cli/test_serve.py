"""`hitrs serve` as a command: what it prints, how it ends, and what people hand in by mistake."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="hitrs serve needs `pip install 'hitrs[serve]'`")


def started(*words: str, shell: bool = False) -> tuple[subprocess.Popen, list[str]]:
    """The process, and the lines until it is open."""
    command = [sys.executable, "-m", "hitrs", "serve", *words]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "HITRS_TOKEN": ""},
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if shell else None,
    )
    lines = []
    assert process.stdout is not None
    while not lines or not lines[-1].startswith("open it"):
        lines.append(process.stdout.readline())
        if not lines[-1]:
            assert process.stderr is not None
            pytest.fail(process.stderr.read())
    return process, lines


@pytest.mark.parametrize("shell", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_by_a_signal(tuned: str, number: signal.Signals, shell: bool) -> None:
    """Also as a background job of a shell, which ignores SIGINT, and while somebody is connected."""
    process, lines = started(tuned, "--port", "0", shell=shell)
    assert lines[0].startswith("model       recognize, ")
    url = next(line for line in lines if line.startswith("page")).removeprefix("page").strip()
    with urllib.request.urlopen(f"{url}models", timeout=60) as answer:
        assert json.load(answer)["models"][0]["verb"] == "recognize"
    from websockets.sync.client import connect

    with connect(f"{url.replace('http', 'ws')}live") as live:
        live.send('{"type": "start"}')
        assert json.loads(live.recv(timeout=60))["type"] == "ready"
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "ended\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name at least one model to serve"),
        (["RUN", "RUN"], "are both models for recognition"),
        (["ENCODER"], "is a pre-trained encoder, which says nothing of a recording"),
        (["nowhere"], "nowhere"),
        (["RUN", "--clients", "0"], "--clients must be at least 1, got 0"),
        (["RUN", "--most-megabytes", "0"], "--most-megabytes must be above 0"),
        (["RUN", "--port", "70000"], "--port must be from 0 to 65535, got 70000"),
        (["RUN", "--key", "k.pem"], "--certificate and --key belong together"),
        (["RUN", "--pose", "nobody"], "nobody"),
        (["RUN", "--record", "FILE"], "cannot write"),
    ],
)
def test_mistakes(words: list[str], message: str, tuned: str, pretrained: str, tmp_path: Path, fails) -> None:
    (tmp_path / "file").write_text("here")
    places = {"RUN": tuned, "ENCODER": pretrained, "FILE": str(tmp_path / "file")}
    assert message in fails("serve", *(places.get(word, word) for word in words))
