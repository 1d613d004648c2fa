"""Layouts that come with the package, in one file of JSON; it reads no others (no YAML, no stores)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

OWN = "give the names of the joints as a list, in their order"
"""What else there is beside the named ones."""


@cache
def _layouts() -> dict[str, Any]:
    file = Path(__file__).with_name(
        "layouts.json"
    )  # importlib.resources takes longer than all of this module
    layouts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return layouts


@cache
def list_layouts() -> tuple[str, ...]:
    """Names of the layouts that come with the package."""
    return tuple(sorted(_layouts()))


def named_content(name: str) -> Any:
    """What stands in a layout that comes with the package."""
    return _layouts()[name]


def file_content(path: str) -> tuple[Any, str] | None:
    """None: the runtime reads no layout files."""
    return None
