"""Action recognition: the features of a recording's bodies, averaged, and one linear layer."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.errors import ConfigError
from hitrs.models.card import ModelCard
from hitrs.models.config import ModelConfig
from hitrs.models.convolutions import RandomConvolutions, convolution_settings
from hitrs.models.encoder import HiTRS
from hitrs.models.familiarity import Familiarity
from hitrs.models.features import BodyFeatures, pooled_features, recording_features, video_feature
from hitrs.schema import read_settings
from hitrs.tasks.base import TaskModel
from hitrs.tasks.recognition.calibration import HeldOut
from hitrs.tasks.recognition.confidence import FLAT, Confidence
from hitrs.tasks.recognition.config import RecognitionHeadConfig
from hitrs.transforms.batch import Batch

SMALLEST = 1e-12
"""Probability whose logarithm is still taken."""


class RecognitionModel(TaskModel):
    """Encoder (or random convolutions) and classifier.

    Args:
        encoder: None for random convolutions.
        seed: of their kernels, where none are read.
    """

    task = "recognition"
    features: BodyFeatures
    norm: nn.Module
    beside: RecognitionModel | None
    """Random convolutions that answer too (``recognize.head.convolutions``), once there are any."""
    familiarity: Familiarity | None
    """What tells features that are unlike those that trained, where there is such a thing."""
    held_out: HeldOut | None
    """Of a ridge classifier that was just made."""

    def __init__(self, encoder: HiTRS | None, card: ModelCard, seed: int = 0):
        super().__init__()
        self.encoder, self.card, self.beside, self.held_out = encoder, card, None, None
        settings = read_settings(RecognitionHeadConfig, card.head, "head")
        found = card.postprocessing.get("confidence", {})
        self._confidence = read_settings(Confidence, found, "postprocessing.confidence")
        if not card.classes:
            raise ConfigError("a recognizer needs classes, and there are none")
        self.features, self.norm = video_feature, nn.Identity()
        if encoder is None:
            self.convolutions = RandomConvolutions(
                card.layout.n_joints * card.channels, card.preprocessing.frames, seed=seed
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
        axes = self._confidence.axes
        self.familiarity = Familiarity(width, axes) if axes else None

    def forward(self, batch: Batch) -> Tensor:
        """Preprocessed recordings -> scores (B, classes), before softmax.

        Not in training: with random convolutions beside the encoder, those of the mean probabilities; at the
        temperature that held-out recordings chose; and about the same for all classes where the features are
        unlike all that trained.
        """
        features = recording_features(self.encoder, batch, self.card, self.features)
        if self.training:
            return self.classify(features)
        return self.answer(features, None if self.beside is None else self.beside.scores(batch))

    def scores(self, batch: Batch) -> Tensor:
        """Those of the classifier alone."""
        return self.classify(recording_features(self.encoder, batch, self.card, self.features))

    def classify(self, features: Tensor) -> Tensor:
        """Scores (B, classes) of features of recordings, (B, W)."""
        scores: Tensor = self.classifier(self.dropout(self.norm(features)))
        return scores

    def answer(self, features: Tensor, beside: Tensor | None) -> Tensor:
        """The final scores (B, classes).

        Args:
            features: (B, W).
            beside: scores of the random convolutions, where there are any.
        """
        scores = self.classify(features)
        if beside is not None:
            probabilities = scores.float().softmax(1) + beside.float().softmax(1)
            scores = (probabilities / 2).clamp(min=SMALLEST).log()
        scores = scores / self.confidence.temperature
        if self.familiarity is not None:
            far = self.familiarity(features.float()) > self.confidence.distance
            flat = FLAT * scores / scores.abs().amax(1, keepdim=True).clamp(min=1.0)
            scores = torch.where(far[:, None], flat, scores)
        return scores

    @property
    def confidence(self) -> Confidence:
        """How scores become probabilities, and from which one on a class is named; it stands in the card."""
        return self._confidence

    @confidence.setter
    def confidence(self, chosen: Confidence) -> None:
        self._confidence = chosen
        postprocessing = {**self.card.postprocessing, "confidence": dataclasses.asdict(chosen)}
        self.card = dataclasses.replace(self.card, postprocessing=postprocessing)

    def add_convolutions(self, beside: RecognitionModel | None) -> None:
        """Let random convolutions answer too, or no longer (None).

        Of ridge classifiers that learned from the same rows, both together choose how probable a class must
        be.
        """
        self.beside = None if beside is None else beside._alone()
        if self.held_out is not None and beside is None:
            self.confidence = self.held_out.confidence()
        elif self.held_out is not None and beside is not None and beside.held_out is not None:
            self.confidence = self.held_out.beside(beside.held_out).confidence()
        head = {**self.card.head, "convolutions": beside is not None}
        self.card = dataclasses.replace(self.card, head=head)

    def _alone(self) -> RecognitionModel:
        """Random convolutions that only answer; another model says what is unlike all that trained."""
        model = RecognitionModel(None, convolution_card(self.card))
        own = {n: value for n, value in self.state_dict().items() if not n.startswith("familiarity.")}
        model.load_state_dict(own)
        return model.to(self.classifier.weight.device).eval()

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
    return dataclasses.replace(
        card, model=ModelConfig(), preprocessing=settings, head=head, postprocessing={}
    )


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
