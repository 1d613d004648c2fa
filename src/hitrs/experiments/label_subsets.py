"""Subsets of the labels: stratified random ones, those of shipped lists, and those of some subjects.

The same fraction and number always give the same recordings, so that methods are compared on the same labels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hitrs.data.store import Store
from hitrs.errors import DataError
from hitrs.files import atomic_file, explained_writes


def stratified_subset(strata: np.ndarray, fraction: float, number: int) -> np.ndarray:
    """Positions, ascending, of a stratified subset: round(fraction x n) of each stratum, at least one.

    Args:
        strata: (N,) int, what each training recording is stratified by, for example its class; recordings
            below 0 are left out.
        fraction: share of the labels, above 0 and up to 1.
        number: which of the random subsets of this size; the seed.

    Raises:
        DataError: for a fraction outside of its range.

    >>> chosen = train[stratified_subset(store.labels[train], 0.1, 0)]
    """
    if not 0 < fraction <= 1:
        raise DataError(f"the fraction of the labels must lie above 0 and up to 1, got {fraction}")
    chosen = []
    for stratum in np.unique(strata[strata >= 0]):
        members = np.flatnonzero(strata == stratum)
        order = np.random.default_rng([number, int(stratum), round(1e6 * fraction)]).permutation(members)
        chosen.append(order[: max(1, round(fraction * len(members)))])
    return np.sort(np.concatenate(chosen))


def select_subjects(store: Store, indices: np.ndarray, subjects: Sequence[str]) -> np.ndarray:
    """Those of the recordings that show one of the named subjects; all if none is named.

    Raises:
        DataError: if a subject is in none of the recordings.
    """
    if not subjects:
        return indices
    present = {store.subject_names[s] for s in np.unique(np.asarray(store.subjects)[indices]) if s >= 0}
    for subject in subjects:
        if subject not in present:
            raise DataError(
                f"no training recording of {store.path} shows subject '{subject}'; they show "
                f"{', '.join(sorted(present)) or 'nobody who is named'}"
            )
    wanted = [store.subject_names.index(subject) for subject in subjects]
    return indices[np.isin(np.asarray(store.subjects)[indices], wanted)]


def write_label_subsets(
    store: Store, train: np.ndarray, strata: np.ndarray, fractions: Sequence[float], count: int, path: Path
) -> None:
    """Write random subsets as lists of recording names: {"0.01": [[names], ...], ...}.

    Args:
        train: labeled training recordings, as store indices.
        strata: what each of them is stratified by.
        count: subsets of each size.

    Raises:
        DataError: for a fraction outside of its range, or if the file cannot be written.
    """
    lists = {
        str(fraction): [
            [store.name(int(i)) for i in train[stratified_subset(strata, fraction, number)]]
            for number in range(count)
        ]
        for fraction in fractions
    }
    with atomic_file(path) as part, explained_writes(path):
        part.write_text(json.dumps(lists, indent=0) + "\n", encoding="utf-8")


def read_label_subset(
    store: Store, train: np.ndarray, fraction: float, number: int, path: Path
) -> np.ndarray:
    """Store indices, ascending, of a subset that a list names.

    Args:
        train: labeled training recordings, as store indices.

    Raises:
        DataError: if the list is missing or names a recording that is not among ``train``.
    """
    try:
        names = json.loads(path.read_text(encoding="utf-8"))[str(fraction)][number]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{path} has no subset {number} of {fraction:.0%} of the labels: {error}") from error
    indices = {store.name(int(i)): int(i) for i in train}
    unknown = [name for name in names if name not in indices]
    if unknown:
        raise DataError(f"{path} names {unknown[0]}, which is no labeled training recording of {store.path}")
    return np.sort(np.array([indices[name] for name in names]))
