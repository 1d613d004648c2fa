"""What other packages bring through entry points, or a script registers: formats, data sets, tasks."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from hitrs.errors import ConfigError, did_you_mean

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
    for point in _points(group):
        where = _where(point)
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


class Registry(Generic[T]):
    """Objects by name: those of this package, of other packages (entry points), and registered ones.

    Names are known without importing anything; an object is imported when it is asked for.

    Args:
        group: entry point group, for example "hitrs.tasks".
        what: what messages call such an object.
        built_in: name -> "module:attribute" of this package's own, in their order.
        check: the object that was loaded, checked; raises TypeError with what is wrong.
    """

    def __init__(self, group: str, what: str, built_in: Mapping[str, str], check: Callable[[Any, str], T]):
        self.group, self.what, self.built_in, self._check = group, what, built_in, check
        self._loaded: dict[str, T] = {}

    def names(self) -> tuple[str, ...]:
        """All names: this package's own, then those of other packages, then registered ones."""
        others = [point.name for point in _points(self.group)]
        return tuple(dict.fromkeys([*self.built_in, *others, *self._loaded]))

    def get(self, name: str) -> T:
        """The object of this name.

        Raises:
            ConfigError: if there is none, or the package that brings it cannot be used.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def register(self, name: str, value: Any) -> T:
        """Add an object from a script or notebook; the same name again replaces it.

        Raises:
            ConfigError: if the name is one of this package's own, or the object is none of the kind.
        """
        if name in self.built_in:
            raise ConfigError(f"'{name}' is a {self.what} of hitrs itself; give yours another name")
        try:
            self._loaded[name] = self._check(value, name)
        except TypeError as error:
            raise ConfigError(f"cannot register the {self.what} '{name}': {error}") from error
        return self._loaded[name]

    def _load(self, name: str) -> T:
        if name in self.built_in:
            module, attribute = self.built_in[name].split(":")
            own: T = getattr(import_module(module), attribute)
            return own
        point = next((point for point in _points(self.group) if point.name == name), None)
        if point is None:
            known = self.names()
            raise ConfigError(
                f"there is no {self.what} '{name}'{did_you_mean(name, known)}; known: {', '.join(known)}"
            )
        try:
            return self._check(point.load(), name)
        except Exception as error:  # whatever another package's import may raise
            raise ConfigError(f"{_where(point)} cannot be used: {error!r}") from error


def _points(group: str) -> list[EntryPoint]:
    return sorted(_installed(tuple(sys.path)).select(group=group), key=lambda point: point.name)


@functools.cache  # reads every installed package's metadata, and each new Config asks for two groups
def _installed(path: tuple[str, ...]) -> Any:
    return entry_points()


def _where(point: EntryPoint) -> str:
    package = point.dist.name if point.dist is not None else "unknown package"
    return f"the plugin '{point.name}' ({point.group}) of {package}"
