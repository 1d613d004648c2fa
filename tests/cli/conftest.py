"""A small store, a quick configuration and runs made from them, for the commands to work on."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from factories import QUICK, small_store
from hitrs.cli.main import main


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(scope="session")
def store(folder: Path) -> str:
    """24 recordings of the toy layout, three classes, of four subjects one tests."""
    return str(small_store(folder / "store", count=24).path)


@pytest.fixture(scope="session")
def quick(folder: Path) -> str:
    """A configuration that trains in a moment."""
    path = folder / "quick.yaml"
    path.write_text(QUICK, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def pretrained(folder: Path, store: str, quick: str) -> str:
    out = str(folder / "pretrained")
    assert main(["pretrain", store, "--config", quick, "--out", out]) == 0
    return out


@pytest.fixture(scope="session")
def tuned(folder: Path, store: str, quick: str, pretrained: str) -> str:
    out = str(folder / "tuned")
    assert main(["finetune", store, "--from", pretrained, "--config", quick, "--out", out]) == 0
    return out


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """``said(words...)`` runs a command that must succeed, and returns what it printed."""

    def run(*words: object) -> str:
        capsys.readouterr()
        assert main([str(word) for word in words]) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]):
    """``fails(words...)`` runs a command that must fail, and returns its message on one line."""

    def run(*words: object) -> str:
        capsys.readouterr()
        assert main([str(word) for word in words]) == 1
        progress, mark, message = capsys.readouterr().err.partition("error: ")
        assert mark
        assert "Traceback" not in progress + message
        return " ".join(message.split())

    return run
