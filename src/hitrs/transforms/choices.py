"""Words that a setting may hold."""

from __future__ import annotations

import typing

from hitrs.errors import ConfigError


def check_choices(settings: object) -> None:
    """Check the fields of a settings dataclass that are a ``Literal``: no type checker reads a file.

    Raises:
        ConfigError: naming the field, what it holds and what it may hold.
    """
    for name, kind in typing.get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if typing.get_origin(kind) is typing.Literal and value not in typing.get_args(kind):
            known = ", ".join(typing.get_args(kind))
            raise ConfigError(f"{name} must be one of {known}, got {value!r}")
