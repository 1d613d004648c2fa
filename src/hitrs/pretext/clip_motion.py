"""Clip level, beyond the paper: how each joint moves in the frames of a clip that the encoder did not see.

Training leaves out frames of every clip (``model.frame_drop``), which also halves its cost. What a joint did
in them, relative to where it was in those that were seen, is predicted from what the encoder knows of the
joint and of the clip. Motion as a target is from MAMP (Mao et al. 2023); a relative target serves any stream.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hitrs.errors import ConfigError
from hitrs.models.encoder import HiTRS
from hitrs.pretext.base import EncodedClips, PretextTask, TaskResult, no_result
from hitrs.transforms.masking import Unmasked


class ClipMotion(PretextTask):
    """A two-layer map of a joint's mean feature in a clip, the clip's feature and a dropped frame's place.

    The target is the joint's input in the dropped frame minus its mean over the frames of the clip that were
    seen, each channel divided by its deviation in the batch: so 1 is the error of predicting no motion.
    """

    name = "clip_motion"
    level = "clip"
    metric = "error"
    title = "Motion in dropped frames (clip)"
    masking = Unmasked()

    def __init__(self, encoder: HiTRS):
        super().__init__(encoder)
        config = encoder.config
        if not config.frame_drop:
            raise ConfigError(
                "the pretext task clip_motion predicts frames that training leaves out; set model.frame_drop "
                "(for example 0.5) or give the task weight 0"
            )
        self.window, width = config.window, encoder.clip_width
        self.joint, self.clip = nn.Linear(config.width, width), nn.Linear(encoder.clip_width, width)
        self.place = nn.Parameter(torch.randn(config.window, width) / width**0.5)
        self.head = nn.Sequential(
            nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, encoder.coords)
        )

    def no_weight_decay(self) -> set[str]:
        return {"place"}

    def forward(self, encoded: EncodedClips) -> TaskResult:
        """Predict every joint that was seen in a dropped frame and in another frame of its clip."""
        count = encoded.clips.slots.shape[1]
        missing = count * self.window - encoded.inputs.valid.shape[1]
        positions = F.pad(encoded.inputs.positions, (0, 0, 0, 0, 0, missing)).unflatten(1, (count, -1))
        seen = F.pad(encoded.inputs.valid, (0, 0, 0, missing)).unflatten(1, (count, -1))  # (S, N, W, J)
        rows = F.pad(encoded.frames.rows, (0, missing), value=-1).unflatten(1, (count, -1))
        encoded_rows, own = rows.clamp(min=0), (rows >= 0)[..., None]
        visible = own & encoded.frames.valid[encoded_rows]
        number = visible.sum(2).clamp(min=1)[..., None]  # (S, N, J, 1)
        features = encoded.frames.features.index_select(0, encoded_rows.flatten()).unflatten(0, rows.shape)
        joints = (features * visible[..., None]).sum(2) / number  # (S, N, J, D)
        mean = (positions * visible[..., None]).sum(2) / number
        asked = seen & ~own & visible.any(2, keepdim=True) & (encoded.clips.slots >= 0)[..., None, None]
        sequence, clip, place, joint = asked.nonzero(as_tuple=True)
        moved = positions[sequence, clip, place, joint] - mean[sequence, clip, joint]
        known = self.joint(joints)[sequence, clip, joint]
        clips = self.clip(encoded.clips.features)[encoded.clips.slots[sequence, clip]]
        return self.result(known + clips + self.place[place], moved)

    def result(self, features: Tensor, target: Tensor) -> TaskResult:
        """Features (Q, 2D) of joints in dropped frames and how they moved (Q, C)."""
        prediction = self.head(features).float()
        if len(prediction) < 2:
            return no_result(prediction[:0])
        target = target / target.std(0).clamp(min=1e-4)
        loss = F.smooth_l1_loss(prediction, target)
        error = (prediction.detach() - target).square().mean().sqrt()
        return TaskResult(loss, error, len(prediction))
