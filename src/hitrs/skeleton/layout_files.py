"""Files that layouts stand in: those that come with the package, one's own (YAML), and stores and models."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from hitrs.errors import LayoutError
from hitrs.files import read_json

OWN = "give the path of your own layout as a .yaml file, or of a store or model that has it"
"""What else there is beside the named ones."""
_MAX_BYTES = 1 << 17
_HOLDERS = ("store.json", "config.json", "model/config.json")
"""Files of a store, a model and a run that hold a layout."""


@cache
def list_layouts() -> tuple[str, ...]:
    """Names of the layouts that come with the package."""
    files = (resources.files("hitrs.skeleton") / "layouts").iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def named_content(name: str) -> Any:
    """What stands in the file of a layout that comes with the package."""
    text = (resources.files("hitrs.skeleton") / "layouts" / f"{name}.yaml").read_text(encoding="utf-8")
    return _parse(text, f"layout {name}")


def file_content(path: str) -> tuple[Any, str] | None:
    """What stands in a layout file, or of its layout in a store or model; and what messages call it.

    None: the path is none of a layout.

    Raises:
        LayoutError: for a file that is missing or cannot be read.
    """
    for file in _HOLDERS:
        if (Path(path) / file).is_file():
            return _held(Path(path) / file), str(Path(path) / file)
    if not path.endswith((".yaml", ".yml")):
        return None
    try:
        if (size := Path(path).stat().st_size) > _MAX_BYTES:
            raise LayoutError(f"layout file {path} has {size} bytes; more than {_MAX_BYTES} make no sense.")
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LayoutError(f"cannot read the layout file {path}: {error}") from error
    return _parse(text, f"layout file {path}"), f"layout file {path}"


def _held(file: Path) -> Any:
    try:
        content = read_json(file)
    except (OSError, ValueError) as error:
        raise LayoutError(f"cannot read the layout in {file}: {error}") from error
    return content.get("layout", {}) if isinstance(content, dict) else {}


def _parse(text: str, source: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise LayoutError(f"{source} is not valid YAML: {error}") from error
