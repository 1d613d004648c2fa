"""Models of hitrs without PyTorch: what ``hitrs export`` wrote, for raw recordings.

>>> recognizer = hitrs_runtime.Recognizer("tuned.onnx")
>>> recognizer(positions, layout="kinect20", fps=30).label  # (frames, joints, 3)
'wave quickly'
"""

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
