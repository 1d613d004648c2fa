"""An exported file: its metadata, and running it in onnxruntime."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.errors import CheckpointError, ConfigError, DataError, HitrsError
from hitrs.files import check_ordinary
from hitrs.models.card import LARGEST_FILE, ModelCard
from hitrs.schema import section, text, texts, whole
from hitrs.tasks.graph import Graph, Port

KEY = "hitrs"
"""Of the metadata that holds everything, as JSON."""
FORMAT_VERSION = 1
PRECISIONS = ("fp32", "fp16", "int8")


def needed(name: str) -> ConfigError:
    """What to say where a package of the extra is missing."""
    return ConfigError(f'exported files need {name}: pip install "hitrs[onnx]" (or pip install {name})')


class ExportedModel:
    """A model that ``hitrs export`` wrote, run by onnxruntime.

    >>> model = ExportedModel("tuned.onnx")
    >>> probabilities = model(positions)  # (frames, persons, joints, coordinates), NaN: not seen
    >>> model.card.classes[probabilities.argmax()]
    'wave quickly'

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

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 0):
        try:
            import onnxruntime
        except ImportError as error:
            raise needed("onnxruntime") from error
        self.path = Path(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        try:
            check_ordinary(self.path)
            self._session = onnxruntime.InferenceSession(
                self.path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except OSError as error:
            raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
        except Exception as error:  # of onnxruntime, which has a class for each reason
            raise CheckpointError(f"{path} is no ONNX file that onnxruntime reads: {error}") from error
        found = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        if found is None:
            raise CheckpointError(f"{path} was not written by `hitrs export`: it has no metadata '{KEY}'")
        try:
            self.card, self.precision, self.input, self.output = read_metadata(found)
            names = [[each.name for each in ports] for ports in
                     (self._session.get_inputs(), self._session.get_outputs())]  # fmt: skip
            if names != [[self.input.name], [self.output.name]]:
                raise ConfigError(f"its inputs and outputs are {names}")
        except (HitrsError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise CheckpointError(
                f"the metadata of {path} are not those of an exported model: {error!r}"
            ) from error

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """What the model answers for one recording.

        Args:
            positions: (T, P, J, C), in the unit and with the up axis of ``card.space``; NaN: not seen.
        Raises:
            DataError: for another shape.
            CheckpointError: if onnxruntime cannot run the file.
        """
        given = np.ascontiguousarray(positions, np.float32)
        axes = self.input.axes
        fits = given.ndim == len(axes) and all(
            size >= 1 and (isinstance(axis, str) or size == axis)
            for size, axis in zip(given.shape, axes, strict=False)
        )
        if not fits:
            wanted = ", ".join(map(str, axes))
            raise DataError(f"{self.path} takes positions of shape ({wanted}), got {given.shape}")
        try:
            found: np.ndarray = self._session.run(None, {self.input.name: given})[0]
        except Exception as error:  # of onnxruntime, which has a class for each reason
            raise CheckpointError(f"{self.path} cannot be run: {error}") from error
        return found


def metadata(card: ModelCard, graph: Graph, precision: str) -> dict[str, Any]:
    """What stands in a file, JSON values; :func:`read_metadata` is the reverse."""
    return {
        "format_version": FORMAT_VERSION,
        "precision": precision,
        "input": _port_values(graph.input),
        "output": _port_values(graph.output),
        "card": card.to_dict(),
    }


def _port_values(port: Port) -> dict[str, Any]:
    return {"name": port.name, "axes": list(port.axes), "about": port.about}


def read_metadata(found: str) -> tuple[ModelCard, str, Port, Port]:
    """Card, precision, input and output, every value checked; raises HitrsError, KeyError or ValueError."""
    if len(found) > LARGEST_FILE:
        raise ValueError(f"more than {LARGEST_FILE} characters")
    values = json.loads(found)
    section(values, "metadata")
    whole(values["format_version"], "format_version")
    if values["format_version"] != FORMAT_VERSION:
        raise ConfigError(f"format version {values['format_version']}, this release reads {FORMAT_VERSION}")
    if values["precision"] not in PRECISIONS:
        raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {values['precision']!r}")
    section(values["card"], "card")
    ports = [_read_port(values[where], where) for where in ("input", "output")]
    return ModelCard.from_dict(values["card"]), values["precision"], ports[0], ports[1]


def _read_port(values: Mapping[str, Any], where: str) -> Port:
    section(values, where)
    for key in ("name", "about"):
        text(values[key], f"{where}.{key}")
    axes = values["axes"]
    texts([axis for axis in axes if isinstance(axis, str)], f"{where}.axes")
    for axis in axes:
        if not isinstance(axis, str):
            whole(axis, f"{where}.axes", 1)
    return Port(values["name"], tuple(axes), values["about"])
