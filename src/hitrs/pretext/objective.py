"""The pre-training objective: a loop over the pretext tasks.

A batch is masked and encoded once, with one packed pass a level for all tasks together: every window of the
sequences, every context of their videos, and what single tasks ask for besides. Each task then scores what
came back, and the weighted losses are added.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from hitrs.errors import ConfigError
from hitrs.models.encoder import Clips, HiTRS, slot_table
from hitrs.pretext.base import (
    ClipRequest,
    EncodedClips,
    EncodedFrames,
    EncodedVideos,
    PretextInputs,
    PretextTask,
    TaskResult,
    VideoRequest,
    hold_out_last,
)
from hitrs.pretext.registry import PRETEXT_TASKS, pretext_weights
from hitrs.training.distributed import share_of_means
from hitrs.transforms.masking import JointMasking, Masking, Unmasked
from hitrs.transforms.random import KeyedGenerator


class PretextObjective(nn.Module):
    """The encoder with the tasks that are switched on.

    Args:
        encoder: what is trained.
        weights: task -> weight in the loss, 0 switches it off; a task that is not given keeps its default
            (:func:`hitrs.pretext.registry.pretext_weights`).
    Raises:
        ConfigError: if a weight or a task is not usable, or two tasks bring different maskings.

    >>> objective = PretextObjective(HiTRS(ModelConfig(), joints=20), {"views": 1.0})
    >>> loss, metrics = objective(positions, valid, lengths, identity, generator)
    """

    def __init__(self, encoder: HiTRS, weights: Mapping[str, float] | None = None):
        super().__init__()
        self.encoder, self.weights = encoder, pretext_weights(weights)
        made = {name: PRETEXT_TASKS.get(name)(encoder) for name, w in self.weights.items() if w > 0}
        self.tasks = nn.ModuleDict(made)
        self.masking = _masking(made)

    @property
    def views(self) -> int:
        """Augmented views of each sequence that a batch must hold."""
        return max(task.views for task in self._tasks_of("frame", "clip", "video").values())

    @property
    def clean(self) -> bool:
        """Whether a task needs the sequences before augmentation."""
        return any(task.clean for task in self._tasks_of("frame", "clip", "video").values())

    def forward(
        self,
        positions: Tensor,
        valid: Tensor,
        lengths: Tensor,
        identity: Tensor,
        generator: KeyedGenerator,
        clean: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and metrics of a batch.

        Args:
            positions: (S, T, J, C) after augmentation and stream; valid: (S, T, J); lengths: (S,).
            identity: (S,) int64, which body each row is a view of.
            generator: all random choices of masking and tasks, of each sequence.
            clean: (S, F, J, C), see ``PretextInputs.clean``.
        Returns:
            the weighted sum of the losses; metrics ``<task>/loss`` and ``<task>/accuracy`` or ``/error``.
        """
        inputs = PretextInputs(positions, valid, lengths, identity, generator, clean)
        masked = self.masking(positions, valid, lengths, generator)
        encoded_frames = self.encoder.encode_frames(masked.positions, masked.valid, lengths)
        if self.encoder.config.frame_drop:  # what was not encoded cannot be asked for its joints
            there = encoded_frames.rows[:, : positions.shape[1], None] >= 0
            masked = dataclasses.replace(masked, chosen=masked.chosen & there)
        frames = EncodedFrames(inputs, masked, encoded_frames)
        encoded: dict[str, EncodedFrames] = dict.fromkeys(self.tasks, frames)
        if tasks := self._tasks_of("clip", "video"):
            clips = self._encode_clips(tasks, frames)
            encoded.update(clips)
            if tasks := self._tasks_of("video"):
                encoded.update(self._encode_videos(tasks, clips))
        return self._weighted_sum({name: task(encoded[name]) for name, task in self.tasks.items()})

    def _tasks_of(self, *levels: str) -> dict[str, PretextTask]:
        tasks = {name: cast(PretextTask, task) for name, task in self.tasks.items()}
        return {name: task for name, task in tasks.items() if task.level in levels}

    def _encode_clips(self, tasks: dict[str, PretextTask], encoded: EncodedFrames) -> dict[str, EncodedClips]:
        """The one pass of the clip level: all windows, then what each task asked for."""
        frames, lengths = encoded.frames, encoded.inputs.lengths
        sequences, windows, places = self.encoder.windows(frames, lengths)
        nothing = ClipRequest(sequences[:0], windows[:0])
        requests = {name: task.request_clips(encoded) or nothing for name, task in tasks.items()}
        packed = [ClipRequest(sequences, windows), *requests.values()]
        features = self.encoder.encode_clips(
            frames,
            torch.cat([request.sequences for request in packed]),
            torch.cat([request.windows for request in packed]),
            _orders(packed),
        )
        features, *requested = features.split([len(request.sequences) for request in packed])
        clips = Clips(features, slot_table(sequences, places, len(lengths)))
        context, following = hold_out_last(clips.slots)
        return {
            name: EncodedClips(
                **vars(encoded),
                clips=clips,
                context=context,
                following=following,
                clip_request=requests[name],
                requested_clips=own,
            )
            for name, own in zip(tasks, requested, strict=True)
        }

    def _encode_videos(
        self, tasks: dict[str, PretextTask], encoded: dict[str, EncodedClips]
    ) -> dict[str, EncodedVideos]:
        """The one pass of the video level: all contexts, then what each task asked for."""
        shared = encoded[next(iter(tasks))]
        nothing = VideoRequest(shared.following[:0], shared.context[:0])
        requests = {name: task.request_videos(encoded[name]) or nothing for name, task in tasks.items()}
        packed = [shared.context, *(request.slots for request in requests.values())]
        features = self.encoder.encode_videos(shared.clips.features, torch.cat(packed)).video
        videos, *requested = features.split([len(slots) for slots in packed])
        return {
            name: EncodedVideos(
                **vars(encoded[name]), videos=videos, video_request=requests[name], requested_videos=own
            )
            for name, own in zip(tasks, requested, strict=True)
        }

    def _weighted_sum(self, results: dict[str, TaskResult]) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted loss and metrics, such that their means over processes are those of the global batch."""
        counts = torch.tensor([float(result.count) for result in results.values()])
        shares, everywhere = share_of_means(counts.to(next(iter(results.values())).loss.device))
        total, metrics = [], {}
        for (name, result), share, count in zip(results.items(), shares, everywhere.tolist(), strict=True):
            total.append(self.weights[name] * share * result.loss)
            if count > 0:
                metrics[f"{name}/loss"] = share * result.loss.detach()
                metrics[f"{name}/{self.tasks[name].metric}"] = share * result.metric
        return torch.stack(total).sum(), metrics


def _masking(tasks: Mapping[str, PretextTask]) -> Masking:
    """The masking that the tasks ask for; those that need none leave it to the others."""
    if all(task.masking == Unmasked() for task in tasks.values()):
        return Unmasked()
    wanted = {n: task.masking for n, task in tasks.items() if task.masking not in (None, Unmasked())}
    for name, masking in wanted.items():
        first = next(iter(wanted))
        if masking != wanted[first]:
            raise ConfigError(
                f"the pretext tasks '{first}' and '{name}' mask the sequences in different ways "
                f"({wanted[first]} and {masking}), and there is one pass for all; set the weight of one to 0"
            )
    return next((masking for masking in wanted.values() if masking), JointMasking())


def _orders(requests: list[ClipRequest]) -> Tensor | None:
    """Permutations of the places of all windows, None where every window keeps its order."""
    if all(request.order is None for request in requests):
        return None
    places = torch.arange(requests[0].windows.shape[1], device=requests[0].windows.device)
    return torch.cat([places.expand_as(r.windows) if r.order is None else r.order for r in requests])
