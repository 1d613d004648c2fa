"""The engine of many machines: a Ray cluster, or a Ray of this machine that is started for it.

Ray runs an item again whose process or machine was lost, up to ``RETRIES`` times. All machines must see the
same files under the same paths, and have the same versions of Python, Ray and hitrs.

Needs Ray, which ``pip install "hitrs[ray]"`` brings.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from pickle import PicklingError
from typing import Any, NoReturn
from uuid import uuid4

from hitrs import __version__
from hitrs.engine.base import Engine, Item, Result, Step
from hitrs.errors import ConfigError, EngineError, HitrsError

RETRIES = 3
"""An item that has ended its process so often again is given up: it would end every one."""
_AHEAD = 8
"""Items that are in hand for each CPU; the results of those that are done wait in Ray's store."""
_POLL_SECONDS = 0.2
_REPORT_SECONDS = 0.5
_CONNECT_SECONDS = 10.0
_STOP_SECONDS = 30.0
_TOKEN = "; if it was said there that tokens are asked for, set RAY_AUTH_MODE=token here, too"
_STORE_BYTES = 512 << 20
"""Ray's store of results where Ray is started for a command; what does not fit goes to the disk."""


class RayEngine(Engine):
    """A Ray cluster, found as Ray itself finds it; where there is none, a Ray of this machine.

    A program that has called ``ray.init`` keeps its Ray.

    Args:
        address: HOST:PORT of the cluster, "auto" for the one of this machine, or "local" to start one that
            ends with the engine. None: that of the variable RAY_ADDRESS, else the one of this machine if
            there is one, else as "local".
        workers: CPUs of a Ray that is started; None: all.

    Raises:
        EngineError: if Ray is missing, the cluster cannot be reached or is of another version.
        ConfigError: for ``workers`` of a cluster, which has as many as it has.
    """

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            raise EngineError("--engine ray needs Ray: pip install 'hitrs[ray]'.") from error
        self._ray: Any = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(ray, address, workers)

    def close(self) -> None:
        if self._ours:
            self._ray.shutdown(wait_for_processes=True)

    def map(
        self,
        function: Callable[[Item, Step], Result],
        items: Iterable[Item],
        *,
        progress: Callable[[int], None] = lambda steps: None,
        needs: Sequence[Path] = (),
    ) -> Iterator[Result]:
        ray, numbers, left = self._ray, count(), iter(items)
        work = _Work(function, __version__, os.getcwd(), tuple(needs))
        try:
            told = [ray.put(work)], uuid4().hex  # in a list it is fetched once by each process
        except (TypeError, AttributeError, PicklingError) as error:
            raise EngineError(
                f"what is to be done cannot be sent to other machines ({_on_one_line(error)}); an exported "
                "model computes on this machine: leave --engine out, or name the model that it was made of"
            ) from error
        board = ray.remote(num_cpus=0, max_restarts=-1)(_Board).remote()
        call = ray.remote(num_cpus=1, num_returns=2, max_retries=RETRIES)(_call)
        waiting: deque[_Pending] = deque()
        steps, shown, asked = 0, 0, board.steps.remote()
        try:
            while True:
                for item in islice(left, max(0, self._capacity() - len(waiting))):
                    number = next(numbers)
                    waiting.append(_Pending(number, str(item), *call.remote(*told, board, number, item)))
                if not waiting:
                    return
                running = {each.steps: each for each in waiting if not each.done}
                refs = list(running)
                if refs:
                    ray.wait(refs, timeout=_POLL_SECONDS)
                    refs, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
                for ref in refs:  # an error need not wait for its turn
                    steps += self._get(ref, running[ref])
                    running.pop(ref).done = True
                if ray.wait([asked], timeout=0)[0]:
                    with suppress(ray.exceptions.RayError):  # it was lost and is there again
                        going = ray.get(asked)
                        shown = max(
                            shown, steps + sum(going.get(each.number, 0) for each in running.values())
                        )
                    asked = board.steps.remote()
                shown = max(shown, steps)
                progress(shown)
                while waiting and waiting[0].done:
                    first = waiting.popleft()
                    yield self._get(first.result, first)
        finally:
            unfinished = [each.steps for each in waiting if not each.done]
            for ref in unfinished:
                ray.cancel(ref)  # raises KeyboardInterrupt where it runs, which tidies up
            if unfinished:
                ray.wait(unfinished, num_returns=len(unfinished), timeout=_STOP_SECONDS)
            ray.kill(board)

    def _capacity(self) -> int:
        """How many items may be in hand; machines may come and go."""
        return _AHEAD * max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def _get(self, ref: Any, pending: _Pending) -> Any:
        """The value of a reference; errors as the function raised them."""
        exceptions = self._ray.exceptions
        try:
            return self._ray.get(ref)
        except exceptions.RayTaskError as error:
            _explain(error)
        except exceptions.RayError as error:  # a process or machine was lost too often
            raise EngineError(
                f"{pending.item}: the process that worked on it was lost {RETRIES + 1} times "
                f"({_on_one_line(error)}), perhaps because memory ran out; fewer processes for each machine "
                "(`ray start --num-cpus`) need less."
            ) from error


@dataclass
class _Pending:
    """An item that was handed to the cluster."""

    number: int
    item: str
    steps: Any
    """Reference to the number of its steps: there when the item is done."""
    result: Any
    """Reference to the result, which is fetched in its turn."""
    done: bool = False


@dataclass(frozen=True)
class _Work:
    """What is the same for all items."""

    function: Callable[[Any, Step], Any]
    version: str
    """Of hitrs, where the command was given."""
    folder: str
    """In which it was given: paths may be relative to it."""
    needs: tuple[Path, ...]

    def check(self) -> None:
        """Refuse to work on a machine where the results would be others."""
        machine = socket.gethostname()
        if __version__ != self.version:
            raise EngineError(
                f"the machine {machine} of the Ray cluster has hitrs {__version__}, this one {self.version}; "
                "install the same version on all of them."
            )
        for path in self.needs:
            if not Path(self.folder, path).exists():
                raise EngineError(
                    f"the machine {machine} of the Ray cluster does not see {Path(self.folder, path)}: all "
                    "machines need the same files under the same paths, on a file system that they share."
                )


class _Board:
    """An actor on which processes write how far their items are."""

    def __init__(self) -> None:
        self._steps: dict[int, int] = {}

    def tell(self, number: int, steps: int) -> None:
        self._steps[number] = steps

    def end(self, number: int) -> None:
        self._steps.pop(number, None)

    def steps(self) -> dict[int, int]:
        return self._steps


_current: dict[str, _Work] = {}
"""Of a worker process: the work that it is at, by its key."""


def _call(told: list[Any], key: str, board: Any, number: int, item: Any) -> tuple[int, Any]:
    """Run an item in a worker process: the number of its steps, and the result."""
    if key not in _current:
        import ray

        work = ray.get(told[0])
        work.check()
        with suppress(OSError):
            os.chdir(work.folder)
        _current.clear()
        _current[key] = work
    steps, last = 0, time.monotonic()

    def step() -> None:
        nonlocal steps, last
        steps += 1
        if time.monotonic() - last > _REPORT_SECONDS:
            board.tell.remote(number, steps)
            last = time.monotonic()

    result = _current[key].function(item, step)
    board.end.remote(number)
    return steps, result


def _connect(ray: Any, address: str | None, workers: int | None) -> None:
    # no figures of use leave the machine unless people want it
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    where = address or os.environ.get("RAY_ADDRESS") or None
    if where != "local":
        if where not in (None, "auto"):
            _check_reachable(str(where))
        try:
            ray.init(where or "auto", **quiet)
        except ConnectionError as error:
            if where is not None:
                raise EngineError(_unreachable(where, error) + _TOKEN) from error
        except (RuntimeError, ValueError) as error:  # other versions of Ray or Python there
            raise EngineError(f"the Ray cluster cannot be used from here: {_on_one_line(error)}") from error
        else:
            if workers is not None:
                ray.shutdown()
                raise ConfigError("--workers is for one machine; a Ray cluster has as many CPUs as it has")
            return
    options = {"num_cpus": workers, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    try:
        ray.init("local", **options, **quiet)
    except Exception as error:  # also a plain one, where the machine is too busy for it to start in time
        raise EngineError(f"Ray did not start on this machine: {_on_one_line(error)}") from error


def _check_reachable(address: str) -> None:
    """EngineError where nobody listens: Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise EngineError(
            f"'{address}' is no address of a Ray cluster; expected HOST:PORT, as `ray start --head` says, "
            "auto, or local"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise EngineError(_unreachable(address, error)) from error


def _unreachable(address: str, error: Exception) -> str:
    return (
        f"there is no Ray cluster at {address} ({_on_one_line(error)}); start one with `ray start --head`, "
        "correct --ray-address or RAY_ADDRESS, or leave both out for a Ray of this machine"
    )


def _explain(error: Any) -> NoReturn:
    """Raise what an item's function raised as it was there."""
    if isinstance(error.cause, HitrsError):
        raise error.cause from None
    if isinstance(error.cause, ModuleNotFoundError):
        raise EngineError(
            f"a machine of the Ray cluster lacks {error.cause.name}: install hitrs {__version__} and what it "
            "needs on all of them."
        ) from error
    raise error


def _on_one_line(error: Exception) -> str:
    """What Ray says, without the traceback that it may quote."""
    text = re.sub(r"Traceback.*\n(?=\S*Error: )", "", str(error), flags=re.DOTALL)
    return " ".join(text.split()).rstrip(".")
