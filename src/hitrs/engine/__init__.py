"""Where work over very many inputs runs: in this process, in several of this machine, or on a Ray cluster.

What is to be done is a function and its items; commands do not know where it runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from hitrs.engine.base import Engine, Step, Stopped
from hitrs.engine.local import LocalEngine
from hitrs.errors import ConfigError

__all__ = ["Engine", "EngineName", "LocalEngine", "Step", "Stopped", "current_engine", "open_engine", "using"]

EngineName = Literal["local", "ray"]


def open_engine(
    name: EngineName = "local", *, workers: int | None = None, address: str | None = None
) -> Engine:
    """An engine by its name, to be used as a context manager.

    >>> with open_engine("ray", address="10.0.0.1:6379") as engine:
    ...     hitrs.data.import_dataset("recordings", "stores/own", engine=engine)

    Args:
        workers: processes; None: one, of Ray one for each CPU.
        address: of a Ray cluster; None: as Ray itself finds it.

    Raises:
        EngineError: if Ray is missing, or its cluster cannot be used.
        ConfigError: for an address without Ray, or ``workers`` of a cluster.
    """
    if name == "local":
        if address is not None:
            raise ConfigError("--ray-address is for --engine ray")
        return LocalEngine(workers or 1)
    from hitrs.engine.cluster import RayEngine

    return RayEngine(address, workers)


_current: ContextVar[Engine | None] = ContextVar("engine", default=None)


@contextmanager
def using(engine: Engine) -> Iterator[None]:
    """What goes through many recordings meanwhile, as evaluation does, goes through them on this engine.

    >>> with open_engine("ray") as engine, using(engine):
    ...     evaluation = hitrs.evaluate("motion", "runs/tuned")
    """
    token = _current.set(engine)
    try:
        yield
    finally:
        _current.reset(token)


def current_engine() -> Engine:
    """The engine of ``using``; without it this process."""
    return _current.get() or LocalEngine()
