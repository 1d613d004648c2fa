"""One client's frames, answered in order: this runs in a thread that computes, never in the event loop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitrs.data.recording import LARGEST
from hitrs.data.video.rate import Held
from hitrs.errors import DataError, HitrsError
from hitrs.serve.moment import Moment
from hitrs.serve.pictures import Poses, picture_of
from hitrs.serve.scene import LiveScene
from hitrs.serve.service import sentence
from hitrs.skeleton.layout import Layout
from hitrs.tasks.serving import Live, LiveAnswer

_SLICE = 0.025
"""Seconds of computing before it is another client's turn."""
_LATEST = 1e10
Body = tuple[np.ndarray, np.ndarray]
"""Positions (P, J, C) and valid (P, J)."""


@dataclass
class SentFrame:
    """What a client sent as its next frame."""

    number: int
    """From 0 since its start."""
    received: float
    """``time.perf_counter``."""
    positions: Any = None
    """JSON values."""
    seconds: Any = None
    message: bytes | None = None
    """A picture, with its seconds."""
    dropped: int = 0
    """So many before it were left out."""


def message(kind: str, **values: Any) -> str:
    """A message to a client."""
    return json.dumps({"type": kind, **values}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class FrameStream:
    """Frames in, messages out.

    Args:
        live: the model, which follows what these frames show.
        layout: of the frames.
        persons: slots of each frame.
        fps: frames per second that the model is to be shown; None: each frame once.
        poses: finds people in pictures; None: positions come.
        scene: what is drawn; None: nothing is.
    """

    def __init__(
        self,
        live: Live,
        layout: Layout,
        persons: int = 1,
        fps: float | None = None,
        poses: Poses | None = None,
        scene: LiveScene | None = None,
    ) -> None:
        self._live, self.layout, self._persons = live, layout, persons
        self._held = None if fps is None else Held[Body](fps)
        self._poses, self._scene = poses, scene
        self._nobody = (
            np.zeros((persons, layout.n_joints, layout.dims), np.float32),
            np.zeros((persons, layout.n_joints), bool),
        )
        self.moment: Moment | None = None
        self.keeping = False
        """Whether frames go into the moment now."""
        self._last_seconds = -_LATEST
        self._going: Iterator[str] | None = None
        self._owed: list[tuple[SentFrame, dict[str, Any]]] = []  # frames that wait for a common answer

    def work(self, take: Callable[[], SentFrame | None]) -> list[str]:
        """Answer what there is, for a while; messages in the order of the frames.

        Args:
            take: the next frame, None where there is none now.
        """
        until, said = time.perf_counter() + _SLICE, []
        while time.perf_counter() < until:
            if self._going is None:
                frame = take()
                if frame is None:
                    break
                self._going = self._answered(frame)
            each = next(self._going, None)
            if each is None:
                self._going = None
            elif each:
                said.append(each)
        said += self._common()
        return said

    @property
    def unfinished(self) -> bool:
        """Whether the newest frame is not answered yet."""
        return self._going is not None

    def finish(self) -> str:
        """End the recording."""
        events = self._live.finish()
        self._last_seconds = -_LATEST
        self._held = None if self._held is None else Held[Body](self._held.fps)
        return message("finished", events=list(events))

    def close(self) -> None:
        """Let go of the process that looks at pictures, and of a moment that was not saved."""
        if self.moment is not None:
            self.moment.discard()
        if self._poses is not None:
            self._poses.close()

    def _answered(self, frame: SentFrame) -> Iterator[str]:
        """A message, or "" after each step that is none."""
        begun = time.perf_counter()
        notes: list[str] = []
        answer: LiveAnswer | None = None
        events: list[dict[str, Any]] = []
        drawn: dict[str, Any] = {}
        try:
            seconds, body, picture = self._body(frame)
            posed = time.perf_counter()
            drawn = {} if self._scene is None else self._scene.add(*body)
            if self._poses is not None:
                notes, self._poses.notes = self._poses.notes, []
            if self.keeping and self.moment is not None and not self.moment.full:
                self.moment.add(*body, seconds, picture)
            for given in self._shown(seconds, body):
                answer = self._live.add(*(self._nobody if given is None else given))
                if answer is not None:
                    events += answer.events
                    notes += answer.notes
                yield ""
        except HitrsError as error:
            yield message("error", code="frame", frame=frame.number, message=sentence(error), **drawn)
            return
        spent = {
            "waited": begun - frame.received,
            "pose": posed - begun,
            "model": time.perf_counter() - posed,
        }
        facts = {**drawn, "milliseconds": {what: round(1000 * each, 2) for what, each in spent.items()}}
        if answer is None:
            self._owed.append((frame, {**facts, "notes": notes}))
        else:
            yield self._told(frame, 1, answer, {**facts, "events": events, "notes": notes})

    def _common(self) -> list[str]:
        """One answer to all frames that have none of their own."""
        if not self._owed:
            return []
        owed, self._owed = self._owed, []
        frame, facts = owed[-1]
        frame.dropped = sum(each.dropped for each, _ in owed)
        begun = time.perf_counter()
        try:
            answer = self._live.now() or LiveAnswer(None, None)
        except HitrsError as error:
            drawn = {key: facts[key] for key in ("skeleton", "view") if key in facts}
            return [message("error", code="frame", frame=frame.number, message=sentence(error), **drawn)]
        facts["notes"] = [*(note for _, each in owed for note in each["notes"]), *answer.notes]
        for _, each in owed:  # the newest that there is
            if "view" in each:
                facts["view"] = each["view"]
        facts["milliseconds"]["model"] += round(1000 * (time.perf_counter() - begun), 2)
        return [self._told(frame, len(owed), answer, {**facts, "events": []})]

    def _told(self, frame: SentFrame, count: int, answer: LiveAnswer, facts: dict[str, Any]) -> str:
        values = answer.probabilities
        probabilities = None if values is None else [round(float(value), 4) for value in values]
        told = {"frame": frame.number, "frames": count, "dropped": frame.dropped, "label": answer.label}
        return message("answer", **told, probabilities=probabilities, **facts)

    def _body(self, frame: SentFrame) -> tuple[float | None, Body, bytes | None]:
        """(seconds, body, picture) of a frame.

        Raises:
            DataError: if it is malformed.
        """
        if frame.message is not None:
            if self._poses is None:
                raise DataError('pictures were not announced: `start` has no "pictures": true')
            seconds, picture = picture_of(frame.message)
            self._check(seconds)
            return seconds, self._poses(picture), picture
        if self._poses is not None:
            raise DataError("pictures were announced, but this is a frame of positions")
        if frame.seconds is not None:
            self._check(frame.seconds)
        return frame.seconds, self._arranged(frame.positions), None

    def _check(self, seconds: Any) -> None:
        plain = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not plain or not abs(seconds) < _LATEST:
            raise DataError("the seconds of a frame are a number")
        if seconds < self._last_seconds:
            raise DataError(f"the frame is of {seconds:g} s, but the one before of {self._last_seconds:g} s")
        self._last_seconds = seconds

    def _arranged(self, values: Any) -> Body:
        """Positions of JSON in the slots of persons."""
        given = np.full((0, 0), np.nan) if values is None else _numbers(values)
        if np.isnan(given).all():
            return self._nobody
        if given.ndim == 2:
            given = given[None]
        wanted = (self.layout.n_joints, self.layout.dims)
        if given.ndim != 3 or given.shape[1:] != wanted:
            raise DataError(
                f"positions have shape {given.shape}, expected ({wanted[0]}, {wanted[1]}), joints of layout "
                f"'{self.layout.name}', or persons in front of them"
            )
        if len(given) > self._persons:
            raise DataError(
                f'the frame has {len(given)} persons, `start` said {self._persons} ("persons": {len(given)})'
            )
        positions, valid = (each.copy() for each in self._nobody)
        seen = ~np.isnan(given).any(-1)
        if (np.abs(given[seen]) > LARGEST).any():
            raise DataError("a position is infinite or absurdly large")
        positions[: len(given)] = np.where(seen[..., None], given, 0.0)
        valid[: len(given)] = seen
        return positions, valid

    def _shown(self, seconds: float | None, body: Body) -> Iterator[Body | None]:
        """What the model is shown: each frame once, or the newest as often as its rate asks."""
        if self._held is None or seconds is None:
            return iter((body,))
        return self._held.at(seconds, body)


def _numbers(values: Any) -> np.ndarray:
    """An array of nested lists, NaN for null; a joint that is null as a whole has coordinates, too.

    Raises:
        DataError: if they are none.
    """
    if not isinstance(values, list) or not values:
        raise DataError("`positions` is a list: joints with their coordinates, null where one is not seen")
    try:
        array = np.array(_filled(values), np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            "`positions` are no numbers of one shape: (joints, coordinates) or (persons, joints, coordinates)"
        ) from None
    return array


def _filled(values: list[Any], depth: int = 0) -> list[Any]:
    """With a null joint written out."""
    if depth > 1:
        return values
    rows = [_filled(each, depth + 1) if isinstance(each, list) else each for each in values]
    like = next((each for each in rows if isinstance(each, list)), None)
    if like is None or not any(each is None for each in rows):
        return rows
    empty = np.full(np.shape(np.array(like, object)), None).tolist()
    return [empty if each is None else each for each in rows]
