"""Which lines of the readers run: to tell how much of them the spoiled files reach, and how far each got."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import hitrs.data.catalog.label_files
import hitrs.skeleton.layout
import hitrs.skeleton.layout_files
from hitrs.data.formats import registry

Line = tuple[str, int]
"""File and line number."""
_FOLDER = str(Path(registry.__file__).parent)
_BESIDE = (hitrs.data.catalog.label_files, hitrs.skeleton.layout, hitrs.skeleton.layout_files)
_FILES = {module.__file__ for module in _BESIDE}


@contextmanager
def traced() -> Iterator[set[Line]]:
    """The lines of readers that are run inside the block."""
    lines: set[Line] = set()

    def call(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(_FOLDER) and name not in _FILES:
            return None
        lines.add((name, frame.f_lineno))
        return line

    def line(frame: FrameType, event: str, _: Any) -> Any:
        lines.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield lines
    finally:
        sys.settrace(before)


@cache
def lines_of(path: str) -> frozenset[Line]:
    """All lines of a module's functions that can run."""
    found: set[int] = set()
    with open(path, encoding="utf-8") as file:
        todo = [
            each
            for each in _inner(compile(file.read(), path, "exec"))
            if each.co_flags & inspect.CO_NEWLOCALS
        ]
    while todo:
        code = todo.pop()
        found |= {
            number for _, _, number in code.co_lines() if number is not None and number > code.co_firstlineno
        }
        todo += _inner(code)
    return frozenset((path, number) for number in found)


def _inner(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]


def reader_modules() -> dict[str, ModuleType]:
    """By name: those of the formats, what they share, and those of the tables and layouts beside them."""
    import importlib

    names = sorted(path.stem for path in Path(_FOLDER).glob("*.py") if path.stem != "__init__")
    modules = [importlib.import_module(f"{registry.__package__}.{name}") for name in names]
    return {module.__name__.rpartition(".")[2]: module for module in (*modules, *_BESIDE)}
