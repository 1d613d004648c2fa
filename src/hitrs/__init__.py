"""Hi-TRS: a hierarchical Transformer for human-skeleton sequences."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hitrs.config import Config, load_config
    from hitrs.data import (
        ImportOptions,
        Recording,
        Segment,
        Store,
        import_dataset,
        inspect_store,
        read_recording,
        register_format,
        write_npz,
        write_store,
    )
    from hitrs.data.synthetic import make_synthetic
    from hitrs.data.video.estimator import pose_estimator, register_pose_estimator
    from hitrs.errors import HitrsError
    from hitrs.experiments.evaluation import Evaluation, evaluate
    from hitrs.experiments.runs import Run, finetune, pretrain, probe
    from hitrs.models.card import ModelCard
    from hitrs.models.config import ModelConfig
    from hitrs.models.encoder import HiTRS
    from hitrs.pretext.base import PretextTask
    from hitrs.pretext.registry import register_pretext_task
    from hitrs.skeleton import Layout, get_layout, list_layouts
    from hitrs.tasks.base import EvalOptions, Task
    from hitrs.tasks.detection.detection import Detection
    from hitrs.tasks.detection.detector import Detector
    from hitrs.tasks.detection.model import DetectionModel
    from hitrs.tasks.detection.online import OnlineDetector
    from hitrs.tasks.prediction.model import PredictionModel
    from hitrs.tasks.prediction.predictor import Continuation, Predictor
    from hitrs.tasks.recognition.model import RecognitionModel
    from hitrs.tasks.recognition.online import OnlineRecognizer
    from hitrs.tasks.recognition.recognizer import ClassScore, Recognition, Recognizer
    from hitrs.tasks.registry import register_task
    from hitrs.transforms.config import PreprocessingConfig
    from hitrs.transforms.dataset import SkeletonDataset

__version__ = "0.2.0"

# The public names, imported when they are first used: importing torch takes seconds.
_HOMES = {
    "ClassScore": "hitrs.tasks.recognition.recognizer",
    "Config": "hitrs.config",
    "Continuation": "hitrs.tasks.prediction.predictor",
    "Detection": "hitrs.tasks.detection.detection",
    "DetectionModel": "hitrs.tasks.detection.model",
    "Detector": "hitrs.tasks.detection.detector",
    "EvalOptions": "hitrs.tasks.base",
    "Evaluation": "hitrs.experiments.evaluation",
    "HiTRS": "hitrs.models.encoder",
    "HitrsError": "hitrs.errors",
    "ImportOptions": "hitrs.data",
    "Layout": "hitrs.skeleton",
    "ModelCard": "hitrs.models.card",
    "ModelConfig": "hitrs.models.config",
    "OnlineDetector": "hitrs.tasks.detection.online",
    "OnlineRecognizer": "hitrs.tasks.recognition.online",
    "PredictionModel": "hitrs.tasks.prediction.model",
    "Predictor": "hitrs.tasks.prediction.predictor",
    "PreprocessingConfig": "hitrs.transforms.config",
    "PretextTask": "hitrs.pretext.base",
    "Recognition": "hitrs.tasks.recognition.recognizer",
    "RecognitionModel": "hitrs.tasks.recognition.model",
    "Recognizer": "hitrs.tasks.recognition.recognizer",
    "Recording": "hitrs.data",
    "Run": "hitrs.experiments.runs",
    "Segment": "hitrs.data",
    "SkeletonDataset": "hitrs.transforms.dataset",
    "Store": "hitrs.data",
    "Task": "hitrs.tasks.base",
    "evaluate": "hitrs.experiments.evaluation",
    "finetune": "hitrs.experiments.runs",
    "get_layout": "hitrs.skeleton",
    "import_dataset": "hitrs.data",
    "inspect_store": "hitrs.data",
    "list_layouts": "hitrs.skeleton",
    "load_config": "hitrs.config",
    "make_synthetic": "hitrs.data.synthetic",
    "pose_estimator": "hitrs.data.video.estimator",
    "pretrain": "hitrs.experiments.runs",
    "probe": "hitrs.experiments.runs",
    "read_recording": "hitrs.data",
    "register_format": "hitrs.data",
    "register_pose_estimator": "hitrs.data.video.estimator",
    "register_pretext_task": "hitrs.pretext.registry",
    "register_task": "hitrs.tasks.registry",
    "write_npz": "hitrs.data",
    "write_store": "hitrs.data",
}

__all__ = [
    "ClassScore",
    "Config",
    "Continuation",
    "Detection",
    "DetectionModel",
    "Detector",
    "EvalOptions",
    "Evaluation",
    "HiTRS",
    "HitrsError",
    "ImportOptions",
    "Layout",
    "ModelCard",
    "ModelConfig",
    "OnlineDetector",
    "OnlineRecognizer",
    "PredictionModel",
    "Predictor",
    "PreprocessingConfig",
    "PretextTask",
    "Recognition",
    "RecognitionModel",
    "Recognizer",
    "Recording",
    "Run",
    "Segment",
    "SkeletonDataset",
    "Store",
    "Task",
    "evaluate",
    "finetune",
    "get_layout",
    "import_dataset",
    "inspect_store",
    "list_layouts",
    "load_config",
    "make_synthetic",
    "pose_estimator",
    "pretrain",
    "probe",
    "read_recording",
    "register_format",
    "register_pose_estimator",
    "register_pretext_task",
    "register_task",
    "write_npz",
    "write_store",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hitrs' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
