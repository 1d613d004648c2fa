"""What an engine is: it maps a function over very many items of work, somewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeAlias, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Step: TypeAlias = Callable[[], None]
"""What a function calls after each part of its item that it has done, for progress; raises ``Stopped`` where
nobody waits for the rest any more."""


class Stopped(Exception):
    """The work was given up; the item in hand is, too."""


class Engine(ABC):
    """Runs a function on items of work in other processes, of this machine or of many.

    Use it as a context manager, which ends what was started for it.
    """

    @abstractmethod
    def map(
        self,
        function: Callable[[Item, Step], Result],
        items: Iterable[Item],
        *,
        progress: Callable[[int], None] = lambda steps: None,
        needs: Sequence[Path] = (),
    ) -> Iterator[Result]:
        """The function's results, in the order of the items.

        Items are taken as they are needed, some more than there are processes: with small items and results
        memory is bounded, however many there are. An item may run more than once, where its process was lost,
        also while another process still works on it: a function must have the same effect then.

        >>> def size_of(path, step):
        ...     return path.stat().st_size
        >>> with LocalEngine(2) as engine:
        ...     sizes = list(engine.map(size_of, paths))

        Args:
            function: of a module, or a ``partial`` of one; must be possible to pickle, like items and
                results. Messages name an item by its ``str``.
            items: what to work on.
            progress: called now and then with the number of steps that were done.
            needs: files and folders that every process must see.

        Raises:
            EngineError: if processes were lost, or cannot do the work.
            HitrsError: the first that the function raised; what runs then is given up.
        """

    def close(self) -> None:  # noqa: B027  a hook
        """End what was started for it."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
