"""Settings from a file that somebody else may have made: types and bounds, before anything is built of them.

A card (``config.json``) decides how much memory a model takes and how long it is built, so nothing in it is
believed. No torch here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from hitrs.errors import ConfigError, did_you_mean

Settings = TypeVar("Settings")

CHANGED = (
    "it is damaged or was changed by hand, its SHA-256 is not the one that stands in it; copy or make it "
    "again (if the change is wanted, remove sha256)"
)
"""What is said of a file whose values are not those that were sealed."""

MOST = 10_000
"""Largest whole number of a setting: widths, frames, clips."""
_FEWER = {"layers": 256, "heads": 256}
"""Numbers of parts, each of which is built."""
LARGEST = 1e6
"""Of any other number."""
LONGEST = 10_000
"""Characters of a text, entries of a list."""


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values, and in front of them their checksum, which :func:`unchanged` compares."""
    content = json.loads(json.dumps(values))
    return {"sha256": _checksum(content), **content}


def unchanged(values: Mapping[str, Any]) -> bool:
    """Whether values are those that were sealed. Such as say nothing of their checksum pass: those of earlier
    releases, and who changes a file on purpose takes it out."""
    try:
        return "sha256" not in values or values["sha256"] == _checksum(values)
    except RecursionError:
        return False


def _checksum(values: Mapping[str, Any]) -> str:
    content = {key: value for key, value in values.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_settings(kind: type[Settings], values: Any, where: str) -> Settings:
    """A settings dataclass from the values of a file; what is left out has its default.

    >>> read_settings(ModelConfig, {"width": 32, "layers": 10**9}, "model")
    ConfigError: model.layers must be a whole number from 0 to 256, got 1000000000

    Args:
        where: what messages put in front of a key.
    Raises:
        ConfigError: for an unknown key, another type, or a value outside of its bounds.
    """
    section(values, where)
    kinds = typing.get_type_hints(kind)
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key}{did_you_mean(str(key), known)}")
        _check(kinds[key], value, f"{where}.{key}", _FEWER.get(key, MOST))
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def section(values: Any, where: str) -> None:
    """ConfigError unless this is a mapping with texts as keys."""
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{where} must be a section of keys and values, got {_shown(values)}")


def whole(value: Any, where: str, least: int = 0, most: int = MOST) -> None:
    """ConfigError unless this is a whole number in these bounds; True and 2.0 are none."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"{where} must be a whole number from {least} to {most}, got {_shown(value)}")


def number(value: Any, where: str) -> None:
    """ConfigError unless this is a finite number that is not absurdly large."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain or not abs(value) <= LARGEST:  # which NaN is not either
        raise ConfigError(f"{where} must be a number up to {LARGEST:g}, got {_shown(value)}")


def text(value: Any, where: str) -> None:
    """ConfigError unless this is a text of no more than ``LONGEST`` characters."""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ConfigError(f"{where} must be a text, got {_shown(value)}")


def texts(value: Any, where: str, most: int = LONGEST) -> None:
    """ConfigError unless this is a list of texts, no two of which are the same."""
    if not isinstance(value, list | tuple) or len(value) > most:
        raise ConfigError(f"{where} must be a list of at most {most} texts, got {_shown(value)}")
    for place, each in enumerate(value):
        text(each, f"{where}[{place}]")
    if len(set(value)) < len(value):
        raise ConfigError(f"{where} must differ, got {_shown(value)}")


def _check(kind: Any, value: Any, where: str, most: int) -> None:
    if kind is bool:
        if not isinstance(value, bool):
            raise ConfigError(f"{where} must be true or false, got {_shown(value)}")
    elif kind is int:
        whole(value, where, most=most)
    elif kind is float:
        number(value, where)
    elif typing.get_origin(kind) is tuple:
        if not isinstance(value, list | tuple) or len(value) > LONGEST:
            raise ConfigError(f"{where} must be a list, got {_shown(value)}")
        for place, each in enumerate(value):
            _check(typing.get_args(kind)[0], each, f"{where}[{place}]", most)
    else:  # one of some words, which the settings check themselves
        text(value, where)


def _shown(value: Any) -> str:
    """A value in a message; a number of thousands of digits cannot even be printed."""
    if isinstance(value, int) and abs(value) > 10**18:
        return "a number of more than 18 digits"
    return repr(value)[:80]
