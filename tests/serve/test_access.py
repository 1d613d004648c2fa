"""Who may ask: the right name, the own page or a program, and the token where it is needed."""

import json
import ssl
import subprocess
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from hitrs.errors import ConfigError
from hitrs.serve import Address, Listener
from hitrs.viz.show.access import LOOPBACK, Access, hosts
from servers import Served, begin, heard, say


@pytest.mark.parametrize(
    "host", ["example.org", "example.org:{port}", "127.0.0.1", "127.0.0.1:1", "", "a@127.0.0.1:{port}"]
)
def test_another_name_is_refused(served: Served, host: str) -> None:
    status, told = served.ask("models", headers={"Host": host.format(port=served.port)})
    assert (status, "another name" in told["error"]) == (403, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_names_of_this_machine_are_its_own(served: Served, host: str) -> None:
    assert served.ask("models", headers={"Host": f"{host}:{served.port}"})[0] == 200


def test_two_names_are_none(served: Served) -> None:
    with served.raw() as connection:
        own = f"Host: 127.0.0.1:{served.port}\r\n"
        connection.sendall(f"GET /models HTTP/1.1\r\n{own}Host: example.org\r\n\r\n".encode())
        assert connection.recv(100).split()[1] in (b"400", b"403")


ORIGINS = [
    "https://example.org",
    "null",
    "http://127.0.0.1:1",
    "http://127.0.0.1",
    "file://",
    "http://[",
    "evil",
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_another_site_is_refused_even_with_the_token(served: Served, clip: Path, origin: str) -> None:
    for place in ("recognize", f"{served.token}/recognize"):
        status, told = served.ask(place, clip.read_bytes(), headers={"Origin": origin}, file="a.npz")
        assert (status, "no other site" in told["error"]) == (403, True)
    with pytest.raises(InvalidStatus) as refusal:
        served.live(trusted=True, origin=origin)
    assert refusal.value.response.status_code == 403


def test_the_own_page_is_answered(served: Served) -> None:
    own = f"http://127.0.0.1:{served.port}"
    assert served.ask("models", headers={"Origin": own})[0] == 200
    with served.live(origin=own) as live:
        assert begin(live, task="detection")["type"] == "ready"


def test_the_page_needs_the_token_and_programs_of_this_machine_compute_without(
    served: Served, clip: Path
) -> None:
    assert served.ask("")[0] == 401
    assert served.ask(f"{served.token[:-1]}x/")[0] == 404
    assert served.ask(served.token)[0] == 404  # its addresses are relative to the one with a slash
    assert "What a model sees" in served.ask(f"{served.token}/")[1]
    assert served.ask("recognize", clip.read_bytes(), file="a.npz")[0] == 200
    assert served.ask("models", headers={"Authorization": "Bearer wrong"})[0] == 401
    assert served.ask("", headers={"Authorization": f"Bearer {served.token}"})[0] == 200


def test_keeping_a_moment_needs_the_token(served: Served) -> None:
    with served.live() as live:
        assert begin(live, task="detection")["recording"] is False
        say(live, "record", do="start")
        assert heard(live)["code"] == "token"
    with served.live(trusted=True) as live:
        assert begin(live, task="detection")["recording"] is True


def test_for_other_machines_everything_needs_the_token(serve, clip: Path) -> None:
    served = serve("recognition", address=Address("0.0.0.0", 0, names=("sees.example.org",)))
    for what, body in (
        ("", None),
        ("models", None),
        ("openapi.json", None),
        ("recognize", clip.read_bytes()),
    ):
        status, told = served.ask(what, body)
        assert (status, "token is missing" in told["error"]) == (401, True)
    with pytest.raises(InvalidStatus) as refusal:
        served.live()
    assert refusal.value.response.status_code == 401
    bearer = {"Authorization": f"Bearer {served.token}"}
    assert served.ask("models", headers=bearer)[0] == 200
    assert served.ask(f"{served.token}/recognize", clip.read_bytes(), file="a.npz")[0] == 200
    assert served.ask("models", headers={"Host": "sees.example.org", **bearer})[0] == 200
    assert served.ask("models", headers={"Host": "example.org", **bearer})[0] == 403
    assert served.url.startswith(f"http://sees.example.org:{served.port}/")


def test_what_is_sent_along(served: Served) -> None:
    served.ask(f"{served.token}/")
    for name, value in {
        "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
    }.items():  # fmt: skip
        assert served.headers[name.lower()] == value
    assert "server" not in served.headers


def test_the_token_of_the_environment(models, monkeypatch: pytest.MonkeyPatch) -> None:
    from hitrs.serve import Service

    service = Service.of([models["recognition"]])
    monkeypatch.setenv("HITRS_TOKEN", "one-of-my-own-0123456789")
    with Listener(service, Address(port=0)) as listener:
        assert listener.url.endswith("/one-of-my-own-0123456789/")
    for bad in ("short", "with/a-slash-0123456789", "with a space 0123456789"):
        monkeypatch.setenv("HITRS_TOKEN", bad)
        with pytest.raises(ConfigError, match="HITRS_TOKEN must be at least 16 letters"):
            Listener(service, Address(port=0))


def test_a_port_in_use_and_certificates(models, served: Served, tmp_path: Path) -> None:
    from hitrs.serve import Service

    service = Service.of([models["recognition"]])
    with pytest.raises(ConfigError, match=f"port {served.port} is in use"):
        Listener(service, Address(port=served.port))
    with pytest.raises(ConfigError, match=r"cannot listen at 203\.0\.113\.7:0"):
        Listener(service, Address("203.0.113.7", 0))
    with pytest.raises(ConfigError, match="belong together"):
        Address(certificate=tmp_path / "c.pem")
    with pytest.raises(ConfigError, match="there is no file"):
        Address(certificate=tmp_path / "c.pem", key=tmp_path / "k.pem")
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).write_text("no certificate")
    with pytest.raises(ConfigError, match=r"cannot use .*c\.pem"):
        Listener(service, Address(port=0, certificate=tmp_path / "c.pem", key=tmp_path / "k.pem"))


def test_https(serve, tmp_path: Path) -> None:
    import urllib.request

    paths = {name: tmp_path / f"{name}.pem" for name in ("certificate", "key")}
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    try:
        subprocess.run(
            [*words, "-keyout", paths["key"], "-out", paths["certificate"]], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    served = serve("recognition", address=Address(port=0, **paths))
    assert served.url.startswith("https://")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(f"{served.url}models", context=context, timeout=60) as answer:
        assert json.load(answer)["models"][0]["verb"] == "recognize"


def test_names_with_the_usual_port() -> None:
    access = Access("t" * 16, hosts(LOOPBACK, 443, 443))
    assert access.is_named("localhost")
    assert access.is_own_origin("https://localhost")
    assert not access.has_token("t" * 15)
    assert not access.has_token("\udcff")
