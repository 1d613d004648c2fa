"""``hitrs bench import``: files to a store."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hitrs.bench.case import Case, Measurement, peak_memory, time_steps
from hitrs.bench.made_up import chain, made_up_recordings
from hitrs.data.formats import write_npz
from hitrs.data.importing import ImportJob


def measure(case: Case) -> Measurement:
    """Seconds to import a folder in one process, of made-up .npz files if none is given."""
    with tempfile.TemporaryDirectory() as folder:
        files, layout = Path(case.data or Path(folder, "files")), None
        if case.data is None:
            layout = chain(case.joints)
            files.mkdir()
            for recording in made_up_recordings(case):
                write_npz(recording, files / f"{recording.name}.npz")
        counts: list[int] = []

        def step() -> None:
            job = ImportJob(files, Path(folder, "store"), layout=layout, overwrite=True)
            job.run(1)
            counts.append(len(job.finish()))

        taken = time_steps(step, case.seconds, least=1)
        return Measurement(tuple(taken), float(counts[0]), peak_memory())
