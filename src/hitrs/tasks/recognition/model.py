"""Action recognition: the features of a recording's bodies, averaged, and one linear layer."""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.errors import ConfigError
from hitrs.models.card import ModelCard
from hitrs.models.config import ModelConfig
from hitrs.models.convolutions import RandomConvolutions, convolution_settings
from hitrs.models.encoder import HiTRS
from hitrs.models.features import BodyFeatures, pooled_features, recording_features, video_feature
from hitrs.schema import read_settings
from hitrs.tasks.base import TaskModel
from hitrs.tasks.recognition.config import RecognitionHeadConfig
from hitrs.transforms.batch import Batch

SMALLEST = 1e-12
"""Probability whose logarithm is still taken."""


class RecognitionModel(TaskModel):
    """Encoder (or random convolutions) and classifier."""

    task = "recognition"
    features: BodyFeatures
    norm: nn.Module
    beside: RecognitionModel | None
    """Random convolutions that answer too (``recognize.head.convolutions``), once there are any."""

    def __init__(self, encoder: HiTRS | None, card: ModelCard):
        super().__init__()
        self.encoder, self.card, self.beside = encoder, card, None
        settings = read_settings(RecognitionHeadConfig, card.head, "head")
        if not card.classes:
            raise ConfigError("a recognizer needs classes, and there are none")
        self.features, self.norm = video_feature, nn.Identity()
        if encoder is None:
            self.convolutions = RandomConvolutions(
                card.layout.n_joints * card.channels, card.preprocessing.frames
            )
            self.features, width = self._convolved, self.convolutions.width
        elif settings.features == "pooled":
            width = encoder.pooled_width
            self.features = pooled_features
            self.norm = nn.LayerNorm(width) if settings.norm else self.norm
        else:
            width = encoder.video_width
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(width, len(card.classes))

    def forward(self, batch: Batch) -> Tensor:
        """Preprocessed recordings -> scores (B, classes), before softmax.

        Not in training: with random convolutions beside the encoder, those of the mean probabilities.
        """
        features = recording_features(self.encoder, batch, self.card, self.features)
        scores: Tensor = self.classifier(self.dropout(self.norm(features)))
        if self.beside is None or self.training:
            return scores
        probabilities = scores.float().softmax(1) + self.beside(batch).float().softmax(1)
        return (probabilities / 2).clamp(min=SMALLEST).log()

    def add_convolutions(self, beside: RecognitionModel | None) -> None:
        """Let random convolutions answer too, or no longer (None)."""
        self.beside = beside
        head = {**self.card.head, "convolutions": beside is not None}
        self.card = dataclasses.replace(self.card, head=head)

    def _convolved(self, _: None, positions: Tensor, valid: Tensor, lengths: Tensor) -> Tensor:
        """Features of bodies, all resampled to the same number of frames."""
        return self.convolutions(positions.flatten(2).transpose(1, 2))

    @classmethod
    def untrained(cls, card: ModelCard) -> RecognitionModel:
        """A model of the card's sizes with random weights; convolutions have no encoder."""
        settings = read_settings(RecognitionHeadConfig, card.head, "head")
        if settings.features == "convolutions":
            return cls(None, card)
        model = super().untrained(card)
        if settings.convolutions:
            model.beside = cls(None, convolution_card(card))
        return model


def convolution_card(card: ModelCard) -> ModelCard:
    """The card of random convolutions for the same recordings and classes as a model with an encoder."""
    head = dataclasses.asdict(RecognitionHeadConfig(features="convolutions"))
    settings = convolution_settings(card.preprocessing)
    return dataclasses.replace(card, model=ModelConfig(), preprocessing=settings, head=head)


class RecognitionObjective(nn.Module):
    """Cross-entropy of a recognition model."""

    def __init__(self, model: RecognitionModel, label_smoothing: float = 0.0):
        super().__init__()
        self.model, self.label_smoothing = model, label_smoothing

    def forward(self, batch: Batch, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and accuracy; labels (B,) int64."""
        logits = self.model(batch).float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return loss, {"accuracy": (logits.detach().argmax(1) == labels).float().mean()}
