"""Features as a Parquet file, written in parts by any process and then joined.

A row is a recording, or a clip or frame of a body in it:

=======================  ==========================================================================
``file``                 text: what the input is called, a file or a recording of a folder or store
``name``                 text: the recording's name
``label``                text; null: unknown
``frames``, ``fps``      int32 and float64: of the recording as the model saw it; fps null: unknown
``person``               int32: slot of the body; null in a file of recordings
``start``, ``stop``      int32: the frames that the feature looks at, ``stop`` is the first one behind
``feature``              fixed-size list of float32
=======================  ==========================================================================

Under the key ``hitrs`` of the file's metadata stands JSON: ``format`` ("hitrs-embedding"), ``version``,
``of`` ("recordings", "clips" or "frames"), ``model`` (SHA-256 of its weights), ``layout`` (with the joints
in their order) and ``shape`` of a feature: (D,), of frames (J, D).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.parquet import KEY, load_pyarrow
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.files import atomic_file, explained_writes
from hitrs.tasks.embedder import Embedding

FORMAT, VERSION = "hitrs-embedding", 1
LEFT_OUT = b"left_out"
"""Key of a part's metadata: JSON, why inputs of it have no row."""


def write_part(
    path: Path,
    rows: Sequence[tuple[str, Recording, Embedding]],
    width: int,
    left_out: Sequence[str],
    about: dict[str, Any],
) -> None:
    """Write the features of some recordings, which also of none is a file.

    Args:
        rows: (what the input is called, the recording, its features).
        width: numbers of a feature.
        left_out: why other inputs have none.
        about: what stands in the metadata, JSON values.

    Raises:
        DataError: if pyarrow is missing, or the file cannot be written.
    """
    pa, pq = load_pyarrow()
    schema = pa.schema(
        [
            ("file", pa.string()),
            ("name", pa.string()),
            ("label", pa.string()),
            ("frames", pa.int32()),
            ("fps", pa.float64()),
            ("person", pa.int32()),
            ("start", pa.int32()),
            ("stop", pa.int32()),
            ("feature", pa.list_(pa.float32(), width)),
        ],
        {KEY: json.dumps({"format": FORMAT, "version": VERSION, **about}), LEFT_OUT: json.dumps(left_out)},
    )
    counts = [len(embedding.features) for _, _, embedding in rows]
    texts = [(file, r.name, r.label, r.n_frames, r.fps) for file, r, _ in rows]
    repeated = [text for text, count in zip(texts, counts, strict=True) for _ in range(count)]
    columns = [pa.array([text[place] for text in repeated], schema.field(place).type) for place in range(5)]
    persons = np.concatenate([np.zeros(0, int), *(e.persons for _, _, e in rows)])
    columns.append(pa.array(persons, pa.int32(), mask=persons < 0))
    for name in ("starts", "stops"):
        values = np.concatenate([np.zeros(0, int), *(getattr(e, name) for _, _, e in rows)])
        columns.append(pa.array(values, pa.int32()))
    flat = np.concatenate([np.zeros(0, np.float32), *(e.features.ravel() for _, _, e in rows)])
    columns.append(pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), width))
    with atomic_file(path) as part, explained_writes(path):
        pq.write_table(pa.table(columns, schema=schema), part, compression="zstd", write_page_checksum=True)


def join_parts(parts: Sequence[Path], out: Path) -> tuple[int, int, list[str]]:
    """Make one file of parts, which appears when it is complete; without a row there is none.

    Returns:
        how many recordings have features, how many rows they are, and why the others have none.

    Raises:
        DataError: if a part cannot be read, or writing fails.
    """
    pa, pq = load_pyarrow()
    recordings, rows, left_out = 0, 0, []
    try:
        schema = pq.read_schema(parts[0])
        with (
            atomic_file(out) as whole,
            explained_writes(out),
            pq.ParquetWriter(
                whole,
                schema.with_metadata({KEY: schema.metadata[KEY]}),
                compression="zstd",
                write_page_checksum=True,
            ) as writer,
        ):
            for path in parts:
                table = pq.read_table(path)
                left_out += json.loads(table.schema.metadata[LEFT_OUT])
                recordings += len(set(zip(table["file"].to_pylist(), table["name"].to_pylist(), strict=True)))
                rows += len(table)
                if len(table):
                    writer.write_table(table.replace_schema_metadata())
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise DataError(
            f"the parts of {out} in {parts[0].parent} cannot be read ({error}); delete that folder and "
            "run the command again"
        ) from error
    if not recordings:
        out.unlink()
    return recordings, rows, left_out
