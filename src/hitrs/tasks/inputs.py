"""What people hand to a model (arrays, recordings, files) as recordings."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from hitrs.data.cleaning import Resample
from hitrs.data.conversion import Conversion, convert
from hitrs.data.formats import read_recording
from hitrs.data.inspection.lost import LOST
from hitrs.data.recording import Recording
from hitrs.data.space import Space
from hitrs.data.store import Store
from hitrs.errors import DataError, LayoutError
from hitrs.files import made_here
from hitrs.models.card import ModelCard
from hitrs.skeleton import Layout, get_layout, list_layouts
from hitrs.skeleton.mapping import joint_map
from hitrs.transforms.dataset import SkeletonDataset, check_rate

_AXES = ("frames", "persons", "joints", "coordinates")

Input: TypeAlias = np.ndarray | Recording | str | os.PathLike[str]
"""An array (T, J, C) or (T, P, J, C), a recording, or the path of a file that a reader knows."""


def as_recording(
    given: Input,
    model: Layout,
    *,
    valid: np.ndarray | None = None,
    layout: Layout | None = None,
    columns: str | None = None,
    fps: float | None = None,
    name: str = "input",
) -> Recording:
    """A recording of the layout that the input has.

    Args:
        model: the model's layout, which an array has if no other is named.
        valid: of an array: (T, J) or (T, P, J) bool, True where the joint was seen; default: what is not NaN.
        layout: of an array, or of a file that does not say it itself.
        columns: of a file that is a table without a header, for example "x,y,z".
        fps: frames per second where the input does not say it; None = unknown.
        name: what messages call an array.

    Raises:
        DataError: for an empty or malformed array, coordinates that are infinite, or NaN where ``valid`` says
            seen, or a file that cannot be read.
        LayoutError: if the joints or dimensions of an array are not the layout's; it names the layouts that
            would fit.
    """
    if isinstance(given, str | os.PathLike):
        given = _from_file(Path(given), model, layout, columns)
    if isinstance(given, Store):
        raise DataError(
            f"{name} is a store of {len(given)} recordings: give one of them, as store[0], or all with "
            "`for recording in store` (a recognizer: `recognize_many(store)`)."
        )
    if isinstance(given, Recording):
        return given if fps is None or given.fps is not None else replace(given, fps=fps)
    positions = np.asarray(given)
    if positions.dtype.kind not in "fiu":
        raise DataError(f"{name}: positions are {positions.dtype}, expected numbers.")
    if positions.ndim == 3:
        positions = positions[:, None]  # (T, P=1, J, C)
    if positions.ndim != 4 or 0 in positions.shape:
        state = "is empty" if positions.size == 0 else "is not a recording"
        raise DataError(
            f"{name} {state}: its shape is {np.shape(given)}, expected (frames, joints, coordinates) or "
            "(frames, persons, joints, coordinates)."
        )
    expected = layout or model
    if positions.shape[2:] != (expected.n_joints, expected.dims):
        misfit = _misfit(name, positions.shape[2:], expected, named=layout is not None)
        raise LayoutError(_exchanged(np.shape(given), expected) or misfit)
    seen = ~np.isnan(positions).any(-1) if valid is None else np.asarray(valid)
    if seen.ndim == 2:
        seen = seen[:, None]
    if seen.shape != positions.shape[:3] or seen.dtype != bool:
        raise DataError(
            f"{name}: valid is {seen.dtype} of shape {seen.shape}, expected bool of shape "
            f"{positions.shape[:3]}."
        )
    return Recording(positions, seen, expected, name=name, fps=fps)


def _from_file(path: Path, model: Layout, layout: Layout | None, columns: str | None) -> Recording:
    """A file's recording; one that does not say its layout has the given one, or else the model's."""
    if kind := made_here(path):
        raise DataError(f"{path} is no recording: {kind}.")
    if path.is_dir():
        raise DataError(f"{path} is a folder; name the files in it, for example {path / '*.npz'}.")
    if columns is not None:
        return read_recording(path, layout or model, columns=columns)
    if layout is not None:
        return read_recording(path, layout)
    try:
        return read_recording(path)
    except DataError:
        if path.suffix.lower() not in (".csv", ".npz", ".npy"):  # the other formats have one layout
            raise
        return read_recording(path, model)


def at_rate(recording: Recording, fps: float | None, *, resample: bool = False) -> Recording:
    """The recording at the frame rate of the model; unchanged where either rate is unknown, which the notes
    say of a model that has one.

    Args:
        fps: the rate that the model was trained at.
        resample: bring another rate to it; its frames and segments then count at that rate.
    Raises:
        DataError: for another rate, by more than a tenth, without ``resample``.
    """
    if fps is None:
        return recording
    if recording.fps is None:
        note = f"its frame rate is unknown and taken for the {fps:g} a second that the model was trained at"
        notes = recording.notes if note in recording.notes else (*recording.notes, note)
        return replace(recording, notes=notes)
    if resample:
        return Resample(fps)(recording).recording
    check_rate(recording.fps, fps, f"recording '{recording.name}'")
    return recording


@dataclass(frozen=True)
class JointsSeen:
    """How much of what a model looks at a recording shows."""

    joints: int
    """Of the model's layout."""
    matched: int
    """How many of them the recording's layout has, or can compute."""
    seen: float
    """How many are seen, on average over frames and bodies."""

    def describe(self) -> str:
        """In words, for people."""
        return f"{self.matched} of {self.joints} joints matched, {self.seen:.3g} seen on average"

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"model": self.joints, "matched": self.matched, "seen": round(self.seen, 2)}


def joints_seen(have: Layout, want: Layout, valid: np.ndarray) -> JointsSeen:
    """What is seen of a recording of layout ``have``, mapped to ``want``: valid (T, P, J)."""
    bodies = valid[valid.any(-1)]  # (N, J)
    seen = float(bodies.sum(-1).mean()) if len(bodies) else 0.0
    return JointsSeen(want.n_joints, int((~joint_map(have, want).masked).sum()), seen)


def check_joints(recording: Recording, valid: np.ndarray, card: ModelCard) -> None:
    """Refuse a recording that shows nobody, or too little of what the model looks at.

    Args:
        valid: (T, P, J), in the model's layout.
    Raises:
        DataError: with the joints that are missing and the names that the recording has.
    """
    where, layout = f"recording '{recording.name}'", card.layout
    if not valid.any():
        lost = next((f" ({note})" for note in recording.notes if note.startswith(LOST)), "")
        raise DataError(f"{where}: no joint was seen in any frame{lost}, so there is nothing to go by.")
    seen = joints_seen(recording.layout, layout, valid)
    if seen.seen >= card.least_joints * layout.n_joints:
        return
    unmatched = joint_map(recording.layout, layout).masked
    lists = {
        "Without a counterpart": [layout.joints[joint] for joint in np.flatnonzero(unmatched)],
        "Never seen": [layout.joints[joint] for joint in np.flatnonzero(~unmatched & ~valid.any((0, 1)))],
    }
    missing = "".join(f" {what}: {', '.join(names)}." for what, names in lists.items() if names)
    raise DataError(
        f"{where}: {seen.describe()}, the model needs {card.least_joints:.0%} of them.{missing} "
        f"Its joints are {', '.join(recording.layout.joints)}; name its layout (--layout) if these are other "
        "names for them."
    )


def conversion_of(have: Space, card: ModelCard, name: str, *, moment: bool = False) -> Conversion:
    """What brings a recording to the unit and up axis of the model's training data.

    Args:
        have: what it is measured in, in the model's layout.
        name: of the recording.
        moment: it is a single frame.
    Raises:
        DataError: if its bodies are of another size, which no unit explains.
    """
    scaled = card.preprocessing.scale == "body"
    conversion = convert(have, card.space, scaled=scaled, moment=moment)
    if conversion.misfit:
        raise DataError(
            f"recording '{name}': {conversion.misfit}. Bring it to their unit; `--as-is` (`as_is=True`) "
            "takes it as it is; a model with `--preprocessing.scale body` needs no unit"
        )
    return conversion


def store_conversion(store: Store, card: ModelCard) -> Conversion:
    """What brings a store to the unit and up axis that a model was trained on."""
    if not card.space.known:
        return Conversion()
    have = SkeletonDataset(store, range(len(store)), card.layout, card.preprocessing).space
    return convert(have, card.space, scaled=card.preprocessing.scale == "body")


def converted_store(store: Store, card: ModelCard, tell: Callable[[str], None]) -> Store:
    """The store in the unit and with the up axis that a model was trained on.

    Args:
        tell: called with what was converted, and what does not fit.
    Raises:
        LayoutError: if the model cannot read the store.
    """
    conversion = store_conversion(store, card)
    for note in conversion.notes:
        tell(f"note: {store.path}: {note}")
    if conversion.misfit:
        tell(
            f"note: {store.path}: {conversion.misfit}; figures mean little. Bring it to their unit (`hitrs "
            "clean --unit`), or train with `--preprocessing.scale body`, which needs no unit"
        )
    return store.converted(conversion) if conversion.changes else store


def known_layout(layout: Layout | str | os.PathLike[str] | None) -> Layout | None:
    """A layout from its name or file.

    Raises:
        LayoutError: if there is none.
    """
    return layout if layout is None or isinstance(layout, Layout) else get_layout(os.fspath(layout))


def _exchanged(shape: Sequence[int], expected: Layout) -> str:
    """What is wrong with an array of no known layout of which another axis has the joints; empty if none."""
    joints, coords = expected.n_joints, expected.dims
    known = {(layout.n_joints, layout.dims) for layout in map(get_layout, list_layouts())}
    for order in permutations(range(len(shape))) if tuple(shape[-2:]) not in known else ():
        if [shape[axis] for axis in order[-2:]] == [joints, coords]:
            names = ", ".join(("frames", "joints", "coordinates") if len(shape) == 3 else _AXES)
            return (
                f"an array of shape {tuple(shape)} seems to have its axes in another order than ({names}): "
                f"`np.transpose(array, {order})` has {joints} joints with {coords} coordinates, as layout "
                f"{expected.name}"
            )
    return ""


def _misfit(name: str, shape: Sequence[int], expected: Layout, *, named: bool) -> str:
    """What is wrong with an array of these joints and coordinates."""
    joints, coords = shape
    whose = "the layout" if named else "the model's layout"
    misfit = (
        f"{name} has {joints} joints with {coords} coordinates, but {whose} ({expected.name}) has "
        f"{expected.n_joints} with {expected.dims}"
    )
    if not named and coords != expected.dims:
        kinds = f"a model of {expected.dims}-D skeletons cannot read {coords}-D ones"
        return f"{misfit}; {kinds}: use a model of {coords}-D data"
    layouts = [get_layout(known) for known in list_layouts()]
    fitting = [layout.name for layout in layouts if (layout.n_joints, layout.dims) == (joints, coords)]
    if fitting:
        return f"{misfit}; name the data's layout, which could be {' or '.join(fitting)}"
    return f"{misfit}; no known layout has as many: describe yours in a layout file and name that"
