"""Frame level: predict the coordinates of masked joints (Hi-TRS)."""

from __future__ import annotations

from torch import Tensor, nn

from hitrs.models.encoder import HiTRS
from hitrs.pretext.base import EncodedFrames, PretextTask, TaskResult
from hitrs.pretext.losses import regression_result


class MaskedJoint(PretextTask):
    """Linear(D, C) on the feature of every chosen joint."""

    name = "masked_joint"
    level = "frame"
    metric = "error"
    title = "Masked joints (frame)"

    def __init__(self, encoder: HiTRS):
        super().__init__(encoder)
        self.head = nn.Linear(encoder.config.width, encoder.coords)

    def forward(self, encoded: EncodedFrames) -> TaskResult:
        """Predict the joints that the masking chose."""
        chosen = encoded.masked.chosen
        return self.result(encoded.joint_features(chosen), encoded.inputs.positions[chosen])

    def result(self, features: Tensor, target: Tensor) -> TaskResult:
        """Features (Q, D) of the chosen joints of a batch, their unmasked values (Q, C)."""
        return regression_result(self.head(features), target)
