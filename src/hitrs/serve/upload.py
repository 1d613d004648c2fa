"""A recording that is sent: its file, under limits of size and time, and how it is to be read."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.requests import Request

from hitrs.data.recording import Recording
from hitrs.errors import ConfigError, did_you_mean
from hitrs.files import explained_writes, file_name
from hitrs.serve.service import ServedModel
from hitrs.tasks.inputs import as_recording

_PATIENCE, _LONGEST = 20.0, 300.0
"""Seconds without a byte, and until all of it is there."""
_READING: dict[str, type] = {
    "file": str,
    "layout": str,
    "columns": str,
    "fps": float,
    "resample": bool,
    "as_is": bool,
    "unit": str,
    "up": str,
}
"""Options of a query, as those of the commands."""
_WORDS = {"": True, "1": True, "true": True, "0": False, "false": False}


class UploadError(Exception):
    """A file is not taken: a status and a sentence."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@asynccontextmanager
async def uploaded(request: Request, name: str, most: int) -> AsyncIterator[Path]:
    """The file that a request brings, in a temporary folder until the block ends.

    Args:
        name: its name, of which the last part counts.
        most: bytes.
    Raises:
        UploadError: if it is too large, comes too slowly, or is empty.
    """
    too_large = UploadError(413, f"the recording is larger than {most / 1e6:g} MB (--most-megabytes)")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > most:
        raise too_large
    last = name.replace("\\", "/").rpartition("/")[2]
    with tempfile.TemporaryDirectory(prefix="hitrs-") as folder:
        path = Path(folder) / file_name(last or "recording")
        size, until = 0, time.monotonic() + _LONGEST
        with explained_writes(path), path.open("wb") as file:
            chunks = request.stream().__aiter__()
            while True:
                wait = min(_PATIENCE, until - time.monotonic())
                try:
                    chunk = await asyncio.wait_for(anext(chunks), max(wait, 0.0))
                except StopAsyncIteration:
                    break
                except asyncio.TimeoutError:
                    raise UploadError(408, "the recording came too slowly") from None
                size += len(chunk)
                if size > most:
                    raise too_large
                file.write(chunk)
        if not size:
            raise UploadError(400, "the body of the request is the recording's file, but it is empty")
        yield path


def read_options(query: Mapping[str, str], further: Mapping[str, type] = {}) -> dict[str, Any]:
    """The options of a query by their types.

    Raises:
        ConfigError: for one that does not exist, or is no such value.
    """
    known = {**_READING, **further}
    found: dict[str, Any] = {}
    for name, text in query.items():
        if name not in known:
            raise ConfigError(f"there is no option {name}{did_you_mean(name, known)}")
        kind = known[name]
        try:
            found[name] = _WORDS[text.lower()] if kind is bool else kind(text)
        except (KeyError, ValueError):
            words = {bool: "true or false", int: "a whole number", float: "a number"}
            raise ConfigError(f"{name} must be {words[kind]}, got '{text[:80]}'") from None
    if not found.get("file"):
        raise ConfigError("name the file as `file`, with the suffix of its format: ?file=clip.npz")
    if not 0 < found.get("fps", 1.0) < float("inf"):
        raise ConfigError(f"fps must be above 0, got {found['fps']:g}")
    return found


def read_upload(path: Path, model: ServedModel, options: Mapping[str, Any]) -> Recording:
    """The recording in a file, read as the commands read it.

    Raises:
        DataError, LayoutError: if it cannot be.
    """
    layout = model.layout_of(options["layout"]) if options.get("layout") else None
    return as_recording(
        path, model.card.layout, layout=layout, columns=options.get("columns"), fps=options.get("fps")
    )


def model_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """What of the options goes to the model."""
    return {key: value for key, value in options.items() if key not in ("file", "layout", "columns", "fps")}
