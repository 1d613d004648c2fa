"""What a cleaning operation is: a recording in, a recording out, and how much was changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from hitrs.data.recording import Recording


@dataclass(frozen=True)
class Change:
    """What an operation has made of a recording."""

    recording: Recording
    values: int = 0
    """Joints that were changed, summed over frames and persons."""
    note: str = ""
    """What was done, for ``Recording.notes``; nothing where nothing was changed."""


class Operation(Protocol):
    """A frozen dataclass whose fields are its options.

    It never changes the arrays of a recording in place: they may be views of a store.
    """

    name: ClassVar[str]
    """The option of ``hitrs clean``, without its dashes."""
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __call__(self, recording: Recording) -> Change:
        """Raises DataError for a recording to which it cannot be applied."""
        ...


def describe(step: Mapping[str, Any]) -> str:
    """One entry of a store's ``meta["cleaning"]`` as a line for people."""
    options = " ".join(str(value) for value in step["options"].values())
    return f"{step['operation']} {options}".rstrip() + (
        f": {step['values']} joints in {step['recordings']} recordings changed"
    )
