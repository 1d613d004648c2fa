"""Motion and storage files of OpenSim (.mot, .sto): known so that people are told why they cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hitrs.data.formats.format import Format, Head
from hitrs.data.recording import Recording
from hitrs.errors import DataError
from hitrs.skeleton import Layout

_END = "endheader"


def _refuse(path: Path, layout: Layout | None) -> Iterator[Recording]:
    text = Head.of(path).text
    header, _, table = text.partition(_END)
    columns = next((line.split() for line in table.splitlines() if line.strip()), [])[1:]
    named = f" ({', '.join(columns[:3])}, ...)" if columns else ""
    unit = " in degrees" if "indegrees=yes" in header.lower().replace(" ", "") else ""
    what = f"coordinates of a musculoskeletal model{named}{unit}: joint angles, no positions"
    if any(column.startswith("ground_force") for column in columns):
        what = f"ground reaction forces{named}, no positions"
    raise DataError(
        f"{path} holds {what}. Positions follow from them only with the model's bones; import the markers "
        "that they were made of (.trc), or let OpenSim's Analyze tool (BodyKinematics, PointKinematics) "
        "write positions and save these as .csv."
    )


FORMAT = Format(
    name="opensim-motion",
    title="joint angles of OpenSim, which are no positions",
    suffixes=(".mot", ".sto"),
    matches=lambda head: _END in head.text,
    read=_refuse,
    positions=False,
)
