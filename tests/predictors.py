"""Settings of a small predictor, and an untrained one whose predictions are not zero velocity."""

import dataclasses

import torch

from factories import LAYOUT, tiny
from hitrs.config import Config
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.skeleton import Layout
from hitrs.tasks.prediction.config import PredictionHeadConfig
from hitrs.tasks.prediction.model import PredictionModel
from hitrs.transforms.config import PreprocessingConfig

CONFIG = Config(model=tiny()).changed(
    {
        "augment.policy": "none",
        "predict.optim.steps": 4,
        "predict.optim.batch_size": 4,
        "predict.optim.warmup_steps": 0,
        "predict.optim.log_every": 1,
        "predict.head.observed": 8,
        "predict.head.predicted": 4,
        "predict.head.context": 6,
        "predict.head.width": 8,
        "predict.head.layers": 1,
        "predict.head.coefficients": 6,
    }
)
HEAD = PredictionHeadConfig(observed=10, predicted=5, context=8, width=12, layers=2, coefficients=6)


def predictor(
    fps: float | None = None,
    preprocessing: PreprocessingConfig | None = None,
    layout: Layout = LAYOUT,
    **changes,
) -> PredictionModel:
    torch.manual_seed(0)
    head = dataclasses.replace(HEAD, **changes)
    card = ModelCard(
        tiny(),
        layout,
        preprocessing or PreprocessingConfig(),
        task="prediction",
        head=dataclasses.asdict(head),
        fps=fps,
    )
    encoder = HiTRS(tiny(), layout.n_joints) if head.context else None
    model = PredictionModel(encoder, card).eval()
    torch.nn.init.normal_(model.decoder.out.weight, std=0.1)
    return model
