"""What the classes for applications share: a trained model, and raw recordings brought to what it reads.

No torch here: a model may be an exported file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from hitrs.data.cleaning.operations import MaskLost
from hitrs.data.recording import Recording
from hitrs.data.space import measure_space
from hitrs.errors import CheckpointError, ConfigError, DataError
from hitrs.models.card import ModelCard
from hitrs.skeleton.layout import Layout
from hitrs.skeleton.mapping import check_layouts, map_positions
from hitrs.tasks.inputs import (
    Input,
    Joints,
    JointsSeen,
    Stated,
    as_recording,
    at_rate,
    check_joints,
    conversion_of,
    joints_seen,
    known_layout,
)
from hitrs.tasks.opening import open_model

FrameAnswer: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From the next frame, (P, J, C) and valid (P, J), to what the model answers for it."""


class Answering(Protocol):
    """A trained model that answers: by PyTorch (``TaskModel``), or by onnxruntime (``ExportedModel``)."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def device(self) -> Any:
        """Where it computes."""

    def answers(self, recordings: Sequence[Recording]) -> list[np.ndarray]:
        """What it answers for recordings of its own layout: of each what its task's graph gives."""

    def frame_by_frame(self, persons: int) -> FrameAnswer:
        """The same for one recording of so many bodies, frame by frame.

        Raises:
            ConfigError: if the model needs frames to come.
        """


class DeployedModel:
    """A trained model of a task with everything that a raw recording needs before it.

    In a process that was forked off it computes on one core.

    A subclass names its ``task`` and adds ``__call__``: :meth:`recording`, what the model answers for
    :meth:`mapped`, and the task's result.

    Args:
        model: model directory, the run that made it, ``hub://owner/name``, an exported file (``*.onnx``), or
            the loaded model itself.
        device: where a PyTorch model computes, for example "cuda"; None: where it is, the CPU for one that is
            read.

    Raises:
        CheckpointError: if there is no model, or it is one for something else.
    """

    task: ClassVar[str]

    def __init__(self, model: str | os.PathLike[str] | Answering, *, device: str | None = None):
        self.model: Any = open_model(model, self.task, device)
        """The model: an ``Answering``, of PyTorch a ``TaskModel``."""
        try:
            _ = self.settings
        except ConfigError as error:
            raise CheckpointError(
                f"the card of {model} describes no model for {self.task}: {error}"
            ) from error

    @property
    def settings(self) -> Any:
        """What the model's card says of how its answers are read."""
        return None

    @property
    def device(self) -> Any:
        """Where the model computes."""
        return self.model.device

    @property
    def card(self) -> ModelCard:
        """What is known about the model."""
        card: ModelCard = self.model.card
        return card

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the scores."""
        return self.card.classes

    @property
    def layout(self) -> Layout:
        """The layout that recordings are mapped to."""
        return self.card.layout

    def recording(
        self,
        given: Input,
        *,
        valid: np.ndarray | None = None,
        layout: Joints | None = None,
        fps: float | None = None,
        resample: bool = False,
        unit: str | None = None,
        up: str | None = None,
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
            layout: of an array or file, if it is not the model's: a Layout, its name, a layout file, or a
                list of the names of its joints.
            fps: frames per second where the input does not say it; None = unknown.
            resample: bring a recording of another frame rate to the model's.
            unit: "meters", "centimeters" or "millimeters", where that is known; None: as bodies suggest.
            up: the axis that points up, "y", "-y", "z", ..., where that is known; None: as bodies suggest.
            as_is: take coordinates as they are, whatever their unit and up axis seem to be, and joints as
                seen that seem to be lost.
            name: what messages call an array.

        Raises:
            DataError: if the recording is empty, not finite, unreadable, shows nobody or too few of the
                model's joints, has another frame rate, or bodies of another size, which no unit explains.
            LayoutError: if it does not fit the model: 2-D for a 3-D model, joints of another layout.
            ConfigError: for a unit or axis that does not exist, or one with ``as_is``.
        """
        stated = stated_space(unit, up, as_is)
        known = known_layout(layout, self.layout)
        recording = as_recording(given, self.layout, valid=valid, layout=known, fps=fps, name=name)
        if not as_is:
            change = MaskLost()(recording)
            notes = (change.note,) if change.note else ()
            recording = replace(change.recording, notes=(*recording.notes, *notes))
        mapped = self.mapped(recording)
        check_joints(recording, mapped.valid, self.card)
        if not as_is:
            have = measure_space(mapped.positions, mapped.valid, self.layout)
            conversion = conversion_of(have, self.card, recording.name, stated=stated)
            recording = replace(
                recording,
                positions=conversion(recording.positions),
                notes=(*recording.notes, *conversion.notes),
            )
        return at_rate(recording, self.card.fps, resample=resample)

    def frames_layout(self, layout: Joints | None) -> Layout:
        """The layout of frames that come one by one: the one that is named, else the model's.

        Raises:
            LayoutError: if there is no such layout, or it does not fit the model.
        """
        given = known_layout(layout, self.layout) or self.layout
        check_layouts(given, self.layout, "what is given")
        return given

    def mapped(self, recording: Recording) -> Recording:
        """A recording in the model's layout.

        Raises:
            LayoutError: if it does not fit the model.
        """
        check_layouts(recording.layout, self.layout, f"recording '{recording.name}'")
        if recording.layout == self.layout:
            return recording
        positions, valid = map_positions(recording.positions, recording.valid, recording.layout, self.layout)
        return replace(recording, positions=positions, valid=valid, layout=self.layout)

    def joints_seen(self, recording: Recording) -> JointsSeen:
        """How many of the model's joints a recording has, and shows."""
        return joints_seen(recording.layout, self.layout, self.mapped(recording).valid)


def stated_space(unit: str | None, up: str | None, as_is: bool) -> Stated:
    """What is said of coordinates.

    Raises:
        ConfigError: for a unit or axis that does not exist, or one of coordinates that are taken as they are.
    """
    if as_is and (unit is not None or up is not None):
        raise ConfigError("as_is takes coordinates as they are: leave unit and up out, or as_is")
    return Stated(unit, up)


def one_frame(
    frame: np.ndarray, valid: np.ndarray | None, layout: Layout, number: int, persons: int | None
) -> Recording:
    """The next frame of a recording that goes on, as a recording.

    Args:
        frame: (J, C) or (P, J, C), joints of the layout.
        valid: (J,) or (P, J) bool; default: what is not NaN.
        number: of the frame, for messages.
        persons: P of the first frame; None: this is the first one.

    Raises:
        DataError: if it is malformed, not finite, or has another number of bodies than the first one.
        LayoutError: if its joints or dimensions are not the layout's.
    """
    seen = None if valid is None else np.asarray(valid)[None]
    given = as_recording(np.asarray(frame)[None], layout, valid=seen, name=f"frame {number}")
    if persons not in (None, given.n_persons):
        raise DataError(
            f"frame {number} has {given.n_persons} bodies, the first frame had {persons}; give every "
            "frame as many slots as there will ever be bodies, with `valid` False where one is absent"
        )
    return given
