"""What the models of all tasks share: how they lie on disk."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, TypeVar

from torch import nn

from hitrs.models.bundle import ModelCard, Task, check_task, load_bundle, load_weights, save_bundle
from hitrs.models.hitrs import HiTRS

AnyModel = TypeVar("AnyModel", bound="TaskModel")


class TaskModel(nn.Module):
    """An encoder and what stands on it for one task."""

    task: ClassVar[Task]
    card: ModelCard

    @classmethod
    def untrained(cls: type[AnyModel], card: ModelCard) -> AnyModel:
        """A model of the card's sizes with random weights."""
        return cls(HiTRS(card.model, card.layout.n_joints, card.layout.dims), card)

    @classmethod
    def from_pretrained(cls: type[AnyModel], source: str | Path) -> AnyModel:
        """The model of a model directory, run folder or hub id, in eval mode.

        Raises:
            CheckpointError: if there is none, or it is a model for something else.
        """
        card, weights = load_bundle(source)
        check_task(card, cls.task, source)
        model = cls.untrained(card)
        load_weights(model, weights, source)
        return model.eval()

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the model as a model directory."""
        return save_bundle(folder, self.card, self.state_dict())
