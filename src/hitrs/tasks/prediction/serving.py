"""A predictor behind a server."""

from __future__ import annotations

from typing import Any

from hitrs.data.recording import Recording
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.tasks.prediction.predictor import Predictor
from hitrs.tasks.serving import Served


def prediction_served(model: PredictionModel) -> Served:
    """Of a recording the frames that come next."""
    predictor = Predictor(model)

    def answer(recording: Recording, **reading: Any) -> dict[str, Any]:
        return predictor(recording, **reading).to_dict()

    return Served(answer, needs="a predictor answers whole recordings", options={"at": int})
