"""``hitrs predict``: a recording in, the recording continued out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from hitrs.cli.console import print_findings, print_line, print_table
from hitrs.cli.inputs import read
from hitrs.cli.options import AS_FILES_SAY, ModelArgument, ReadingOptions
from hitrs.errors import ConfigError

if TYPE_CHECKING:
    from hitrs.data.recording import Recording
    from hitrs.tasks.prediction.predictor import Continuation


def run(
    model: ModelArgument,
    file: Annotated[Positional[Path], arg(metavar="FILE")],
    *,
    out: Annotated[Path | None, arg(metavar="OUT")] = None,
    gif: Annotated[Path | None, arg(metavar="PICTURE")] = None,
    at: Annotated[int | None, arg(metavar="FRAME")] = None,
    reading: ReadingOptions = AS_FILES_SAY,
    resample: bool = False,
) -> None:
    """Continue a recording: what was observed, and behind it the frames that the model predicts.

    Args:
        model: a predictor: model directory, the run that made it, or `hub://OWNER/NAME`.
        file: the recording.
        out: write the continued recording to this .npz, .bvh or .csv file, without labeled segments.
        gif: write the moving skeleton to this .gif (or .mp4): the past, then the prediction and, paler, the
            truth as far as the file holds it.
        at: predict from this frame on and compare with what the file holds; from its end on if left out.
        reading: how the file is read.
        resample: bring a recording of another frame rate to the model's.
    """
    import numpy as np

    from hitrs.data.video.estimator import pose_estimator
    from hitrs.tasks.prediction.predictor import Predictor

    write = _writer(out)
    if out is not None and out.exists() and out.samefile(file):
        raise ConfigError(f"--out is the recording itself; what was observed in {file} would be lost")
    predictor = Predictor(model)
    with pose_estimator(reading.pose):
        given = read(file, predictor.layout, reading)
    continuation = predictor(given, resample=resample, as_is=reading.as_is, at=at)
    recording = continuation.recording
    rate = "" if recording.fps is None else f", {len(continuation.positions) / recording.fps:.2f} s"
    print_line(f"observed    {continuation.start} frames of {file}")
    print_line(f"predicted   {len(continuation.positions)} frames{rate}")
    unknown = [recording.layout.joints[j] for j in np.flatnonzero(~continuation.valid.any((0, 1)))]
    if unknown:
        print_line(f"unknown     {', '.join(unknown)}: the model does not predict them")
    print_findings([continuation])
    if continuation.truth is not None:
        _print_errors(continuation)
    if out is not None and write is not None:
        write(recording, out)
        print_line(f"recording   {out}")
    if out is None and gif is None:
        print_line("note        the predicted frames are not kept; `--out FILE` or `--gif FILE` writes them")
    if gif is not None:
        from hitrs.viz import animate

        animate(side_by_side(continuation), gif, caption=_caption(continuation))
        print_line(f"animation   {gif}")


def side_by_side(continuation: Continuation) -> Recording:
    """The continued recording and, as further persons (drawn paler), the truth of the predicted frames."""
    import numpy as np

    recording, truth = continuation.recording, continuation.truth
    if truth is None:
        return recording
    positions, valid = np.zeros_like(recording.positions), np.zeros_like(recording.valid)
    rows = slice(continuation.start, min(truth.n_frames, recording.n_frames))
    positions[rows], valid[rows] = truth.positions[rows], truth.valid[rows]
    return replace(
        recording,
        positions=np.concatenate([recording.positions, positions], axis=1),
        valid=np.concatenate([recording.valid, valid], axis=1),
    )


def _caption(continuation: Continuation) -> str:
    fps = continuation.recording.fps
    moment = f"frame {continuation.start + 1}" if fps is None else f"{continuation.start / fps:.2f} s"
    return f"predicted from {moment} on" + ("" if continuation.truth is None else "; pale: the truth")


def _print_errors(continuation: Continuation) -> None:
    import numpy as np

    from hitrs.tasks.prediction.metrics import horizons_of

    errors = continuation.errors()
    if not len(errors) or np.isnan(errors).all():
        return
    horizons = [h for h in horizons_of(len(errors)) if not np.isnan(errors[h - 1])]
    unit, scale = continuation.unit_of_errors()
    print_table(
        ["off by", *(f"frame {h}" for h in horizons)],
        [[unit, *(f"{errors[h - 1] * scale:.1f}" for h in horizons)]],
    )


def _writer(out: Path | None) -> Callable[[Recording, Path], Any] | None:
    from hitrs.data.formats.bvh_writer import write_bvh
    from hitrs.data.formats.csv_table import write_csv
    from hitrs.data.formats.npz import write_npz

    writers: dict[str, Callable[[Recording, Path], Any]] = {
        ".npz": write_npz, ".bvh": write_bvh, ".csv": write_csv
    }  # fmt: skip
    if out is None:
        return None
    if out.suffix.lower() not in writers:
        raise ConfigError(
            f"cannot write {out}: a recording is written as {', '.join(sorted(writers))}; other formats need "
            "more than positions"
        )
    return writers[out.suffix.lower()]
