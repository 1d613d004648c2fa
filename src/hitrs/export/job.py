"""Exporting: the graph of a model's task is written, run in onnxruntime and compared before it is there."""

from __future__ import annotations

import json
import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hitrs.errors import CheckpointError, ConfigError, WriteError
from hitrs.export.precision import quantize, store_half
from hitrs.files import atomic_file, explained_writes
from hitrs.models.card import ModelCard
from hitrs.models.exported import KEY, PRECISIONS, ExportedModel, metadata, needed, next_port
from hitrs.tasks.graph import Answer, Graph

OPSET = 20
"""Of the ONNX operators: onnxruntime 1.17 and newer."""
TOLERANCE = 1e-4
"""By which an answer may differ from the model's, times the largest number in it where that is over 1."""
_SIZES = ((1, 1), (2, 1), (5, 3), (60, 2), (80, 4), (131, 1))
"""Frames and persons that a file is tried with."""
_FRAMES, _PERSONS = 23, 3
"""Of the example that the exporter follows through the model, at least."""


@dataclass(frozen=True)
class Export:
    """A file that was written."""

    path: Path
    precision: str
    difference: float
    """Largest difference to the model's answers, as a share of the largest number where that is over 1."""
    sizes: tuple[tuple[int, int], ...]
    """Frames and persons of the recordings that it was compared with."""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size


def export_model(
    graph: Graph, card: ModelCard, out: str | os.PathLike[str], *, precision: str = "fp32"
) -> Export:
    """Write a model as an ONNX file, once it is known to answer as the model.

    >>> model = hitrs.RecognitionModel.from_pretrained("runs/tuned")
    >>> export_model(get_task("recognition").graph(model), model.card, "tuned.onnx").difference
    1.2e-07

    Args:
        graph: of the model, by its task.
        card: of the model; it stands in the file's metadata.
        out: the file, ``*.onnx``.
        precision: of the weights: fp32, fp16 (stored so, computed with as fp32) or int8.
    Raises:
        ConfigError: for another name, or where a package is missing.
        CheckpointError: if the file answers otherwise than the model; nothing is left then.
        WriteError: if it cannot be written.
    """
    path = Path(out)
    if path.suffix != ".onnx":
        raise ConfigError(f"an exported model is a file *.onnx, got {path}")
    if precision not in PRECISIONS:
        raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision}")
    if path.is_dir():
        raise WriteError(f"{path} is a folder; choose another place")
    with atomic_file(path) as part, explained_writes(path):
        _write(graph, json.dumps(metadata(card, graph, precision)), part)
        sizes = sizes_to_try(graph)
        difference = largest_difference(graph, ExportedModel(part), sizes, card)
        if not difference <= TOLERANCE:
            raise CheckpointError(
                f"{path} was not written: in onnxruntime its answers differ from the model's by "
                f"{difference:.2g}, more than {TOLERANCE:g}"
            )
        if precision != "fp32":
            (store_half if precision == "fp16" else quantize)(part)
            difference = largest_difference(graph, ExportedModel(part), sizes, card)
            if not np.isfinite(difference):
                raise CheckpointError(f"{path} was not written: its answers in {precision} are not finite")
    return Export(path, precision, difference, sizes)


def _write(graph: Graph, about: str, path: Path) -> None:
    """The float32 file, with its metadata."""
    try:
        import onnx  # noqa: F401
        import onnx_ir
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise needed(error.name or "onnx") from error
    # of any size; that torch would rather not promise one frame or one body does not matter: they are tried
    inputs = (graph.input, *graph.state)
    outputs = (graph.output, *map(next_port, graph.state))
    axes, *memory = (
        {place: torch.export.Dim.DYNAMIC for place, size in enumerate(port.axes) if isinstance(size, str)}
        for port in inputs
    )
    frames = max(_FRAMES, graph.longest)  # what happens once in a short recording would count as fixed
    example = made_up_recording(graph, frames_of(graph) or frames, _PERSONS)
    if graph.state:
        example = example[0]
    zeros = (torch.from_numpy(port.zeros(persons=_PERSONS)) for port in graph.state)
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:  # they tell what they have no operators for, and what they do not fold
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of torch's own code
            traced = torch.export.export(
                graph.module,
                (torch.from_numpy(example), *zeros),
                dynamic_shapes=(axes, tuple(memory)) if memory else (axes,),
                prefer_deferred_runtime_asserts_over_guards=True,
            )
            program = torch.onnx.export(
                traced,
                dynamo=True,
                verbose=False,
                input_names=[port.name for port in inputs],
                output_names=[port.name for port in outputs],
                opset_version=OPSET,
            )
    except Exception as error:  # torch has many, and a class of its own for hardly any
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"the model cannot be written as a graph: {reason}") from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    assert program is not None
    program.model.metadata_props[KEY] = about
    program.model.producer_name = "hitrs"
    for node in program.model.graph:
        node.metadata_props.clear()  # where in the source it stood: half of the file
        for value in node.outputs:
            value.shape = None  # as torch saw it; onnxruntime would reuse memory by it
    for values, ports in ((program.model.graph.inputs, inputs), (program.model.graph.outputs, outputs)):
        for value, port in zip(values, ports, strict=True):
            value.shape = onnx_ir.Shape(port.axes)
    program.save(path)


def sizes_to_try(graph: Graph) -> tuple[tuple[int, int], ...]:
    """Frames and persons: one frame, one body, several, and where the graph goes another way."""
    frames = frames_of(graph)
    if frames is not None:
        return tuple((frames, persons) for persons in (1, 2, 5))
    return tuple(size for size in (*_SIZES, (graph.longest, 1)) if size[0] >= graph.least)


def frames_of(graph: Graph) -> int | None:
    """How many frames a recording must have for a graph; None: any number."""
    frames = graph.input.axes[0]
    return frames if isinstance(frames, int) else None


def made_up_recording(
    graph: Graph, frames: int, persons: int, card: ModelCard | None = None, seed: int = 0
) -> np.ndarray:
    """A recording (T, P, J, C) for a graph: joints that wander, a fifth of them not seen in each frame, the
    second of several bodies only in the second half, the third never; of the size of the card's bodies."""
    rng = np.random.default_rng(seed)
    joints, coords = graph.input.axes[-2:]
    assert isinstance(joints, int)
    assert isinstance(coords, int)
    bone = card.space.bone_length if card is not None and card.space.known else 0.2
    rest = rng.normal(0, 2 * bone, (1, persons, joints, coords))
    moved = rng.normal(0, 0.1 * bone, (frames, persons, joints, coords)).cumsum(0) / np.sqrt(frames)
    positions = (rest + moved).astype(np.float32)
    unseen = rng.random((frames, persons, joints)) < 0.2
    unseen[0, 0, 0] = False
    unseen[: (frames + 1) // 2, 1:2] = True
    unseen[:, 2:3] = True
    positions[unseen] = np.nan
    return positions


def largest_difference(
    graph: Graph, found: Answer, sizes: tuple[tuple[int, int], ...], card: ModelCard | None = None
) -> float:
    """Between what a file and the model answer, as a share of the largest number where that is over 1."""
    largest = 0.0
    for seed, (frames, persons) in enumerate(sizes):
        positions = made_up_recording(graph, frames, persons, card, seed)
        expected, answer = (graph.compared(output) for output in (graph.answer(positions), found(positions)))
        known = np.isfinite(expected)
        if answer.shape != expected.shape or not np.array_equal(np.isfinite(answer), known):
            return float("inf")
        scale = max(1.0, float(np.abs(expected).max(where=known, initial=0.0)))
        largest = max(largest, float(np.abs(answer - expected).max(where=known, initial=0.0)) / scale)
    return largest
