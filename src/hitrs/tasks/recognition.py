"""Action recognition: the video features of a recording's bodies, averaged, and one linear layer."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS
from hitrs.tasks.levels import Describe, video_feature
from hitrs.tasks.model import TaskModel
from hitrs.transforms.batch import Batch, bodies
from hitrs.transforms.streams import take_stream


def recording_features(
    encoder: HiTRS, batch: Batch, card: ModelCard, describe: Describe = video_feature
) -> Tensor:
    """Mean over each recording's bodies of what ``describe`` says of a body; by default (B, 4D).

    In paper mode the mean is always over ``card.persons`` slots, absent bodies being zeros that take part;
    else over the bodies that are there, and 0 for a recording in which nothing was seen.
    """
    found = bodies(batch, card.persons if encoder.config.mode == "paper" else None)
    positions, valid = take_stream(found.positions, found.valid, card.preprocessing.stream, card.layout)
    recording, lengths = found.recording, found.lengths
    if encoder.config.mode != "paper":
        seen = valid.flatten(1).any(1)  # a one-frame body has no motion, a lone joint no bone
        positions, valid, recording, lengths = positions[seen], valid[seen], recording[seen], lengths[seen]
    described = describe(encoder, positions, valid, lengths).float()
    total = described.new_zeros(len(batch.lengths), described.shape[1]).index_add(0, recording, described)
    count = described.new_zeros(len(batch.lengths)).index_add(
        0, recording, described.new_ones(len(described))
    )
    return total / count.clamp(min=1)[:, None]


class RecognitionModel(TaskModel):
    """Encoder and classifier."""

    task = "recognition"

    def __init__(self, encoder: HiTRS, card: ModelCard):
        super().__init__()
        self.encoder, self.card = encoder, card
        self.classifier = nn.Linear(encoder.video_width, len(card.classes))

    def forward(self, batch: Batch) -> Tensor:
        """Preprocessed recordings -> scores (B, classes), before softmax."""
        return self.classifier(recording_features(self.encoder, batch, self.card))


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
