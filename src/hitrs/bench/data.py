"""``hitrs bench import`` and ``hitrs bench loader``: files to a store, and its recordings to batches."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from pathlib import Path

from hitrs.bench.case import Case
from hitrs.bench.measurement import (
    Measurement,
    chain_layout,
    peak_memory,
    random_recordings,
    time_steps,
    write_random_store,
)
from hitrs.bench.training import StoreJob
from hitrs.data.formats import write_npz
from hitrs.data.importing import ImportJob, ImportOptions
from hitrs.files import file_name
from hitrs.training.batches import make_batch


def measure_import(case: Case) -> Measurement:
    """Seconds to import a folder in one process, of random .npz files if none is given."""
    with tempfile.TemporaryDirectory() as folder:
        files, layout = Path(case.data or Path(folder, "files")), None
        if case.data is None:
            layout = chain_layout(case.joints)
            files.mkdir()
            for recording in random_recordings(case):
                write_npz(recording, files / f"{file_name(recording.name)}.npz")
        counts: list[int] = []

        def step() -> None:
            job = ImportJob(files, Path(folder, "store"), ImportOptions(layout=layout, overwrite=True))
            job.run(1)
            counts.append(len(job.finish()))

        times = time_steps(step, case.seconds, minimum=1)
        return Measurement(tuple(times), float(counts[0]), peak_memory())


def measure_loader(case: Case) -> Measurement:
    """Seconds to sample, map, augment and collate a batch of pre-training.

    Of random recordings if no store is given.
    """
    with tempfile.TemporaryDirectory() as folder:
        if case.data is None:
            case = dataclasses.replace(case, data=str(write_random_store(f"{folder}/store", case)))
        job = StoreJob(case)
        optim = dataclasses.replace(
            case.config.pretrain.optim, batch_size=case.batch_size, accumulation_steps=1
        )
        steps = itertools.count()
        times = time_steps(lambda: make_batch(job, optim, next(steps)), case.seconds)
        return Measurement(tuple(times), job.mean_sequences(), peak_memory())
