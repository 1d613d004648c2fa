"""Hi-TRS: a hierarchical Transformer for human-skeleton sequences."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hitrs.cli.configfile import load_config
    from hitrs.data import (
        Recording,
        Segment,
        Store,
        import_dataset,
        inspect_store,
        read_recording,
        write_npz,
        write_store,
    )
    from hitrs.data.synthetic import make_synthetic
    from hitrs.deploy import (
        Continuation,
        Detection,
        Detector,
        Prediction,
        Predictor,
        Recognition,
        Recognizer,
    )
    from hitrs.errors import HitrsError
    from hitrs.models.config import ModelConfig
    from hitrs.models.hitrs import HiTRS
    from hitrs.skeleton import Layout, get_layout, list_layouts
    from hitrs.tasks.detection.model import DetectionModel
    from hitrs.tasks.prediction.model import PredictionModel
    from hitrs.tasks.recognition import RecognitionModel
    from hitrs.train.config import Config
    from hitrs.train.pretraining import pretrain
    from hitrs.train.recognition import train_recognizer
    from hitrs.transforms.preprocess import Preprocessing
    from hitrs.transforms.source import Source

__version__ = "0.1.0"

# The public names, imported when they are first used: importing torch takes seconds.
_HOMES = {
    "Config": "hitrs.train.config",
    "Continuation": "hitrs.deploy",
    "Detection": "hitrs.deploy",
    "DetectionModel": "hitrs.tasks.detection.model",
    "Detector": "hitrs.deploy",
    "HiTRS": "hitrs.models.hitrs",
    "HitrsError": "hitrs.errors",
    "Layout": "hitrs.skeleton",
    "ModelConfig": "hitrs.models.config",
    "Prediction": "hitrs.deploy",
    "PredictionModel": "hitrs.tasks.prediction.model",
    "Predictor": "hitrs.deploy",
    "Preprocessing": "hitrs.transforms.preprocess",
    "Recognition": "hitrs.deploy",
    "RecognitionModel": "hitrs.tasks.recognition",
    "Recognizer": "hitrs.deploy",
    "Recording": "hitrs.data",
    "Segment": "hitrs.data",
    "Source": "hitrs.transforms.source",
    "Store": "hitrs.data",
    "get_layout": "hitrs.skeleton",
    "import_dataset": "hitrs.data",
    "inspect_store": "hitrs.data",
    "list_layouts": "hitrs.skeleton",
    "load_config": "hitrs.cli.configfile",
    "make_synthetic": "hitrs.data.synthetic",
    "pretrain": "hitrs.train.pretraining",
    "read_recording": "hitrs.data",
    "train_recognizer": "hitrs.train.recognition",
    "write_npz": "hitrs.data",
    "write_store": "hitrs.data",
}

__all__ = [
    "Config",
    "Continuation",
    "Detection",
    "DetectionModel",
    "Detector",
    "HiTRS",
    "HitrsError",
    "Layout",
    "ModelConfig",
    "Prediction",
    "PredictionModel",
    "Predictor",
    "Preprocessing",
    "Recognition",
    "RecognitionModel",
    "Recognizer",
    "Recording",
    "Segment",
    "Source",
    "Store",
    "get_layout",
    "import_dataset",
    "inspect_store",
    "list_layouts",
    "load_config",
    "make_synthetic",
    "pretrain",
    "read_recording",
    "train_recognizer",
    "write_npz",
    "write_store",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hitrs' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
