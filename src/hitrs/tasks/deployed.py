"""What the classes for applications share: a trained model, and raw recordings brought to what it reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic

import numpy as np
import torch

from hitrs.data.cleaning import MaskLost
from hitrs.data.recording import Recording
from hitrs.data.space import measure_space
from hitrs.errors import CheckpointError, DataError
from hitrs.skeleton import Layout
from hitrs.tasks.base import AnyModel, TaskModel
from hitrs.tasks.inputs import (
    Input,
    JointsSeen,
    as_recording,
    at_rate,
    check_joints,
    conversion_of,
    joints_seen,
    known_layout,
)
from hitrs.transforms.dataset import InMemoryDataset

if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    # A forked process has the record of its parent's threads, but not the threads: work that is shared out to
    # them would never end (a web server that forks after loading its model).
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


class DeployedModel(Generic[AnyModel]):
    """A trained model of a task with everything that a raw recording needs before it.

    In a process that was forked off it computes on one core.

    A subclass names the ``model_class`` and adds ``__call__``: :meth:`recording`, :meth:`inputs`, the task's
    ``predict``, and its result.

    Args:
        model: model directory, the run that made it, ``hub://owner/name``, or the loaded model itself.
        device: where to compute, for example "cuda"; None: where the model is, the CPU for one that is read.

    Raises:
        CheckpointError: if there is no model, or it is one for something else.
    """

    model_class: ClassVar[type[TaskModel]]

    def __init__(self, model: str | os.PathLike[str] | AnyModel, *, device: str | None = None):
        loaded: Any = model
        if isinstance(model, str | os.PathLike):
            loaded = self.model_class.from_pretrained(os.fspath(model))
        if not isinstance(loaded, self.model_class):
            given = type(loaded).__name__
            raise CheckpointError(
                f"a {type(self).__name__} is made of a model, its directory or the run that made it, not of "
                f"a {given}; recordings are given to it afterwards"
            )
        self.model: AnyModel = loaded.eval() if device is None else loaded.eval().to(torch.device(device))

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.model.parameters()).device

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the scores."""
        return self.model.card.classes

    @property
    def layout(self) -> Layout:
        """The layout that recordings are mapped to."""
        return self.model.card.layout

    def recording(
        self,
        given: Input,
        *,
        valid: np.ndarray | None = None,
        layout: Layout | str | os.PathLike[str] | None = None,
        fps: float | None = None,
        resample: bool = False,
        as_is: bool = False,
        name: str = "input",
    ) -> Recording:
        """What was given as a recording that the model can use, in its own layout, at the model's frame rate.

        Where bodies are so many times larger or smaller than those of the training data that it must be
        another unit, or stand along another axis, the recording is converted, and joints that the tracker had
        lost count as not seen; the notes of the recording say so.

        Args:
            given: (T, J, C) or (T, P, J, C) in the unit of the training data (meters), a Recording, or the
                path of a file.
            valid: of an array: (T, J) or (T, P, J) bool, True where the joint was seen; default: what is not
                NaN.
            layout: of an array or file, if it is not the model's: a Layout, its name, or a layout file.
            fps: frames per second where the input does not say it; None = unknown.
            resample: bring a recording of another frame rate to the model's.
            as_is: take coordinates as they are, whatever their unit and up axis seem to be, and joints as
                seen that seem to be lost.
            name: what messages call an array.

        Raises:
            DataError: if the recording is empty, not finite, unreadable, shows nobody or too few of the
                model's joints, has another frame rate, or bodies of another size, which no unit explains.
            LayoutError: if it does not fit the model: 2-D for a 3-D model, joints of another layout.
        """
        recording = as_recording(
            given, self.layout, valid=valid, layout=known_layout(layout), fps=fps, name=name
        )
        if not as_is:
            change = MaskLost()(recording)
            notes = (change.note,) if change.note else ()
            recording = replace(change.recording, notes=(*recording.notes, *notes))
        positions, visible = self.inputs([recording]).arrays(0)
        check_joints(recording, visible, self.model.card)
        if not as_is:
            have = measure_space(positions, visible, self.layout)
            conversion = conversion_of(have, self.model.card, recording.name)
            recording = replace(
                recording,
                positions=conversion(recording.positions),
                notes=(*recording.notes, *conversion.notes),
            )
        return at_rate(recording, self.model.card.fps, resample=resample)

    def one_frame(
        self, frame: np.ndarray, valid: np.ndarray | None, number: int, persons: int | None
    ) -> Recording:
        """The next frame of a recording that goes on, as a recording.

        Args:
            frame: (J, C) or (P, J, C), joints of the model's layout.
            valid: (J,) or (P, J) bool; default: what is not NaN.
            number: of the frame, for messages.
            persons: P of the first frame; None: this is the first one.

        Raises:
            DataError: if it is malformed, not finite, or has another number of bodies than the first one.
            LayoutError: if its joints or dimensions are not the model's.
        """
        seen = None if valid is None else np.asarray(valid)[None]
        given = as_recording(np.asarray(frame)[None], self.layout, valid=seen, name=f"frame {number}")
        if persons not in (None, given.n_persons):
            raise DataError(
                f"frame {number} has {given.n_persons} bodies, the first frame had {persons}; give every "
                "frame as many slots as there will ever be bodies, with `valid` False where one is absent"
            )
        return given

    def joints_seen(self, recording: Recording) -> JointsSeen:
        """How many of the model's joints a recording has, and shows."""
        _, visible = self.inputs([recording]).arrays(0)
        return joints_seen(recording.layout, self.layout, visible)

    def inputs(self, recordings: Sequence[Recording]) -> InMemoryDataset:
        """Recordings as the model reads them: mapped to its layout, preprocessed, batched.

        Raises:
            LayoutError: if one does not fit the model.
        """
        return InMemoryDataset(recordings, self.layout, self.model.card.preprocessing)
