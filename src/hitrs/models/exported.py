"""An exported file: its metadata, and running it in onnxruntime. No torch here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hitrs.data.recording import Recording
from hitrs.errors import CheckpointError, ConfigError, DataError, HitrsError
from hitrs.models.card import LARGEST_FILE, PRETRAINING, VERSION, ModelCard
from hitrs.schema import CHANGED, sealed, section, text, texts, unchanged, whole

KEY = "hitrs"
"""Of the metadata that holds everything, as JSON."""
FORMAT_VERSION = 1
PRECISIONS = ("fp32", "fp16", "int8")
NEXT = "next_"
"""In front of the name of a state stands the name of the output that holds it behind a frame."""
TYPES = ("float32", "float64", "int64", "bool")
_NODE_TYPES = {"float32": "tensor(float)", "float64": "tensor(double)"} | {
    each: f"tensor({each})" for each in ("int64", "bool")
}


def needed(name: str) -> ConfigError:
    """What to say where a package of the extra is missing."""
    return ConfigError(f'exported files need {name}: pip install "hitrs[onnx]" (or pip install {name})')


@dataclass(frozen=True)
class Port:
    """An input or output of a graph."""

    name: str
    axes: tuple[str | int, ...]
    """Sizes; a name stands for any size from 1 on, the same wherever it stands."""
    about: str
    """What it holds, for people."""
    type: str = "float32"
    """One of ``TYPES``."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"name": self.name, "axes": list(self.axes), "about": self.about, "type": self.type}

    def zeros(self, **sizes: int) -> np.ndarray:
        """An array of zeros; ``sizes``: of the axes that have names."""
        return np.zeros([sizes[axis] if isinstance(axis, str) else axis for axis in self.axes], self.type)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape may go in."""
        return len(shape) == len(self.axes) and all(
            size >= 1 and (isinstance(axis, str) or size == axis)
            for size, axis in zip(shape, self.axes, strict=True)
        )


class Ports(Protocol):
    """What goes into a graph and comes out of it."""

    @property
    def input(self) -> Port: ...
    @property
    def output(self) -> Port: ...
    @property
    def state(self) -> Sequence[Port]: ...


class ExportedModel:
    """A model that ``hitrs export`` wrote, run by onnxruntime.

    >>> model = ExportedModel("tuned.onnx")
    >>> probabilities = model(positions)  # (frames, persons, joints, coordinates), NaN: not seen
    >>> model.card.classes[probabilities.argmax()]
    'wave quickly'

    In a process that was forked off it computes on one core.

    Args:
        path: the file.
        threads: that onnxruntime computes with; 0: as many as there are cores.
    Raises:
        CheckpointError: if it cannot be read, or its metadata are not those of an exported model.
        ConfigError: if onnxruntime is not installed.
    """

    card: ModelCard
    """Of the model that it was made of: layout, classes, unit and up axis, frame rate, postprocessing."""
    precision: str
    """How its weights are stored: fp32, fp16 or int8."""
    input: Port
    output: Port
    state: tuple[Port, ...]
    """Of a file that goes frame by frame: what it remembers, zeros before the first frame; else none."""

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 0):
        self.path = Path(path)
        self._start(threads)
        found = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        if found is None:
            raise CheckpointError(f"{path} was not written by `hitrs export`: it has no metadata '{KEY}'")
        wrong = f"the metadata of {path} are not those of an exported model: "
        try:
            self.card, self.precision, self.input, self.output, self.state = read_metadata(found)
            self._check_ports()
        except HitrsError as error:
            raise CheckpointError(f"{wrong}{error}") from error
        except KeyError as error:
            raise CheckpointError(f"{wrong}{error} is missing") from error
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise CheckpointError(f"{wrong}{error!r}") from error

    def _start(self, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise needed("onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        if not self.path.is_file():  # reading a pipe to which nobody writes would wait for ever
            reason = "it is no ordinary file" if self.path.exists() else "there is no such file"
            raise CheckpointError(f"cannot read {self.path}: {reason}")
        try:
            content = self.path.read_bytes()
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except OSError as error:
            raise CheckpointError(f"cannot read {self.path}: {error.strerror or error}") from error
        except Exception as error:  # of onnxruntime, which has a class for each reason
            raise CheckpointError(f"{self.path} is no ONNX file that onnxruntime reads: {error}") from error
        self._process = os.getpid()

    def _check_ports(self) -> None:
        """Whether the graph has the inputs and outputs that the metadata tell, and they are the card's."""
        told = [self.input, *self.state], [self.output, *(next_port(port) for port in self.state)]
        found = self._session.get_inputs(), self._session.get_outputs()
        for ports, nodes in zip(told, found, strict=True):
            expected = [(port.name, list(port.axes), _NODE_TYPES[port.type]) for port in ports]
            there = [(node.name, list(node.shape), node.type) for node in nodes]
            if expected != there:
                raise ConfigError(f"they tell {expected}, the graph has {there}")
        card, classes = self.card, len(self.card.classes)
        wanted = {"recognition": classes, "detection": classes + 1}.get(card.task, self.output.axes[-1])
        joints = (card.layout.n_joints, card.layout.dims)
        if self.output.axes[-1] != wanted or self.input.axes[-2:] != joints:
            raise ConfigError(
                f"{classes} classes and {joints[0]} joints with {joints[1]} coordinates do not go with its "
                f"inputs and outputs, {self.input.axes} and {self.output.axes}"
            )

    @property
    def device(self) -> str:
        """Where it computes."""
        return "cpu"

    def checked_for(self, task: str) -> ExportedModel:
        """The model itself.

        Raises:
            CheckpointError: if it is one for something else.
        """
        if self.card.task != task:
            kind = "an encoder alone" if self.card.task == PRETRAINING else f"a model for {self.card.task}"
            raise CheckpointError(f"{self.path} is {kind}, not one for {task}")
        return self

    def answers(self, recordings: Sequence[Recording]) -> list[np.ndarray]:
        """What it answers for recordings of its own layout."""
        return [self(_hidden(each.positions, each.valid)) for each in recordings]

    def frame_by_frame(self, persons: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """What it answers for the frames, (P, J, C) and valid (P, J), of one recording, one after the other.

        Raises:
            ConfigError: if it is a file for whole recordings.
        """
        if not self.state:
            raise ConfigError(
                f"{self.path} answers for whole recordings; `hitrs export MODEL OUT.onnx --online` writes a "
                "causal detector as a file that goes frame by frame"
            )
        state = {port.name: port.zeros(persons=persons) for port in self.state}

        def step(positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
            answer, *following = self._run({self.input.name: _hidden(positions, valid), **state})
            state.update(zip(state, following, strict=True))
            return answer

        return step

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """What the model answers for one recording.

        Args:
            positions: (T, P, J, C), in the unit and with the up axis of ``card.space``; NaN: not seen.
        Raises:
            DataError: for another shape.
            CheckpointError: if onnxruntime cannot run the file.
        """
        given = np.ascontiguousarray(positions, np.float32)
        axes = ("frames", *self.input.axes) if self.state else self.input.axes
        if not Port(self.input.name, axes, "").fits(given.shape):
            wanted = ", ".join(map(str, axes))
            raise DataError(f"{self.path} takes positions of shape ({wanted}), got {given.shape}")
        if not self.state:
            return self._run({self.input.name: given})[0]
        step = self.frame_by_frame(given.shape[1])
        return np.stack([step(frame, np.isfinite(frame).all(-1)) for frame in given])

    def _run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        if os.getpid() != self._process:  # onnxruntime's threads stayed with the parent
            self._start(1)
        try:
            found: list[np.ndarray] = self._session.run(None, dict(inputs))
        except Exception as error:  # of onnxruntime, which has a class for each reason
            raise CheckpointError(f"{self.path} cannot be run: {error}") from error
        return found


def is_exported(model: Any) -> bool:
    """Whether this is an exported model, or the path of one."""
    path = isinstance(model, str | os.PathLike) and os.fspath(model).lower().endswith(".onnx")
    return path or isinstance(model, ExportedModel)


def _hidden(positions: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Positions as a graph takes them: NaN where a joint was not seen."""
    return np.where(valid[..., None], positions, np.float32(np.nan)).astype(np.float32, copy=False)


def next_port(port: Port) -> Port:
    """The output that holds a state behind a frame."""
    return replace(port, name=NEXT + port.name)


def metadata(card: ModelCard, ports: Ports, precision: str) -> dict[str, Any]:
    """What stands in a file, JSON values; :func:`read_metadata` is the reverse."""
    values = {
        "format_version": FORMAT_VERSION,
        "precision": precision,
        "input": ports.input.to_dict(),
        "output": ports.output.to_dict(),
        "state": [port.to_dict() for port in ports.state],
        "card": card.to_dict(),
    }
    return sealed(values)


def read_metadata(found: str) -> tuple[ModelCard, str, Port, Port, tuple[Port, ...]]:
    """Card, precision, input, output and states, every value checked; raises HitrsError, KeyError or
    ValueError."""
    if len(found) > LARGEST_FILE:
        raise ValueError(f"more than {LARGEST_FILE} characters")
    values = json.loads(found)
    section(values, "metadata")
    if not unchanged(values):
        raise ConfigError(CHANGED)
    section(values["card"], "card")
    for where, kept, known in (("", values, FORMAT_VERSION), ("card.", values["card"], VERSION)):
        whole(kept["format_version"], f"{where}format_version")
        if kept["format_version"] != known:
            raise ConfigError(
                f"{where}format_version is {kept['format_version']}, this release reads {known}: export the "
                "model again, or update this package"
            )
    if values["precision"] not in PRECISIONS:
        raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {values['precision']!r}")
    ports = [_read_port(values[where], where) for where in ("input", "output")]
    state = tuple(_read_port(port, "state") for port in values.get("state", ()))
    return ModelCard.from_dict(values["card"]), values["precision"], ports[0], ports[1], state


def _read_port(values: Mapping[str, Any], where: str) -> Port:
    section(values, where)
    for key in ("name", "about"):
        text(values[key], f"{where}.{key}")
    axes = values["axes"]
    texts([axis for axis in axes if isinstance(axis, str)], f"{where}.axes")
    for axis in axes:
        if not isinstance(axis, str):
            whole(axis, f"{where}.axes", 1)
    kind = values.get("type", "float32")
    if kind not in TYPES:
        raise ConfigError(f"{where}.type must be one of {', '.join(TYPES)}, got {kind!r}")
    return Port(values["name"], tuple(axes), values["about"], kind)
