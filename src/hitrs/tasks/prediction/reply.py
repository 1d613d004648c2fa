"""What a predictor says of a recording, for a page that shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hitrs.data.recording import Recording
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.tasks.prediction.predictor import Predictor
from hitrs.tasks.reply import Replier, Reply


def prediction_replies(model: PredictionModel, *, as_is: bool) -> Replier:
    """The last frames of a recording are predicted, so that the truth is known; those behind its end where it
    is too short for that. The largest error comes first."""
    predictor, span = Predictor(model), model.head_config
    ahead = span.predicted * span.frame_step

    def reply(given: Recording) -> Reply:
        recording = predictor.recording(given, resample=True, as_is=as_is)
        needed = (span.observed - 1) * span.frame_step + 1
        at = recording.n_frames - ahead if recording.n_frames >= needed + ahead else None
        done = predictor(recording, as_is=True, at=at)
        known = replace(recording, segments=()) if done.truth is None else done.truth
        errors = done.errors() if done.truth is not None else np.empty(0)
        said, error = f"predicted from frame {done.start} on", None
        if np.isfinite(errors).any():
            error = float(np.nanmean(errors))
            unit, scale = done.unit_of_errors()
            unit = "" if unit == "unclear" else f" {unit}"
            said = f"off by {error * scale:.3g}{unit}, mean of {len(errors)} frames"
        return Reply(known, said, error, predicted=done.recording, start=done.start)

    return reply
