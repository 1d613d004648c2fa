"""The pre-training objective: one masked pass through the encoder, and the weighted sum of the losses."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import Tensor, nn

from hitrs.errors import ConfigError
from hitrs.models.hitrs import HiTRS, slot_table
from hitrs.pretext.clip_order import ClipOrder, displacement
from hitrs.pretext.future_clip import FutureClip
from hitrs.pretext.gather import share_of_means
from hitrs.pretext.masked_joint import MaskedJoint
from hitrs.pretext.task import TaskResult
from hitrs.pretext.video_order import VideoOrder
from hitrs.pretext.views import Views
from hitrs.transforms.draws import Draws
from hitrs.transforms.masking import mask_joints


@dataclass(frozen=True)
class PretextConfig:
    """Weights of the pretext tasks in the loss; 0 switches a task off. The defaults are the paper's."""

    masked_joint: float = 1.0
    """Frame level: predict masked joints."""
    clip_order: float = 1.0
    """Clip level: frames in order, or two exchanged."""
    video_order: float = 1.0
    """Video level: clips in order, or two exchanged."""
    future_clip: float = 1.0
    """Video level: which clip follows."""
    views: float = 0.0
    """Video level, beyond the paper: two augmented views of a sequence find each other."""

    def __post_init__(self) -> None:
        weights = [getattr(self, f.name) for f in fields(self)]
        if min(weights) < 0 or not sum(weights) > 0:
            raise ConfigError(f"pretext weights must not be negative and not all 0, got {weights}")


class PretextObjective(nn.Module):
    """The encoder with the heads of the tasks that are switched on."""

    def __init__(self, encoder: HiTRS, config: PretextConfig):
        super().__init__()
        self.encoder, self.config = encoder, config
        size = encoder.config
        makers = {
            "masked_joint": lambda: MaskedJoint(size.width, encoder.coords),
            "clip_order": lambda: ClipOrder(encoder.clip_width, size.window, size.dilation),
            "video_order": lambda: VideoOrder(encoder.video_width),
            "future_clip": lambda: FutureClip(encoder.video_width, encoder.clip_width),
            "views": lambda: Views(encoder.video_width),
        }
        self.tasks = nn.ModuleDict(
            {name: make() for name, make in makers.items() if getattr(config, name) > 0}
        )

    @property
    def needs_views(self) -> bool:
        """Whether a batch must hold two augmented views of every sequence."""
        return "views" in self.tasks

    def forward(
        self, positions: Tensor, valid: Tensor, lengths: Tensor, identity: Tensor, draws: Draws
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and metrics of a batch.

        Args:
            positions: (S, T, J, C) after augmentation and stream; valid: (S, T, J); lengths: (S,).
            identity: (S,) int64, which sequence each row is a view of; rows of equal identity are the views
                task's pairs.
            draws: all random choices of the tasks, of each sequence.
        Returns:
            the weighted sum of the losses; metrics ``<task>/loss`` and ``<task>/accuracy`` or ``/error``.
        """
        encoder = self.encoder
        masked = mask_joints(positions, valid, lengths, draws)
        frames = encoder.encode_frames(masked.positions, valid, lengths)
        results = {}

        if "masked_joint" in self.tasks:
            pad = (frames.rows.shape[1] - positions.shape[1]) // 2
            sequence, frame, joint = masked.chosen.nonzero(as_tuple=True)
            chosen = frames.features[frames.rows[sequence, frame + pad], joint]
            results["masked_joint"] = self.tasks["masked_joint"](chosen, positions[masked.chosen])

        sequences, windows, places = encoder.windows(frames, lengths)
        n_clips, n_pairs, swap = len(sequences), 0, None
        if "clip_order" in self.tasks:
            task = cast(ClipOrder, self.tasks["clip_order"])
            pairs = task.draw(displacement(positions, valid), frames.rows >= 0, lengths, draws)
            n_pairs = len(pairs.sequences)
            sequences = torch.cat([sequences, pairs.sequences, pairs.sequences])
            windows = torch.cat([windows, pairs.windows, pairs.windows])
            in_place = torch.arange(windows.shape[1], device=windows.device)
            swap = torch.cat([in_place.expand(n_clips + n_pairs, -1), pairs.swap])
        features = encoder.encode_clips(frames, sequences, windows, swap)  # one packed pass for all clips
        clips, in_order, swapped = features.split([n_clips, n_pairs, n_pairs])
        if "clip_order" in self.tasks:
            results["clip_order"] = self.tasks["clip_order"](in_order, swapped)

        if self.tasks.keys() & {"video_order", "future_clip", "views"}:
            slots = slot_table(sequences[:n_clips], places, len(lengths))
            results |= self._video_tasks(clips, slots, identity, draws)

        return self._sum(results)

    def _sum(self, results: dict[str, TaskResult]) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted loss and metrics, such that their means over processes are those of the global batch."""
        counts = torch.tensor([float(result.count) for result in results.values()])
        shares, everywhere = share_of_means(counts.to(next(iter(results.values())).loss.device))
        total, metrics = [], {}
        for (name, result), share, count in zip(results.items(), shares, everywhere.tolist(), strict=True):
            total.append(getattr(self.config, name) * share * result.loss)
            if count > 0:
                kind = "error" if name == "masked_joint" else "accuracy"
                metrics[f"{name}/loss"] = share * result.loss.detach()
                metrics[f"{name}/{kind}"] = share * result.metric
        return torch.stack(total).sum(), metrics

    def _video_tasks(
        self, clips: Tensor, slots: Tensor, identity: Tensor, draws: Draws
    ) -> dict[str, TaskResult]:
        # the last clip is held out, of videos that have more than one
        present = slots >= 0
        last = (present * torch.arange(1, slots.shape[1] + 1, device=slots.device)).argmax(1)
        several = present.sum(1) > 1
        following = slots.gather(1, last[:, None])[:, 0]
        context = slots.clone()
        context[several, last[several]] = -1

        swapped_sequences, swapped = slots.new_zeros(0), context[:0]
        if "video_order" in self.tasks:
            task = cast(VideoOrder, self.tasks["video_order"])
            swapped_sequences, swapped = task.draw(context, draws)
        videos = self.encoder.encode_videos(clips, torch.cat([context, swapped])).video
        videos, negatives = videos.split([len(slots), len(swapped)])

        results = {}
        if "video_order" in self.tasks:
            results["video_order"] = self.tasks["video_order"](videos[swapped_sequences], negatives)
        if "future_clip" in self.tasks:
            results["future_clip"] = self.tasks["future_clip"](videos[several], clips[following[several]])
        if "views" in self.tasks:
            results["views"] = self.tasks["views"](videos, identity)
        return results
