"""Smaller files: weights as float16, or as eight-bit integers."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

SMALLEST = 256
"""Numbers of a weight that is worth another type; smaller ones are biases, norms and constants."""


def store_half(path: Path) -> None:
    """Weights as float16; they are computed with as float32, so that no sum overflows."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    graph, casts = model.graph, []
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < SMALLEST:
            continue
        values = numpy_helper.to_array(weight)
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)


def quantize(path: Path) -> None:
    """Weights of matrix products as eight-bit integers (dynamic quantization of onnxruntime)."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(path)
    logging.disable(logging.WARNING)  # it recommends a step of preparation that the exporter has done
    try:
        quantize_dynamic(model, path, weight_type=QuantType.QInt8)
    finally:
        logging.disable(logging.NOTSET)
