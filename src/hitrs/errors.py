"""Errors that are written for people, and how their sentences name things.

Each message names what is wrong (file, frame, joint, key), what was expected and what to do. The command line
prints them without a traceback and exits with 1; any other exception is a defect of the package.
"""

import difflib
import typing
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

LONGEST_MESSAGE, MOST_LINES = 1500, 20
"""Characters of a line of a message, and lines; messages quote files, and what a damaged file has in place of
a word may be of any length."""


def printable(text: str) -> str:
    """Text of data as a terminal may show it: what would move the cursor or color it is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


class HitrsError(Exception):
    """Base of all errors that the package raises on purpose."""

    def __str__(self) -> str:
        """The message; control characters of files made harmless, very long lines without their middle."""
        lines = printable(super().__str__()).split("\n")
        if len(lines) > MOST_LINES:
            lines = [*lines[: MOST_LINES - 2], "...", lines[-1]]
        return "\n".join(_without_middle(line) for line in lines)


def _without_middle(line: str) -> str:
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 505]} ... {line[-500:]}"


class DataError(HitrsError):
    """A recording, a data file or a store is not what it should be."""


def not_finite(where: str, what: str = "what the model makes of it is") -> DataError:
    """What to say where a model's answer for finite coordinates is not finite."""
    return DataError(
        f"{where}: {what} not finite; the coordinates are too large for the model (another unit?), or the "
        "weights are"
    )


class WriteError(DataError):
    """Something could not be written: the disk is full, or the place may not be written to."""


class LayoutError(HitrsError):
    """A skeleton layout is unknown, malformed, or does not fit the data or model it is used with."""


class ConfigError(HitrsError):
    """A configuration file or command-line value is not usable."""


class CheckpointError(HitrsError):
    """A model directory or checkpoint cannot be read or does not fit."""


class EngineError(HitrsError):
    """The processes or machines that were to do some work were lost, or cannot do it."""


class TrainingError(HitrsError):
    """Training cannot go on, for example because the loss is no longer finite."""


@contextmanager
def located(where: object) -> Iterator[None]:
    """Put ``where`` (a file, say) in front of the message of a DataError that is raised inside."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'X'?"`` with the nearest known name, or nothing where none is near."""
    match = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{match[0]}'?" if match else ""


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 file", "2 files"; ``many`` where the plural is more than an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def check_literals(settings: object) -> None:
    """Check the fields of a settings dataclass that are a ``Literal``: no type checker reads a file.

    Raises:
        ConfigError: naming the field, what it holds and what it may hold.
    """
    for name, kind in typing.get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if typing.get_origin(kind) is typing.Literal and value not in typing.get_args(kind):
            known = ", ".join(typing.get_args(kind))
            raise ConfigError(f"{name} must be one of {known}, got {value!r}")
