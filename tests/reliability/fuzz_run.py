"""Reads spoiled files, one after another, and reports every one that did more than a reader may.

A reader may give recordings or raise a DataError or LayoutError; it may neither warn, write, start or load
anything, take more than ``SECONDS`` of the processor, nor more memory than it is allowed, ``MEGABYTES``.
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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fuzz_lines import Line, traced
from fuzz_mutations import SUFFIXES, mutate
from fuzz_seeds import Read, Seed, all_seeds

from hitrs.data.formats.hdf5 import VISITOR
from hitrs.data.formats.memory import memory_limit
from hitrs.errors import DataError, LayoutError

SECONDS = 20.0
MEGABYTES = 1024
BLOCK_SECONDS = 1800.0
TRACED = 10
"""Of every so many files one is traced: which lines of the readers it runs."""
_KINDS = {
    ".json": "json", ".jsonl": "text", ".npz": "zip", ".pkl": "pickle", ".mat": "mat", ".c3d": "binary",
    ".pose": "binary", ".npy": "npy", ".h5": "hdf5", ".slp": "hdf5", ".nwb": "hdf5",
}  # fmt: skip
DEFECT = "This is a defect of the reader"
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
    """Format -> files."""
    read: Counter[str] = field(default_factory=Counter)
    """Format -> those that gave recordings; the others were refused."""
    traced: Counter[str] = field(default_factory=Counter)
    """Format -> those that were traced."""
    behind: Counter[str] = field(default_factory=Counter)
    """Format -> traced ones that got past the header: through half of the lines that the good file takes."""
    lines: set[Line] = field(default_factory=set)
    """Of the readers, that ran."""
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[float, str] = (0.0, "")
    """Megabytes by which the peak of memory was above what stood before."""

    def add(self, other: Tally) -> None:
        for name in ("files", "read", "traced", "behind", "outcomes"):
            getattr(self, name).update(getattr(other, name))
        self.lines |= other.lines
        self.failures += other.failures
        self.slowest = max(self.slowest, other.slowest)
        self.largest = max(self.largest, other.largest)


def case(number: int, seed: int) -> tuple[Seed, random.Random]:
    """All formats come in turn, and in each its seeds."""
    formats = _formats()
    turn, which = divmod(number, len(formats))
    own = formats[which]
    return own[turn % len(own)], random.Random(f"{seed}:{number}")


@cache
def _formats() -> list[list[Seed]]:
    formats: dict[str, list[Seed]] = {}
    for each in all_seeds():
        formats.setdefault(each.name, []).append(each)
    return list(formats.values())


def run(numbers: Iterable[int], seed: int, folder: Path) -> Tally:
    """Spoil and read the files of these numbers in ``folder``."""
    tally = Tally()
    listen()
    with watched():
        for number in numbers:
            _spoil_and_read(number, seed, folder / f"{seed}-{number}", tally)
    return tally


def _spoil_and_read(number: int, seed: int, place: Path, tally: Tally) -> None:
    own, dice = case(number, seed)
    other = dice.choice(all_seeds())
    kind = _KINDS.get(Path(own.target).suffix, "text")
    data, how = mutate(own.files[own.target], kind, other.files[other.target], dice, place / "canary")
    swap = dice.random() < 0.02
    read = own.forced if own.forced and dice.random() < 0.5 else own.read
    suffix = dice.choice(SUFFIXES)
    place.mkdir(parents=True)
    for name, content in own.files.items():
        (place / name).write_bytes(content)
    good = _good_lines(own, place) if dice.randrange(TRACED) == 0 else None
    (place / own.target).write_bytes(data)
    if swap and own.named is not None:
        how += f"+as {suffix}"
        swapped = (place / own.target).rename(place / f"take{suffix}")
        read = own.named(swapped.name)
    _one(f"{seed}:{number} {own.name} ({how})", own.name, read, place, good, tally)
    for each in place.iterdir():
        each.unlink() if each.is_file() else each.rmdir()
    place.rmdir()


_good: dict[int, set[Line]] = {}


def _good_lines(own: Seed, place: Path) -> set[Line]:
    """Of the readers, that a good file takes."""
    if id(own) not in _good:
        with suppress(DataError):  # what is read once for all files
            own.read(place)
        with traced() as lines, suppress(DataError):  # formats without positions refuse every file
            own.read(place)
        _good[id(own)] = lines
    return _good[id(own)]


def _one(title: str, name: str, read: Read, place: Path, good: set[Line] | None, tally: Tally) -> None:
    before, names = peak_memory(reset=True), sorted(each.name for each in place.iterdir())
    start = time.process_time()
    lines: set[Line] = set()
    try:
        with (
            memory_limit(MEGABYTES << 20),
            heard() as events,
            alarm(),
            traced() if good is not None else nullcontext(lines) as lines,
        ):
            warnings.simplefilter("error")
            read(place)
        outcome = "read"
    except (DataError, LayoutError) as error:
        outcome = type(error).__name__
        if not str(error) or len(str(error)) > 2000:
            tally.failures.append(f"{title}: a message of {len(str(error))} characters: {str(error)[:300]}")
        if DEFECT in str(error):  # what a reader did not foresee, made a sentence by the registry
            outcome = "foreign error"
            tally.failures.append(f"{title}: {error}")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        outcome = "foreign error"
        tally.failures.append(f"{title}: {''.join(traceback.format_exception(error)[-3:])}")
    took, grown = time.process_time() - start, peak_memory() - before
    if events:
        tally.failures.append(f"{title}: did {events[:3]}")
    if names != sorted(each.name for each in place.iterdir()):
        tally.failures.append(f"{title}: a file came up or vanished: something was carried out")
    if grown > MEGABYTES or took > SECONDS:
        tally.failures.append(f"{title}: took {took:.1f} s and {grown:.0f} MB")
    tally.files[name] += 1
    tally.read[name] += outcome == "read"
    tally.outcomes[outcome] += 1
    if good is not None:
        tally.lines |= lines
        tally.traced[name] += 1
        tally.behind[name] += len(lines & good) >= len(good) / 2
    tally.slowest = max(tally.slowest, (took, title))
    tally.largest = max(tally.largest, (grown, title))


def peak_memory(reset: bool = False) -> float:
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
        if _heard is None or (event in ("subprocess.Popen", "os.posix_spawn") and VISITOR in arguments[1]):
            return  # a file of HDF5 is first read by a process of its own
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

    previous = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


@contextmanager
def watched() -> Iterator[None]:
    """End the process, with a traceback, where it is stuck in C; a block of files takes much less."""
    faulthandler.dump_traceback_later(BLOCK_SECONDS, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


class _Late(BaseException):
    """Passes by everything that catches exceptions."""
