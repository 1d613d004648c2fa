"""``hitrs clean``: explicit repairs, each counted, the raw values kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from hitrs.cli.console import print_line, progress_bar
from hitrs.cli.options import DtypeOption
from hitrs.errors import ConfigError


def run(
    src: Annotated[Positional[Path], arg(metavar="SRC")],
    dst: Annotated[Positional[Path], arg(metavar="DST")],
    *,
    lost: bool = False,
    unswap: bool = False,
    unflip: bool = False,
    spikes: Annotated[float | None, arg(metavar="FACTOR")] = None,
    fill_gaps: Annotated[int | None, arg(metavar="N")] = None,
    unit: Annotated[Literal["cm", "mm"] | None, arg(metavar="{cm,mm}")] = None,
    up: Annotated[Literal["x", "-x", "-y", "z", "-z"] | None, arg(metavar="{x,-x,-y,z,-z}")] = None,
    fps: Annotated[float | None, arg(metavar="RATE")] = None,
    dtype: DtypeOption = None,
    overwrite: bool = False,
) -> None:
    """Make a cleaned store of a store. Nothing is done but what is asked for, in the order of these options.

    The source stays as it is, and its values stay with the result, in DST/raw.

    Args:
        src: a store that `hitrs import` made.
        dst: the store to write.
        lost: take out joints that the tracker had lost: most of a body at one point, at zero, or stuck; an
            import does it unless it is asked not to.
        unswap: put bodies that exchanged their slots back.
        unflip: exchange left and right where they were exchanged.
        spikes: take out joints that stand this many body sizes (0.2 is a good start) from their median over
            five frames; they count as not seen.
        fill_gaps: fill gaps of at most N frames in a straight line.
        unit: the unit of the data, to be converted to meters.
        up: the axis of the data that points up, to be turned to y; a negative one as `--up=-y`.
        fps: resample to this frame rate.
        dtype: how positions are stored, as they are or rounded in half the bytes (docs/data.md); as in SRC if
            left out.
        overwrite: replace an existing store.
    """
    from hitrs.data.cleaning import (
        FillGaps,
        MaskLost,
        Operation,
        RejectSpikes,
        Resample,
        ToMeters,
        TurnUp,
        Unflip,
        Unswap,
        clean_store,
        describe,
    )

    operations: list[Operation] = []
    if lost:
        operations.append(MaskLost())
    if unswap:
        operations.append(Unswap())
    if unflip:
        operations.append(Unflip())
    if spikes is not None:
        operations.append(RejectSpikes(spikes))
    if fill_gaps is not None:
        operations.append(FillGaps(fill_gaps))
    if unit is not None:
        operations.append(ToMeters(unit))
    if up is not None:
        operations.append(TurnUp(up))
    if fps is not None:
        operations.append(Resample(fps))
    if not operations:
        raise ConfigError(
            "there is nothing to do: name at least one of --lost, --unswap, --unflip, --spikes, --fill-gaps, "
            "--unit, --up, --fps (`hitrs inspect` tells what is wrong)."
        )
    with progress_bar("cleaning") as bar:
        store = clean_store(
            src,
            dst,
            operations,
            dtype=dtype,
            overwrite=overwrite,
            progress=lambda done, of: bar.update(bar.task_ids[0], completed=done, total=of),
        )
    for step in store.meta["cleaning"][-len(operations) :]:
        print_line(f"cleaned     {describe(step)}")
    print_line(f"raw values  {store.path / 'raw'}")
    print_line(f"recordings  {len(store)}")
