"""Untrained models that know people of 1.7 m in meters, y up."""

from dataclasses import asdict

import numpy as np
import torch

from bodies import KINECT, people
from detectors import detector
from factories import CLASSES, tiny
from hitrs.data.recording import Recording
from hitrs.data.space import measure_space
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.tasks.detection.config import DetectionHeadConfig
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.transforms.config import PreprocessingConfig

SPACE = measure_space(*people(), KINECT)


def person(factor: float = 1.0, frames: int = 40, **more) -> Recording:
    positions, valid = people(frames)
    return Recording(positions * np.float32(factor), valid, KINECT, **{"name": "anna", **more})


def people_recognizer(settings: PreprocessingConfig | None = None, **more) -> RecognitionModel:
    torch.manual_seed(0)
    card = ModelCard(tiny(), KINECT, settings or PreprocessingConfig(), CLASSES, **{"space": SPACE, **more})
    return RecognitionModel(HiTRS(card.model, KINECT.n_joints), card).eval()


def people_detector(**more) -> DetectionModel:
    torch.manual_seed(0)
    config, head = tiny(layers=1, window=5), DetectionHeadConfig(causal=True, hidden=8, layers=2, history=5)
    card = ModelCard(
        config, KINECT, PreprocessingConfig(), CLASSES, task="detection", head=asdict(head),
        postprocessing=detector().card.postprocessing, **{"space": SPACE, "fps": 30.0, **more},
    )  # fmt: skip
    return DetectionModel(HiTRS(config, KINECT.n_joints), card).eval()
