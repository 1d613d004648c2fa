"""Reads spoiled files, one after another, and reports every one that did more than a reader may.

A reader may give recordings or raise a DataError or LayoutError; it may neither warn, write, start or load
anything, take more than ``SECONDS`` of the processor, nor more memory than ``MEGABYTES``.
"""

from __future__ import annotations

import faulthandler
import random
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fuzz_mutations import SUFFIXES, mutate
from fuzz_seeds import Seed, all_seeds

from hitrs.errors import DataError, LayoutError

SECONDS = 20.0
MEGABYTES = 1024
_KINDS = {".json": "json", ".jsonl": "text", ".npz": "zip", ".pkl": "pickle", ".mat": "mat", ".c3d": "binary"}
_FORBIDDEN = (
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.mkdir", "os.remove", "os.rename",
    "subprocess.Popen", "socket.connect", "pickle.find_class", "ctypes.dlopen", "shutil.rmtree",
)  # fmt: skip
_heard: list[str] | None = None
"""What the interpreter's audit has heard since it was emptied; None = do not listen."""


@dataclass
class Tally:
    """What came out."""

    files: Counter[str] = field(default_factory=Counter)
    """Format -> files read."""
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[float, str] = (0.0, "")
    """Megabytes by which the peak of memory was above what stood before."""

    def add(self, other: Tally) -> None:
        self.files += other.files
        self.outcomes += other.outcomes
        self.failures += other.failures
        self.slowest = max(self.slowest, other.slowest)
        self.largest = max(self.largest, other.largest)


def cases(count: int, seed: int, part: int = 0, parts: int = 1) -> Iterator[tuple[str, Seed, random.Random]]:
    """Numbers from 0, dealt to all formats in turn and in them to their seeds; ``part`` of ``parts``."""
    formats: dict[str, list[Seed]] = {}
    for each in all_seeds():
        formats.setdefault(each.name, []).append(each)
    names = list(formats)
    for number in range(part, count, parts):
        turn, which = divmod(number, len(names))
        own = formats[names[which]]
        case = f"{seed}:{number}"
        yield case, own[turn % len(own)], random.Random(case)


def run(count: int, seed: int, folder: Path, part: int = 0, parts: int = 1, only: str | None = None) -> Tally:
    """Read ``count`` spoiled files in ``folder``, or the case ``only``."""
    tally = Tally()
    everything = list(cases(count, seed, part, parts))
    seeds = list({id(own): own for _, own, _ in everything}.values())
    listen()
    for case, own, dice in everything:
        other = dice.choice(seeds)
        place = folder / case.replace(":", "-")
        canary = place / "canary"
        kind = _KINDS.get(Path(own.target).suffix, "text")
        data, how = mutate(own.files[own.target], kind, other.files[other.target], dice, canary)
        swap = dice.random() < 0.05
        read = own.forced if own.forced and dice.random() < 0.5 else own.read
        suffix = dice.choice(SUFFIXES)
        if only is not None and case != only:
            continue
        place.mkdir(parents=True)
        for name, content in own.files.items():
            (place / name).write_bytes(content)
        (place / own.target).write_bytes(data)
        if swap and own.forced is not None:
            how += f"+as {suffix}"
            swapped = (place / own.target).rename(place / f"take{suffix}")
            read = own.named(swapped.name)
        _one(case, own, how, read, place, tally)
        for each in place.iterdir():
            each.unlink() if each.is_file() else each.rmdir()
        place.rmdir()
    return tally


def _one(case: str, own: Seed, how: str, read: object, place: Path, tally: Tally) -> None:
    title = f"{case} {own.name} ({how})"
    before, names = _memory(reset=True), sorted(each.name for each in place.iterdir())
    start = time.process_time()
    try:
        with heard() as events, alarm():
            warnings.simplefilter("error")
            read(place)  # type: ignore[operator]
        outcome = "read"
    except (DataError, LayoutError) as error:
        outcome = type(error).__name__
        if not str(error) or len(str(error)) > 2000:
            tally.failures.append(f"{title}: a message of {len(str(error))} characters: {str(error)[:300]}")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        outcome = "failure"
        tally.failures.append(f"{title}: {''.join(traceback.format_exception(error)[-3:])}")
    took, grown = time.process_time() - start, _memory() - before
    if events:
        tally.failures.append(f"{title}: did {events[:3]}")
    if names != sorted(each.name for each in place.iterdir()):
        tally.failures.append(f"{title}: a file came up or vanished: something was carried out")
    if grown > MEGABYTES or took > SECONDS:
        tally.failures.append(f"{title}: took {took:.1f} s and {grown:.0f} MB")
    tally.files[own.name] += 1
    tally.outcomes[outcome] += 1
    tally.slowest = max(tally.slowest, (took, title))
    tally.largest = max(tally.largest, (grown, title))


def _memory(reset: bool = False) -> float:
    """Peak of resident memory in MB since it was reset; 0 where the system does not tell (not Linux)."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def listen() -> None:
    """Hear what is executed, started, imported by a pickle or written, once for this process."""
    global _heard
    if "fuzz_listening" in sys.__dict__:
        return
    sys.__dict__["fuzz_listening"] = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if _heard is None:
            return
        writes = event == "open" and isinstance(arguments[1], str) and set("wax+") & set(arguments[1])
        if writes or event in _FORBIDDEN:
            _heard.append(f"{event} {arguments}"[:200])

    sys.addaudithook(hook)


@contextmanager
def heard() -> Iterator[list[str]]:
    global _heard
    _heard = events = []
    try:
        with warnings.catch_warnings():
            yield events
    finally:
        _heard = None


@contextmanager
def alarm() -> Iterator[None]:
    """TimeoutError after ``SECONDS``, of the processor, where there are alarms."""
    if not hasattr(signal, "SIGPROF"):
        yield
        return

    def late(*_: object) -> None:
        raise _Late(f"not done after {SECONDS} s")

    faulthandler.dump_traceback_later(30 * SECONDS, exit=True, file=sys.__stderr__)  # stuck in C
    previous = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


class _Late(BaseException):
    """Passes by everything that catches exceptions."""
