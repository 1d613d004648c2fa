"""File formats and data sets that other packages bring, through entry points."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import TypeVar

T = TypeVar("T")


class PluginWarning(UserWarning):
    """A plugin of another package cannot be used; everything else goes on."""


def load_plugins(group: str, kind: type[T], taken: set[str]) -> Iterator[T]:
    """Objects of an entry point group, in the order of their names.

    One that cannot be loaded, is of another type, or has a name that is taken, is left out with a
    PluginWarning that names its package: somebody else's defect must not stop the reading of other files.

    Args:
        kind: what the entry points must be; it has an attribute ``name``.
        taken: names that are in use.
    """
    used = set(taken)
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        package = point.dist.name if point.dist is not None else "unknown package"
        where = f"the plugin '{point.name}' ({group}) of {package}"
        try:
            value = point.load()
        except Exception as error:  # whatever another package's import may raise
            warnings.warn(f"{where} cannot be loaded: {error!r}", PluginWarning, stacklevel=2)
            continue
        if not isinstance(value, kind):
            message = f"{where} is {type(value).__name__}, expected {kind.__name__}"
        elif (name := str(getattr(value, "name", ""))) in used:
            message = f"{where} is named '{name}', which is taken"
        else:
            used.add(name)
            yield value
            continue
        warnings.warn(message, PluginWarning, stacklevel=2)
