"""The interface in OpenAPI 3.1: what there is, of the models that are served."""

from __future__ import annotations

from typing import Any

from hitrs import __version__
from hitrs.serve.service import ServedModel, Service

_OPTIONS: dict[str, tuple[str, str]] = {
    "file": ("string", "Name of the file, whose suffix tells the format."),
    "layout": (
        "string",
        "Joint layout of a file that does not say it: the name of one, or joints with commas.",
    ),
    "columns": ("string", "Of a table without a header, what its columns are, as x,y,z."),
    "fps": ("number", "Frames per second of a file that does not say it."),
    "resample": ("boolean", "Bring a recording of another frame rate to the model's."),
    "as_is": ("boolean", "Take coordinates as they are, whatever their unit and up axis seem to be."),
    "unit": ("string", "meters, centimeters or millimeters, where that is known."),
    "up": ("string", "The axis that points up, y, -y, z, ..., where that is known."),
    "at": ("integer", "Predict from this frame on, and compare with what the file holds."),
}
_REFUSALS = {
    400: "An option is wrong.",
    401: "The token is missing or wrong.",
    403: "Another site asks, or under another name.",
    408: "The file came too slowly.",
    413: "The file is too large.",
    422: "The recording cannot be used.",
    503: "Too much at once.",
}


def description(service: Service) -> dict[str, Any]:
    """The description as JSON values."""
    paths: dict[str, Any] = {
        "/models": {"get": _operation("models", "The models that are served", _object("models"))},
        "/openapi.json": {"get": _operation("openapi", "This description", {"type": "object"})},
        "/live": {
            "get": {
                "operationId": "live",
                "summary": "A websocket: frames in, answers out; docs/serve.md describes the messages",
                "responses": {"101": {"description": "Switching protocols"}},
            }
        },
        "/drawing": {"post": _recording("drawing", "A recording as the page draws it", ("task",), {})},
    }
    for each in service.models.values():
        paths[f"/{each.task.verb}"] = {"post": _of_model(each)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "hitrs serve", "version": __version__},
        "servers": [{"url": "."}],
        "paths": paths,
        "security": [{}, {"token": []}],
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Refusal": _object("error", error={"type": "string"})},
        },
    }


def _of_model(model: ServedModel) -> dict[str, Any]:
    about = f"{model.task.about}: the JSON of `hitrs {model.task.verb}`"
    return _recording(model.task.verb, about, tuple(model.served.options), {"name": {"type": "string"}})


def _recording(name: str, about: str, further: tuple[str, ...], answer: dict[str, Any]) -> dict[str, Any]:
    options = {key: option for key, option in _OPTIONS.items() if key != "at"}
    options |= {
        key: _OPTIONS.get(key, ("string", "Which model, where several are served.")) for key in further
    }
    body = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {
        **_operation(name, about, _object(*answer, **answer)),
        "parameters": [
            {
                "name": key,
                "in": "query",
                "required": key == "file",
                "description": text,
                "schema": {"type": kind},
            }
            for key, (kind, text) in options.items()
        ],
        "requestBody": {"required": True, "description": "The recording's file.", "content": body},
    }


def _operation(name: str, about: str, answer: dict[str, Any]) -> dict[str, Any]:
    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    responses: dict[str, Any] = {
        "200": {"description": "The answer.", "content": {"application/json": {"schema": answer}}}
    }
    responses |= {str(code): {"description": text, "content": refusal} for code, text in _REFUSALS.items()}
    return {"operationId": name, "summary": about, "responses": responses}


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}
