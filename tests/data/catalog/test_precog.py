"""PRECOG as it is distributed, where the folder of real data is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hitrs.data import Store, import_dataset


@pytest.fixture(scope="module")
def precog(hitrs_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset(hitrs_data("precog2016"), tmp_path_factory.mktemp("stores") / "precog", strict=True)


def test_counts(precog: Store) -> None:
    assert (len(precog), len(precog.classes), len(precog.subject_names)) == (72, 8, 12)
    assert (len(precog.split("odd-even", "train")), len(precog.split("odd-even", "test"))) == (36, 34)
    assert len(precog.split("leave-subject-3-out", "test")) == 6
    assert len(precog.split("leave-script-2-out", "test")) == 11
    assert len(precog.protocols) == 1 + 12 + 6


def test_quirks(precog: Store) -> None:
    empty = [precog.name(i) for i in range(len(precog)) if not precog.valid(i).any()]
    assert empty == ["Seq2_10", "Seq4_10"]
    glitches = [
        precog.name(i)
        for i in range(len(precog))
        if any(segment.stop - segment.start <= 4 for segment in precog.segments(i))
    ]
    assert {"Seq1_10", "Seq6_3"} <= set(glitches)
    labeled = np.concatenate([[s.stop - s.start for s in precog.segments(i)] for i in range(len(precog))])
    assert labeled.sum() > 0.3 * precog.frames.sum()
