"""What was imported, in lines for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hitrs.data.inspection.lost import LOST
from hitrs.data.inspection.result import rounded
from hitrs.data.space import UNCLEAR, Space
from hitrs.data.store import Store
from hitrs.errors import counted

_LISTED = 10
"""Files that could not be read, of which so many are printed."""


@dataclass(frozen=True)
class ImportSummary:
    """What is in a store that was imported; ``lines()`` is what the command line prints."""

    dataset: str
    layout: str
    recordings: int
    classes: int
    empty: tuple[str, ...]
    """Classes without a recording."""
    subjects: int
    cameras: int
    frames: int
    unlabeled: int
    """Recordings with neither a label nor segments."""
    unseen: int
    """Joints that are not valid, of ``joints`` (both summed over frames and persons)."""
    joints: int
    protocols: dict[str, tuple[int, int, int]]
    """Name -> recordings in train, in test, and test recordings that are exact copies of training ones."""
    lost: int
    """Recordings in which joints were marked as not seen because the tracker had lost them."""
    space: Space
    """Unit, up axis and size of the bodies, as far as they can be told."""
    dtype: str
    """How positions are stored, "float32" or "int16"."""
    rounding: float
    """By how much a coordinate may be off because of that, at most."""
    quarantined: tuple[tuple[str, str], ...]
    """File and reason of each that could not be read."""
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """Plain lines for people; the last one says how many recordings there are."""
        shown = f", of which {self.classes - len(self.empty)} have recordings" if self.empty else ""
        lines = [
            f"data set    {self.dataset}, layout {self.layout}",
            f"classes     {self.classes}{shown} ({counted(self.unlabeled, 'recording')} without a label)",
            f"subjects    {self.subjects or 'unknown'}",
            f"cameras     {self.cameras or 'unknown'}",
            f"frames      {self.frames}",
            f"joints      {self.unseen} of {self.joints} not seen ({100 * self.unseen / self.joints:.2g}%)",
        ]
        for name, (train, test, duplicates) in self.protocols.items():
            lines.append(f"protocol    {name}: {train} train, {test} test")
            if duplicates:
                copies = counted(
                    duplicates,
                    "of the test recordings is an exact copy of a training one",
                    "of the test recordings are exact copies of training ones",
                )
                lines.append(f"            {copies}")
        if self.lost:
            lines.append(
                f"! lost      in {counted(self.lost, 'recording')} joints that the tracker had lost count as "
                "not seen (--keep-lost leaves them)"
            )
        lines += self._measured_in()
        if self.rounding:
            lines.append(f"positions   {rounded(self.dtype, self.rounding, self.space.unit)}")
        if self.quarantined:
            lines.append(f"! left out  {counted(len(self.quarantined), 'file')} that could not be read:")
            lines += [f"            {reason}" for _, reason in self.quarantined[:_LISTED]]
            if len(self.quarantined) > _LISTED:
                more = len(self.quarantined) - _LISTED
                lines.append(f"            and {more} more; `hitrs inspect STORE --json` lists all of them")
        lines += [f"note        {note}" for note in self.notes]
        return [*lines, f"recordings  {self.recordings}"]

    def _measured_in(self) -> list[str]:
        """Unit and up axis, and how they become the usual ones."""
        repairs = self.space.cleaning()
        clear = UNCLEAR not in (self.space.unit, self.space.up)
        usual = not repairs and clear and self.space.sides != "exchanged"
        lines = [f"{'bodies' if usual else '! bodies':<12}{self.space.describe()}, by their looks"]
        if self.space.up == UNCLEAR and self.space.lying:
            lines.append(
                "            recordings do not agree on the axis that points up, so no model has them turned"
            )
        if repairs:
            lines.append(f"            `hitrs clean STORE CLEANED {repairs}` makes it meters, y up")
        return lines


def summarize_import(store: Store) -> ImportSummary:
    """The summary of a store that was just imported."""
    return ImportSummary(
        dataset=str(store.meta.get("dataset", "unknown")),
        layout=store.layout.name,
        recordings=len(store),
        classes=len(store.classes),
        empty=store.empty_classes,
        subjects=len(store.subject_names),
        cameras=len(store.camera_names),
        frames=int(store.frames.sum(dtype=np.int64)),
        unlabeled=int(((store.labels < 0) & (store.segment_counts == 0)).sum()),
        unseen=store.joints_total - store.joints_seen,
        joints=store.joints_total,
        protocols={
            name: (
                len(store.split(name, "train")),
                len(store.split(name, "test")),
                len(store.duplicates(name)),
            )
            for name in store.protocols
        },
        lost=sum(any(note.startswith(LOST) for note in store.notes(n)) for n in range(len(store))),
        space=store.space,
        dtype=store.dtype,
        rounding=store.rounding,
        quarantined=tuple((item["source"], item["reason"]) for item in store.meta.get("quarantined", ())),
        notes=tuple(store.meta.get("notes", ())),
    )
