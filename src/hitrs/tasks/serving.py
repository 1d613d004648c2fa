"""What a server does with a model, in one form for every task: a recording answered, frames answered live."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from hitrs.skeleton.layout import Layout


@dataclass(frozen=True)
class LiveSettings:
    """How frames that come one by one are read."""

    layout: Layout
    """Of the frames."""
    window: int = 60
    """Frames that a model looks back on that has no memory of its own."""
    unit: str | None = None
    """ "meters", "centimeters" or "millimeters"; None: as bodies suggest."""
    up: str | None = None
    """The axis that points up, "y", "-y", "z", ...; None: as bodies suggest."""
    as_is: bool = False
    """Take coordinates as they are."""


@dataclass(frozen=True)
class LiveAnswer:
    """What a model says of this moment."""

    label: str | None
    """None: of nothing that it knows."""
    probabilities: np.ndarray | None
    """(K,) of the ``labels``; None where nobody is seen."""
    events: tuple[dict[str, Any], ...] = ()
    """What has begun or ended, JSON values."""
    notes: tuple[str, ...] = ()
    """What was converted or left out, each once."""


class Live(ABC):
    """A model that follows one recording while it goes on.

    >>> live = served.live(LiveSettings(layout))
    >>> for positions, valid in frames:  # (P, J, C), (P, J)
    ...     answer = live.add(positions, valid) or live.now()
    """

    labels: tuple[str, ...]
    """The K of the probabilities."""

    @abstractmethod
    def add(self, positions: np.ndarray, valid: np.ndarray) -> LiveAnswer | None:
        """Take the next frame, and answer it if every frame has an answer of its own.

        Args:
            positions: (P, J, C), P as in the first frame.
            valid: (P, J) bool.
        Raises:
            DataError: if it cannot be used: it is as if it had not been there.
            LayoutError: if its joints are not those of the layout.
        """

    def now(self) -> LiveAnswer | None:
        """What is said of all frames so far, in place of an answer for each; None: each had its own.

        Raises:
            DataError: if they show too little.
        """
        return None

    def finish(self) -> tuple[dict[str, Any], ...]:
        """End the recording, and say what ends with it; the next frame is the first of another one."""
        return ()


Answerer: TypeAlias = Callable[..., dict[str, Any]]
"""From a recording to JSON values; keywords ``unit``, ``up``, ``as_is``, ``resample`` as the class for
applications takes them, and those of ``Served.options``. Raises what that raises."""


@dataclass(frozen=True)
class Served:
    """What a server does with a model."""

    answer: Answerer
    """As the command of the task answers."""
    live: Callable[[LiveSettings], Live] | None = None
    """Follows a recording while it goes on; None: the model needs the whole of it."""
    needs: str = ""
    """Why there is no ``live``, for people."""
    options: Mapping[str, type] = field(default_factory=dict)
    """Further keywords of ``answer``, with what each is."""
