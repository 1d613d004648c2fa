"""A recognizer behind a server."""

from __future__ import annotations

from typing import Any

import numpy as np

from hitrs.data.recording import Recording
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.online import OnlineRecognizer
from hitrs.tasks.recognition.recognizer import Recognizer
from hitrs.tasks.serving import Live, LiveAnswer, LiveSettings, Served


def recognition_served(model: RecognitionModel) -> Served:
    """Of a recording its class; live that of the last frames, once for all that came meanwhile."""
    recognizer = Recognizer(model)

    def answer(recording: Recording, **reading: Any) -> dict[str, Any]:
        return recognizer(recording, **reading).to_dict()

    return Served(answer, lambda settings: _LiveRecognizer(model, settings))


class _LiveRecognizer(Live):
    def __init__(self, model: RecognitionModel, settings: LiveSettings) -> None:
        self._online = OnlineRecognizer(
            model,
            window=settings.window,
            layout=settings.layout,
            unit=settings.unit,
            up=settings.up,
            as_is=settings.as_is,
        )
        self.labels = self._online.classes

    def add(self, positions: np.ndarray, valid: np.ndarray) -> None:
        self._online.add(positions, valid)

    def now(self) -> LiveAnswer:
        found = self._online.answer()
        if found is None:
            return LiveAnswer(None, None)
        scores = {score.label: score.probability for score in found.scores}
        probabilities = np.array([scores[label] for label in self.labels])
        return LiveAnswer(found.label if found.known else None, probabilities, notes=found.notes)

    def finish(self) -> tuple[dict[str, Any], ...]:
        self._online.reset()
        return ()
