"""Train and test parts for data without a published protocol. The same data is always split the same way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from hitrs.data.catalog.base import natural_order
from hitrs.errors import DataError

TEST_SHARE = 0.28
"""Of the subjects (or files) are held out: 1 of 2 to 5, 2 of 6 to 8, 3 of 10."""


def split_by_subject(
    subjects: Mapping[str, str | None], test_subjects: Sequence[str] | None
) -> tuple[dict[str, str], list[str]]:
    """Parts of recordings such that nobody stands in both: name -> "train" | "test", and the subjects that
    test.

    Args:
        subjects: recording name -> subject; recordings whose subject is None are left out.
        test_subjects: who tests; by default a share is drawn by a hash of their names, so that a subject who
            comes later changes little.

    Raises:
        DataError: if there are fewer than two subjects, or the test subjects are unknown or all there are.
    """
    known = sorted({subject for subject in subjects.values() if subject is not None}, key=natural_order)
    if len(known) < 2:
        raise DataError(
            f"a split by subject needs at least two subjects; known: {', '.join(known) or 'none'}."
        )
    if test_subjects is None:
        held_out = _draw(known)
    else:
        held_out = sorted(set(test_subjects), key=natural_order)
        unknown = [subject for subject in held_out if subject not in known]
        if unknown:
            raise DataError(f"there is no subject {', '.join(unknown)}; the subjects are {', '.join(known)}.")
        if not held_out or len(held_out) == len(known):
            raise DataError(f"some, but not all subjects must test; the subjects are {', '.join(known)}.")
    parts = {
        name: "test" if subject in held_out else "train"
        for name, subject in subjects.items()
        if subject is not None
    }
    return parts, held_out


def split_at_random(labels: Mapping[str, str | None]) -> dict[str, str]:
    """Parts by file, the same share of every class: recording name -> "train" | "test".

    Files of one subject stand in both parts then, so that results say little about people who were never
    seen.
    """
    parts = dict.fromkeys(labels, "train")
    for label in set(labels.values()):
        members = [name for name in labels if labels[name] == label]
        parts.update(dict.fromkeys(_draw(members), "test"))
    return parts


def _draw(names: Sequence[str]) -> list[str]:
    """A fixed share of names, in natural order: none of one, at least one of two, and never all."""
    shuffled = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    return sorted(shuffled[: round(TEST_SHARE * len(names))], key=natural_order)
