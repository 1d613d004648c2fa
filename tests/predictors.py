"""An untrained predictor of the toy layout, whose guesses are not zero velocity."""

import dataclasses

import torch

from factories import LAYOUT, tiny
from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS
from hitrs.skeleton import Layout
from hitrs.tasks.prediction.model import HeadSettings, PredictionModel
from hitrs.transforms.preprocess import Preprocessing

SETTINGS = HeadSettings(
    observed=10, predicted=5, step=1, context=8, width=12, layers=2, coefficients=6, dropout=0.0
)


def predictor(
    fps: float | None = None,
    preprocessing: Preprocessing | None = None,
    layout: Layout = LAYOUT,
    **changes,
) -> PredictionModel:
    torch.manual_seed(0)
    settings = dataclasses.replace(SETTINGS, **changes)
    card = ModelCard(
        tiny(),
        layout,
        preprocessing or Preprocessing(),
        task="prediction",
        head=dataclasses.asdict(settings),
        fps=fps,
    )
    encoder = HiTRS(tiny(), layout.n_joints) if settings.context else None
    model = PredictionModel(encoder, card).eval()
    torch.nn.init.normal_(model.decoder.out.weight, std=0.1)
    return model
