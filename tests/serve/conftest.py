"""Servers with untrained models of all three tasks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

pytest.importorskip("uvicorn", reason="hitrs serve needs `pip install 'hitrs[serve]'`")

from bodies import KINECT
from hitrs.data import write_npz
from hitrs.serve import Address, Limits, Service
from hitrs.serve.moment import Moments
from people_models import people_detector, people_recognizer, person
from predictors import predictor
from servers import Served, serving
from videos import fake  # noqa: F401  a fixture


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Task -> a model directory."""
    folder = tmp_path_factory.mktemp("models")
    made = {
        "recognition": people_recognizer(),
        "detection": people_detector(),
        "prediction": predictor(layout=KINECT),
    }
    return {task: str(model.save_pretrained(folder / task)) for task, model in made.items()}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 60 frames."""
    path = tmp_path_factory.mktemp("clips") / "anna.npz"
    write_npz(person(frames=60, name="anna", fps=30.0), path)
    return path


@pytest.fixture(scope="session")
def served(models: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """All three models, and a folder for moments."""
    moments = Moments(tmp_path_factory.mktemp("moments"))
    with serving(Service.of(list(models.values()), moments=moments)) as running:
        yield running


@pytest.fixture
def serve(models: dict[str, str]) -> Iterator[Callable[..., Served]]:
    """``serve("detection", ..., limits=..., moments=folder, address=...)``: a server of its own."""
    with ExitStack() as stack:

        def start(
            *tasks: str,
            limits: Limits | None = None,
            moments: Path | None = None,
            address: Address | None = None,
        ) -> Served:
            kept = None if moments is None else Moments(moments)
            service = Service.of([models[task] for task in tasks], limits=limits or Limits(), moments=kept)
            served = stack.enter_context(serving(service, address))
            served.service = service
            return served

        yield start
