"""Many recordings to look through: a row for each, found by class, subject and text; drawn one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hitrs.data.recording import Recording, natural_order
from hitrs.data.store import Store
from hitrs.errors import DataError, LayoutError, counted
from hitrs.tasks.reply import Replier, Reply
from hitrs.viz.show.drawing import MOST_NUMBERS, draw


@dataclass(frozen=True)
class Query:
    """Which recordings to list; what is empty asks for nothing."""

    text: str = ""
    """Part of the name, class, subject or answer."""
    label: str = ""
    """The class, or that of a segment."""
    subject: str = ""
    answer: str = ""
    """ "right" or "wrong"."""


@dataclass(frozen=True)
class _Answer:
    """What is kept of a model's reply to a recording."""

    said: str
    right: bool | None
    error: float | None


class Gallery:
    """Recordings of stores, and what a model says of them.

    Nothing but the stores' columns is in memory, and of a model's replies a line each.

    Args:
        title: what is shown, for people.
        parts: stores, and the indices of their recordings.
        about: sentences that stand above.
        replier: what a model says of a recording; None: there is no model.
        rate: frames per second of recordings that do not say it; None = unknown.

    Raises:
        DataError: if there is no recording.
    """

    def __init__(
        self,
        title: str,
        parts: Sequence[tuple[Store, Iterable[int]]],
        *,
        about: Sequence[str] = (),
        replier: Replier | None = None,
        rate: float | None = None,
    ) -> None:
        self.title, self.about = title, list(about)
        self._stores = [store for store, _ in parts]
        indices = [np.asarray(list(chosen), np.int64) for _, chosen in parts]
        self._store_of = np.repeat(np.arange(len(parts)), [len(chosen) for chosen in indices])
        self._index = np.concatenate([*indices, np.empty(0, np.int64)])
        if not len(self._index):
            raise DataError(f"{title}: there is no recording to show")
        self._order = np.arange(len(self._index))
        self._replier, self._rate = replier, rate
        self._answers: list[_Answer] = []
        self._find = lru_cache(maxsize=8)(self._search)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def classes(self) -> list[str]:
        """Of all stores, in their order."""
        return list(dict.fromkeys(name for store in self._stores for name in store.classes))

    @property
    def subjects(self) -> list[str]:
        """Of all stores, "s2" before "s10"."""
        names = {name for store in self._stores for name in store.subject_names}
        return sorted(names, key=natural_order)

    @property
    def compared(self) -> bool:
        """Whether answers are known to be right or wrong."""
        return any(answer.right is not None for answer in self._answers)

    def ask(self, progress: Callable[[int], None] = lambda done: None) -> Iterator[str]:
        """Let the model answer every recording, and put those first on which it errs most.

        Args:
            progress: called with the number of recordings that were answered so far.
        Yields:
            Why the model cannot use a recording, for each that it cannot.
        """
        assert self._replier is not None
        for number in range(len(self)):
            try:
                reply = self._replier(self._recording(number))
                answer = _Answer(reply.said, reply.right, reply.error)
            except (DataError, LayoutError) as error:
                yield str(error)
                answer = _Answer("not usable", None, None)
            self._answers.append(answer)
            progress(number + 1)
        errors = [answer.error for answer in self._answers]
        self._order = np.argsort([np.inf if error is None else -error for error in errors], kind="stable")
        right = [answer.right for answer in self._answers if answer.right is not None]
        if right:
            self.about.append(
                f"{right.count(False):,} of {counted(len(right), 'answer')} are wrong; those of which the "
                "model was surest come first, and of the right ones those of which it was least sure"
            )
        elif any(error is not None for error in errors):
            self.about.append("the recordings on which the model errs most come first")

    def find(self, query: Query, offset: int, count: int) -> tuple[int, list[dict[str, Any]]]:
        """How many recordings a query finds, and the rows of some of them."""
        found = self._order if query == Query() else self._find(query)
        return len(found), [self.row(int(number)) for number in found[offset : offset + count]]

    def row(self, number: int) -> dict[str, Any]:
        """What a list tells of a recording, JSON values."""
        store, index = self._place(number)
        label, subject = store.labels[index], store.subjects[index]
        labels = [store.classes[label]] if label >= 0 else []
        labels += [segment.label for segment in store.segments(index)]
        fps = self._rate if np.isnan(store.fps[index]) else float(store.fps[index])
        row: dict[str, Any] = {
            "id": number,
            "name": store.name(index),
            "labels": list(dict.fromkeys(labels)),
            "subject": store.subject_names[subject] if subject >= 0 else "",
            "frames": int(store.frames[index]),
            "seconds": None if fps is None else round(int(store.frames[index]) / fps, 2),
        }
        if self._answers:
            row |= {"said": self._answers[number].said, "right": self._answers[number].right}
        return row

    def drawing(self, number: int, most_numbers: int = MOST_NUMBERS) -> dict[str, Any]:
        """A recording with what the model says of it, as ``draw`` gives it; or why it says nothing.

        Raises:
            IndexError: if there is no such recording.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"recording {number} of {len(self)}")
        recording = self._recording(number)
        reply: Reply | None = None
        refused = ""
        if self._replier is not None:
            try:
                reply = self._replier(recording)
            except (DataError, LayoutError) as error:
                refused = str(error)
        return {**draw(recording, reply, most_numbers=most_numbers), "id": number, "refused": refused}

    def _place(self, number: int) -> tuple[Store, int]:
        return self._stores[self._store_of[number]], int(self._index[number])

    def _recording(self, number: int) -> Recording:
        store, index = self._place(number)
        recording = store[index]
        if recording.fps is None:
            recording.fps = self._rate
        return recording

    def _search(self, query: Query) -> np.ndarray:
        return np.array([n for n in self._order if matches(self.row(int(n)), query)], np.int64)


def matches(row: dict[str, Any], query: Query) -> bool:
    """Whether a row is what a query asks for; ``show.js`` has the same for what a page holds."""
    text = " ".join([row["name"], *row["labels"], row["subject"], row.get("said", "")])
    return (
        query.text.casefold() in text.casefold()
        and (not query.label or query.label in row["labels"])
        and (not query.subject or query.subject == row["subject"])
        and (not query.answer or row.get("right") is (query.answer == "right"))
    )
