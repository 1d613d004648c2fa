"""Models of hitrs without PyTorch: what ``hitrs export`` wrote, for raw recordings.

>>> recognizer = hitrs_runtime.Recognizer("tuned.onnx")
>>> recognizer(positions, layout="kinect20", fps=30).label  # (frames, joints, 3)
'wave quickly'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hitrs_runtime.data.recording import Recording
    from hitrs_runtime.errors import HitrsError
    from hitrs_runtime.models.exported import ExportedModel
    from hitrs_runtime.skeleton.layout import Layout, get_layout, list_layouts
    from hitrs_runtime.tasks.detection.detection import Detection
    from hitrs_runtime.tasks.detection.detector import Detector
    from hitrs_runtime.tasks.detection.online import OnlineDetector
    from hitrs_runtime.tasks.prediction.predictor import Continuation, Predictor
    from hitrs_runtime.tasks.recognition.online import OnlineRecognizer
    from hitrs_runtime.tasks.recognition.recognizer import Recognition, Recognizer

# Imported when they are first used: a process that recognizes need not wait for the rest.
_HOMES = {
    "Continuation": "hitrs_runtime.tasks.prediction.predictor",
    "Detection": "hitrs_runtime.tasks.detection.detection",
    "Detector": "hitrs_runtime.tasks.detection.detector",
    "ExportedModel": "hitrs_runtime.models.exported",
    "HitrsError": "hitrs_runtime.errors",
    "Layout": "hitrs_runtime.skeleton.layout",
    "OnlineDetector": "hitrs_runtime.tasks.detection.online",
    "OnlineRecognizer": "hitrs_runtime.tasks.recognition.online",
    "Predictor": "hitrs_runtime.tasks.prediction.predictor",
    "Recognition": "hitrs_runtime.tasks.recognition.recognizer",
    "Recognizer": "hitrs_runtime.tasks.recognition.recognizer",
    "Recording": "hitrs_runtime.data.recording",
    "get_layout": "hitrs_runtime.skeleton.layout",
    "list_layouts": "hitrs_runtime.skeleton.layout",
}

__all__ = [
    "Continuation",
    "Detection",
    "Detector",
    "ExportedModel",
    "HitrsError",
    "Layout",
    "OnlineDetector",
    "OnlineRecognizer",
    "Predictor",
    "Recognition",
    "Recognizer",
    "Recording",
    "get_layout",
    "list_layouts",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hitrs_runtime' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
