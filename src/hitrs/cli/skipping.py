"""One input among many that cannot be used must not cost the others their result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hitrs.errors import DataError, LayoutError


class Skipped:
    """What was left out, and why."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    @contextmanager
    def one(self) -> Iterator[None]:
        """A DataError or LayoutError inside is kept for later."""
        try:
            yield
        except (DataError, LayoutError) as error:
            self.add(str(error))

    def add(self, reason: str) -> None:
        """Something was left out elsewhere."""
        self._reasons.append(reason)

    def tell(self, used: int) -> None:
        """To be called when the result of the others is out.

        Raises:
            DataError: with the reasons, if anything was left out.
        """
        if not self._reasons:
            return
        if not used and len(self._reasons) == 1:
            raise DataError(self._reasons[0])
        left_out = f"{len(self._reasons)} of {used + len(self._reasons)} recordings were left out"
        raise DataError("\n  ".join([f"{left_out}:", *self._reasons]))
