"""``hitrs bench loader``: sampling, mapping, augmentation and collation, apart from the model."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile

from hitrs.bench.case import Case, Measurement, peak_memory, time_steps
from hitrs.bench.made_up import write_made_up_store
from hitrs.bench.training import StoreJob
from hitrs.train.batches import make_batch


def measure(case: Case) -> Measurement:
    """Seconds to make a batch of pre-training, of made-up motion if no store is given."""
    with tempfile.TemporaryDirectory() as folder:
        if case.data is None:
            case = dataclasses.replace(case, data=str(write_made_up_store(f"{folder}/store", case)))
        job = StoreJob(case)
        optim = dataclasses.replace(case.config.pretrain, batch_size=case.batch_size, accumulate=1)
        steps = itertools.count()
        taken = time_steps(lambda: make_batch(job, optim, next(steps)), case.seconds)
        return Measurement(tuple(taken), job.mean_sequences(), peak_memory())
