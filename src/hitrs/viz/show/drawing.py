"""One recording as a page draws it: few bytes, upright, with a camera that has all of it in sight."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hitrs.data.recording import Recording
from hitrs.data.space import TURNS, measure_space
from hitrs.errors import counted
from hitrs.skeleton import Layout
from hitrs.tasks.reply import Reply
from hitrs.viz.view import fit_view

MOST_NUMBERS = 600_000
"""Coordinates of one recording that are drawn, 1.6 MB of a page; of a longer one every n-th frame."""
UNKNOWN_RATE = 20.0
"""Frames a second that are played of a recording that does not say it."""
_STEPS = 65_534
"""Positions are whole numbers up to half of this, in 16 bits."""
_FAR = 16.0
"""A joint that lies so many sizes of the scene beside it would make the steps coarse for all the others."""


@dataclass(frozen=True)
class Quantized:
    """Positions in 16 bits; as numbers they are ``origin + step * values``, off by half a step at most."""

    values: np.ndarray
    """(T, P, J, C) int16, 0 where not valid."""
    origin: np.ndarray
    """(C,) float64."""
    step: float
    moved: int
    """Joints that lay so far outside that they were moved to the edge."""

    def positions(self) -> np.ndarray:
        """(T, P, J, C) as a page computes them; without meaning where not valid."""
        return self.origin + self.step * self.values


def quantize(positions: np.ndarray, valid: np.ndarray) -> Quantized:
    """Positions (T, P, J, C) in 16 bits; valid: (T, P, J).

    The range is that of all valid joints: 5 meters make steps of 0.08 mm. Single ones far outside do not
    stretch it, and are moved to its edge.

    >>> small = quantize(recording.positions, recording.valid)
    >>> bool((abs(small.positions() - recording.positions)[recording.valid] <= small.step / 2).all())
    True
    """
    seen = positions[valid].astype(np.float64)
    if not len(seen):
        return Quantized(np.zeros(positions.shape, np.int16), np.zeros(positions.shape[-1]), 1.0, 0)
    low, high = np.percentile(seen, [0.2, 99.8], axis=0)
    far = _FAR * max(float((high - low).max()), 1e-9)
    low, high = np.maximum(seen.min(0), low - far), np.minimum(seen.max(0), high + far)
    origin, step = (low + high) / 2, max(float((high - low).max()), 1e-9) / _STEPS
    inside = np.clip(positions, low, high)
    values = np.where(valid[..., None], np.rint((inside - origin) / step), 0).astype(np.int16)
    moved = int(((positions < low) | (positions > high)).any(-1)[valid].sum())
    return Quantized(values, origin, step, moved)


def draw(
    recording: Recording, reply: Reply | None = None, *, most_numbers: int = MOST_NUMBERS
) -> dict[str, Any]:
    """What ``show.js`` needs to draw a recording and what a model says of it, as JSON values.

    Frames count as in the recording, also where only every n-th is drawn (``step``).

    Args:
        reply: its recording is drawn instead, which is the same in the unit and rate of the model.
        most_numbers: coordinates at most; frames are left out of a recording with more, but the strip that
            tells what was seen is of all frames.
    """
    if reply is not None:
        recording = reply.recording
    recorded = recording.n_persons
    turned = upright(recording)
    if reply is not None and reply.predicted is not None:
        turned = _with_predicted(turned, upright(reply.predicted, like=recording), reply.start)
    positions, valid, layout = turned.positions, turned.valid, turned.layout
    step = -(-positions.size // most_numbers)
    drawn = slice(None, None, step)
    thinned = replace(turned, positions=positions[drawn], valid=valid[drawn], segments=())
    small = quantize(thinned.positions, thinned.valid)
    notes = [*recording.notes]
    if step > 1:
        notes.append(
            f"of its {turned.n_frames:,} frames every {_ordinal(step)} is drawn, to keep the page small; "
            "the strip that tells what was seen is of all frames"
        )
    if small.moved:
        verb = "is" if small.moved == 1 else "are"
        notes.append(f"{counted(small.moved, 'position')} far outside of the scene {verb} drawn at its edge")
    return {
        "name": recording.name,
        "facts": _facts(recording),
        "notes": notes,
        "frames": turned.n_frames,
        "fps": recording.fps,
        "rate": recording.fps or UNKNOWN_RATE,
        "step": step,
        "drawn": len(small.values),
        "persons": turned.n_persons,
        "recorded": recorded,
        "dims": layout.dims,
        "joints": list(layout.joints),
        "bones": [list(bone) for bone in layout.bones()],
        "sides": sides(turned.layout),
        "origin": small.origin.tolist(),
        "quantum": small.step,
        "positions": _base64(small.values.astype("<i2")),
        "valid": _base64(np.packbits(thinned.valid, axis=None, bitorder="little")),
        "seen": _base64(_seen(valid, step)),
        "view": view_of(thinned),
        "lanes": _lanes(recording, reply),
        **_told(reply, drawn),
    }


def upright(recording: Recording, like: Recording | None = None) -> Recording:
    """The recording turned so that y points up; as another one is turned, if that is given."""
    if recording.layout.dims == 2:
        return recording
    like = like or recording
    up = measure_space(like.positions, like.valid, like.layout).up
    if up not in TURNS:  # y, or unclear
        return recording
    return replace(recording, positions=recording.positions @ TURNS[up].T)


def _with_predicted(recording: Recording, predicted: Recording, start: int) -> Recording:
    """Further persons that stand only in the predicted frames; frames that nobody recorded show nobody."""
    frames = max(recording.n_frames, predicted.n_frames)
    persons, (joints, dims) = recording.n_persons, recording.positions.shape[2:]
    positions = np.zeros((frames, persons + predicted.n_persons, joints, dims), np.float32)
    valid = np.zeros(positions.shape[:3], bool)
    positions[: recording.n_frames, :persons] = recording.positions
    valid[: recording.n_frames, :persons] = recording.valid
    future = slice(start, predicted.n_frames)
    positions[future, persons:] = predicted.positions[future]
    valid[future, persons:] = predicted.valid[future]
    return replace(recording, positions=positions, valid=valid)


def view_of(recording: Recording) -> dict[str, Any] | None:
    """Where the camera stands, how much it has in sight, and the floor; None where nobody was seen."""
    if not recording.valid.any():
        return None
    view = fit_view(recording, 100)
    seen = recording.positions[recording.valid].astype(np.float64)
    low, high = np.percentile(seen, [0.2, 99.8], axis=0)
    if recording.layout.dims == 2:
        center, half = (low + high) / 2, (high - low) / 2
        return {"center": center.tolist(), "radius": float(half[0]), "height": float(half[1]), "floor": []}
    around = np.linalg.norm((seen - view.origin)[:, [0, 2]], axis=1)
    return {
        "center": view.origin.tolist(),
        "yaw": float(np.arctan2(view.axes[0, 2], view.axes[0, 0])),
        "distance": view.distance,
        "radius": float(np.percentile(around, 99.8)),
        "height": float(high[1] - low[1]) / 2,
        "floor": [np.round(line, 3).ravel().tolist() for line in view.floor],
    }


def sides(layout: Layout) -> list[int]:
    """Of each joint: 0 midline, 1 left, 2 right."""
    side = [0] * layout.n_joints
    for left, right in layout.pairs:
        side[left], side[right] = 1, 2
    return side


def _seen(valid: np.ndarray, step: int) -> np.ndarray:
    """(P, drawn frames) uint8: joints that are seen, 255 = all; the least of the frames up to the next."""
    share = np.floor(valid.mean(-1) * 255).astype(np.uint8)  # (T, P)
    return np.minimum.reduceat(share, np.arange(0, len(share), step)).T


def _lanes(recording: Recording, reply: Reply | None) -> list[dict[str, Any]]:
    """What happens when: segments that were labeled and found, and where the future begins."""
    lanes = []
    if recording.segments:
        spans = [[each.start, each.stop, each.label] for each in recording.segments]
        compared = reply is not None and reply.segments is not None
        lanes.append({"title": "truth" if compared else "labels", "spans": spans})
    if reply is not None and reply.segments is not None:
        lanes.append({"title": "found", "spans": [list(each) for each in reply.segments]})
    if reply is not None and reply.predicted is not None:
        spans = [[0, reply.start, "observed"], [reply.start, reply.predicted.n_frames, "predicted"]]
        lanes.append({"title": "model", "spans": spans})
    return lanes


def _told(reply: Reply | None, drawn: slice) -> dict[str, Any]:
    if reply is None:
        return {"said": "", "right": None, "scores": [], "probabilities": None, "start": None}
    probabilities = None
    if reply.probabilities is not None:
        values = np.rint(255 * reply.probabilities[drawn]).astype(np.uint8)  # (drawn frames, labels)
        probabilities = {"labels": list(reply.labels), "values": _base64(values)}
    return {
        "said": reply.said,
        "right": reply.right,
        "scores": [[label, round(probability, 4)] for label, probability in reply.scores],
        "probabilities": probabilities,
        "start": None if reply.predicted is None else reply.start,
    }


def _facts(recording: Recording) -> list[list[str]]:
    """What is known about it: (what, value)."""
    rate = f"unknown, played at {UNKNOWN_RATE:g} a second"
    if recording.fps is not None:
        rate = f"{recording.fps:g} a second"
    length = counted(recording.n_frames, "frame")
    if recording.fps is not None:
        length = f"{length}, {recording.n_frames / recording.fps:.2f} s"
    known = {
        "class": recording.label,
        "subject": recording.subject,
        "camera": recording.camera,
        "session": recording.session,
        "length": length,
        "frame rate": rate,
        "joints": f"{recording.layout.n_joints} of {recording.layout.name}",
        "persons": str(recording.n_persons),
        "file": recording.source or None,
    }
    return [[what, value] for what, value in known.items() if value]


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
