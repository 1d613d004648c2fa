"""Trained models at work: arrays or files in, named results out."""

from hitrs.deploy.detector import Detector
from hitrs.deploy.predictor import Continuation, Predictor
from hitrs.deploy.recognizer import Prediction, Recognition, Recognizer
from hitrs.deploy.segments_out import Detection
from hitrs.deploy.streaming import Event, OnlineDetector, OnlineResult

__all__ = [
    "Continuation", "Detection", "Detector", "Event", "OnlineDetector", "OnlineResult",
    "Prediction", "Predictor", "Recognition", "Recognizer",
]  # fmt: skip
