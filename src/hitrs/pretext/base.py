"""What a pretext task is: one object that says what it wants encoded, and scores what comes back.

The objective (``hitrs.pretext.objective``) masks a batch and encodes it once a level, for all tasks together;
what single tasks want encoded besides goes through the same pass. A level sees what the levels below it made:

    frames -> request_clips -> clips -> request_videos -> videos -> forward

A task of another package is a subclass of ``PretextTask`` behind the entry point "hitrs.pretext_tasks"; a
script registers one with ``hitrs.register_pretext_task`` (docs/extend.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from hitrs.models.encoder import Clips, Frames, HiTRS
from hitrs.transforms.masking import Masked, Masking
from hitrs.transforms.random import KeyedGenerator

Level = Literal["frame", "clip", "video"]
Metric = Literal["accuracy", "error"]


@dataclass(frozen=True)
class PretextInputs:
    """A batch of S sequences, each the body of one person, augmented but not masked."""

    positions: Tensor
    """(S, T, J, C) in the model's stream; anything where not valid."""
    valid: Tensor
    """(S, T, J), True for joints that were seen."""
    lengths: Tensor
    """(S,) int64, real frames."""
    identity: Tensor
    """(S,) int64: sequences of the same number are augmented views of one body."""
    generator: KeyedGenerator
    """Of the sequences; all that a task draws at random comes from it."""
    clean: Tensor | None = None
    """(S, F, J, C): the sequences before augmentation, joints, resampled to ``convolutions.FRAMES``, 0 where
    unseen; None unless a task says that it needs them."""


@dataclass(frozen=True)
class ClipRequest:
    """Clips that a task wants encoded besides the windows of every sequence."""

    sequences: Tensor
    """(R,) int64, the sequence of each clip."""
    windows: Tensor
    """(R, W) int64, padded frame indices (``hitrs.transforms.windows``), at least one of an encoded frame."""
    order: Tensor | None = None
    """(R, W) int64, a permutation of the places of each window; None keeps the order."""


@dataclass(frozen=True)
class VideoRequest:
    """Videos that a task wants encoded besides the context of every sequence."""

    sequences: Tensor
    """(R,) int64, the sequence that each video is made from."""
    slots: Tensor
    """(R, N) int64 like ``EncodedClips.context``: rows of the clips, in any order, -1 for no clip."""


@dataclass(frozen=True)
class EncodedFrames:
    """What a task of the frame level gets."""

    inputs: PretextInputs
    masked: Masked
    """What the encoder saw of the inputs."""
    frames: Frames
    """Joint features of the masked sequences."""

    def joint_features(self, where: Tensor) -> Tensor:
        """Features of single joints, (Q, D), in the order of ``positions[where]``.

        Args:
            where: (S, T, J) bool.
        Raises:
            ValueError: if the encoder did not see one of them: there is no feature of such a joint.
        """
        pad = (self.frames.rows.shape[1] - where.shape[1]) // 2
        sequence, frame, joint = where.nonzero(as_tuple=True)
        rows = self.frames.rows[sequence, frame + pad]
        if not bool(((rows >= 0) & self.frames.valid[rows, joint]).all()):
            raise ValueError("joint_features: some of these joints are not valid in the masked sequence")
        return self.frames.features[rows, joint]


@dataclass(frozen=True)
class EncodedClips(EncodedFrames):
    """What a task of the clip level gets."""

    clips: Clips
    """Features of all windows of the masked sequences (K, 2D); row of each sequence's n-th window (S, N)."""
    context: Tensor
    """(S, N) int64: ``clips.slots`` without the last clip of each sequence that has several."""
    following: Tensor
    """(S,) int64: row of that last clip, -1 where a sequence has one clip or none."""
    clip_request: ClipRequest
    """What the task itself asked for; R = 0 if nothing."""
    requested_clips: Tensor
    """(R, 2D), features of the request."""


@dataclass(frozen=True)
class EncodedVideos(EncodedClips):
    """What a task of the video level gets."""

    videos: Tensor
    """(S, 4D), video features of the contexts."""
    video_request: VideoRequest
    """What the task itself asked for; R = 0 if nothing."""
    requested_videos: Tensor
    """(R, 4D), features of the request."""


@dataclass(frozen=True)
class TaskResult:
    """Loss of one task on one batch, and how well it was solved."""

    loss: Tensor
    """Scalar; 0 with a gradient path if no sequence of the batch is long enough for the task."""
    metric: Tensor
    """Detached scalar: the accuracy, or the error of a prediction."""
    count: int
    """How many items both are means over."""


class PretextTask(nn.Module):
    """One pretext task: what it learns, what it wants encoded, its loss.

    Made with the encoder before training. Its parameters are ``tasks.NAME.*`` of the objective, its weight is
    ``pretext: {NAME: ...}`` in the configuration, its metrics are ``NAME/loss`` and ``NAME/accuracy`` or
    ``NAME/error``. Everything random comes from ``inputs.generator``.

    >>> class JointHeight(PretextTask):
    ...     name, level, metric, title = "joint_height", "frame", "error", "Height of masked joints"
    ...
    ...     def __init__(self, encoder):
    ...         super().__init__(encoder)
    ...         self.head = nn.Linear(encoder.config.width, 1)
    ...
    ...     def forward(self, encoded):
    ...         chosen = encoded.masked.chosen
    ...         height = encoded.inputs.positions[chosen][:, 1:2]
    ...         return regression_result(self.head(encoded.joint_features(chosen)), height)
    """

    name: ClassVar[str]
    level: ClassVar[Level]
    """The highest level whose features it needs; levels that no task needs are not computed."""
    metric: ClassVar[Metric]
    """What ``TaskResult.metric`` is."""
    title: ClassVar[str]
    """Heading of its curves."""
    chance: ClassVar[float | None] = None
    """Accuracy of guessing, where it is always the same."""
    views: ClassVar[int] = 1
    """Augmented views of each sequence that a batch must hold."""
    clean: ClassVar[bool] = False
    """Whether it needs the sequences as they were before augmentation (``PretextInputs.clean``)."""
    masking: Masking | None = None
    """How the sequences are to be masked; None: as the other tasks want it, by default ``JointMasking()``.
    ``Unmasked()``: the task needs no masking, and there is none unless another task wants it."""

    def __init__(self, encoder: HiTRS):
        """Make what the task learns; sizes come from the encoder, which is not kept."""
        super().__init__()

    def request_clips(self, encoded: EncodedFrames) -> ClipRequest | None:
        """Clips to encode besides the windows of every sequence; asked of the clip and video level."""
        return None

    def request_videos(self, encoded: EncodedClips) -> VideoRequest | None:
        """Videos to encode besides the context of every sequence; asked of the video level."""
        return None

    def forward(self, encoded: EncodedVideos) -> TaskResult:
        """Loss and metric; a task of the frame or clip level gets ``EncodedFrames`` or ``EncodedClips``.

        Where no sequence takes part, the loss is 0 and leads back to the same parameters (``no_result``).
        """
        raise NotImplementedError


def no_result(*outputs: Tensor) -> TaskResult:
    """The result where no sequence takes part: the sum of the head's outputs for none, which is 0.

    It leads back through head and encoder, so that every process has a gradient for the same parameters.
    """
    nothing = torch.cat([output.flatten().float() for output in outputs]).sum()
    return TaskResult(nothing, nothing.detach(), 0)


def hold_out_last(slots: Tensor) -> tuple[Tensor, Tensor]:
    """Slots (S, N) without the last clip of sequences that have several; that clip's row (S,), else -1."""
    present = slots >= 0
    last = (present * torch.arange(1, slots.shape[1] + 1, device=slots.device)).argmax(1)
    several = present.sum(1) > 1
    following = slots.gather(1, last[:, None])[:, 0].masked_fill(~several, -1)
    context = slots.clone()
    context[several, last[several]] = -1
    return context, following
