"""``hitrs predict``: a recording in, the recording continued out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from tyro.conf import Positional, arg

from hitrs.cli.console import say, show_table
from hitrs.cli.options import ModelArgument, Name
from hitrs.data.formats.bvh_writer import write_bvh
from hitrs.data.formats.csv_writer import write_csv
from hitrs.data.formats.npz import write_npz
from hitrs.data.recording import Recording
from hitrs.deploy.predictor import Continuation, Predictor
from hitrs.errors import ConfigError
from hitrs.tasks.prediction.score import horizons_of
from hitrs.viz import animate

WRITERS: dict[str, Callable[[Recording, Path], Any]] = {
    ".npz": write_npz,
    ".bvh": write_bvh,
    ".csv": write_csv,
}


def run(
    model: ModelArgument,
    file: Annotated[Positional[Path], arg(metavar="FILE")],
    *,
    out: Annotated[Path | None, arg(metavar="OUT")] = None,
    gif: Annotated[Path | None, arg(metavar="PICTURE")] = None,
    at: Annotated[int | None, arg(metavar="FRAME")] = None,
    layout: Name = None,
    resample: bool = False,
) -> None:
    """Continue a recording: what was observed, and behind it the frames that the model predicts.

    Args:
        model: a predictor: model directory, the run that made it, or a hub id.
        file: the recording.
        out: write the continued recording to this .npz, .bvh or .csv file, without labeled segments.
        gif: write the moving skeleton to this .gif (or .mp4): the past, then the prediction and, paler, the
            truth as far as the file holds it.
        at: predict from this frame on and compare with what the file holds; from its end on if left out.
        layout: joint layout of a file that does not say it itself, a name or a layout file.
        resample: bring a recording of another frame rate to the model's.
    """
    write = _writer(out)
    if out is not None and out.exists() and out.samefile(file):
        raise ConfigError(f"--out is the recording itself; what was observed in {file} would be lost")
    found = Predictor(model)(file, layout=layout, resample=resample, at=at)
    recording = found.recording
    rate = "" if recording.fps is None else f", {len(found.positions) / recording.fps:.2f} s"
    say(f"observed    {found.start} frames of {file}")
    say(f"predicted   {len(found.positions)} frames{rate}")
    held = [recording.layout.joints[j] for j in np.flatnonzero(~found.valid.any((0, 1)))]
    if held:
        say(f"unknown     {', '.join(held)}: the model does not predict them")
    if found.truth is not None:
        _show_errors(found)
    if out is not None and write is not None:
        write(recording, out)
        say(f"recording   {out}")
    if gif is not None:
        animate(side_by_side(found), gif, caption=_caption(found))
        say(f"animation   {gif}")


def side_by_side(found: Continuation) -> Recording:
    """The continued recording and, as further persons (drawn paler), the truth of the predicted frames."""
    recording, truth = found.recording, found.truth
    if truth is None:
        return recording
    positions, valid = np.zeros_like(recording.positions), np.zeros_like(recording.valid)
    rows = slice(found.start, min(truth.n_frames, recording.n_frames))
    positions[rows], valid[rows] = truth.positions[rows], truth.valid[rows]
    return replace(
        recording,
        positions=np.concatenate([recording.positions, positions], axis=1),
        valid=np.concatenate([recording.valid, valid], axis=1),
    )


def _caption(found: Continuation) -> str:
    fps = found.recording.fps
    moment = f"frame {found.start + 1}" if fps is None else f"{found.start / fps:.2f} s"
    return f"predicted from {moment} on" + ("" if found.truth is None else "; pale: the truth")


def _show_errors(found: Continuation) -> None:
    errors, flat = found.errors(), found.recording.layout.dims == 2
    if not len(errors) or np.isnan(errors).all():
        return
    horizons = [h for h in horizons_of(len(errors)) if not np.isnan(errors[h - 1])]
    unit = "pixels" if flat else "mm"
    show_table(
        ["off by", *(f"frame {h}" for h in horizons)],
        [[unit, *(f"{errors[h - 1] * (1 if flat else 1000):.1f}" for h in horizons)]],
    )


def _writer(out: Path | None) -> Callable[[Recording, Path], Any] | None:
    if out is None:
        return None
    if out.suffix.lower() not in WRITERS:
        raise ConfigError(
            f"cannot write {out}: a recording is written as {', '.join(sorted(WRITERS))}; other formats hold "
            "what positions do not tell"
        )
    return WRITERS[out.suffix.lower()]
