"""A small part of the fuzzing that ``python tests/reliability fuzz`` does, the same files at every run."""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from pathlib import Path

import fuzz_mutations
import numpy as np
import pytest
from fuzz_run import heard, listen, run
from fuzz_seeds import all_seeds

from hitrs.data import Recording, write_store
from hitrs.data.formats.registry import all_formats
from hitrs.errors import DataError

FILES = 240


def test_spoiled_files_are_read_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_mutations, "BOMB_MEGABYTES", (20,))
    tally = run(range(FILES), seed=0, folder=tmp_path)
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.files.total() == FILES
    assert {"read", "DataError"} <= set(tally.outcomes)  # not everything is refused
    assert tally.behind.total() > tally.traced.total() / 3


def test_files_of_every_format_fit_into_half_the_bytes(tmp_path: Path) -> None:
    for number, seed in enumerate(all_seeds()):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, content in seed.files.items():
            (folder / name).write_bytes(content)
        try:
            read = seed.read(folder)
        except DataError:  # formats without positions
            continue
        items = [each for each in read if isinstance(each, Recording)] if isinstance(read, list) else []
        for place, recording in enumerate(items):
            store = write_store(folder / f"store {place}", [recording], dtype="int16")
            off = np.abs(store.positions(0).astype(float) - recording.positions).max()
            assert off <= store.rounding <= np.abs(recording.positions).max() / 32767, seed.name


def test_every_format_has_seeds_that_are_read(tmp_path: Path) -> None:
    seeds = all_seeds()
    without_positions = {each.name for each in all_formats() if not each.positions}
    known = {each.name for each in all_formats() if not each.estimated}
    if find_spec("h5py") is None:  # an extra; the others of HDF5 are also CSV
        known -= {"nwb"}
    assert known <= {seed.name for seed in seeds}
    for number, seed in enumerate(seeds):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, content in seed.files.items():
            (folder / name).write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if seed.name in without_positions:
                with pytest.raises(DataError, match="no positions"):
                    seed.read(folder)
                continue
            assert seed.read(folder)
            assert seed.forced is None or seed.forced(folder)


def test_the_harness_would_notice(tmp_path: Path) -> None:
    listen()
    with heard() as events:
        os.system("true")
        (tmp_path / "written").write_text("")
    assert [event.split()[0] for event in events] == ["os.system", "open"]
