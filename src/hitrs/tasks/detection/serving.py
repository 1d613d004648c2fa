"""A detector behind a server."""

from __future__ import annotations

from typing import Any

import numpy as np

from hitrs.data.recording import Recording
from hitrs.errors import ConfigError
from hitrs.tasks.detection.detector import Detector
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.online import Event, OnlineDetector
from hitrs.tasks.detection.reply import BACKGROUND
from hitrs.tasks.serving import Live, LiveAnswer, LiveSettings, Served


def detection_served(model: DetectionModel) -> Served:
    """Of a recording its segments; live each frame and when actions begin and end."""
    detector = Detector(model)

    def answer(recording: Recording, **reading: Any) -> dict[str, Any]:
        return detector(recording, **reading).to_dict()

    try:
        detector.online()
    except ConfigError as error:  # it looks at frames to come
        return Served(answer, needs=str(error))
    return Served(answer, lambda settings: _LiveDetector(model, settings))


class _LiveDetector(Live):
    def __init__(self, model: DetectionModel, settings: LiveSettings) -> None:
        self._online = OnlineDetector(
            model, layout=settings.layout, unit=settings.unit, up=settings.up, as_is=settings.as_is
        )
        self._fps = self._online.card.fps
        self.labels = (*self._online.classes, BACKGROUND)

    def add(self, positions: np.ndarray, valid: np.ndarray) -> LiveAnswer:
        result = self._online.update(positions, valid)
        events = tuple(map(self._told, result.events))
        return LiveAnswer(result.label, result.probabilities, events, result.notes)

    def finish(self) -> tuple[dict[str, Any], ...]:
        return tuple(map(self._told, self._online.finish()))

    def _told(self, event: Event) -> dict[str, Any]:
        return event.to_dict(self._fps)
