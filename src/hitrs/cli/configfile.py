"""Configuration files: YAML in, a checked ``Config`` out, and back.

Files hold any part of the tree of :class:`hitrs.train.config.Config`; what is left out keeps the paper's
value. Numbers and truth values follow YAML 1.2, so that ``1e-3`` is a number and ``no`` a word.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from hitrs.data.files import atomic_file, explained_writes
from hitrs.errors import ConfigError
from hitrs.train.config import Config


def load_config(source: str | Path, changes: Mapping[str, Any] | None = None) -> Config:
    """A configuration from the name of one that comes with the package, or from a file.

    Args:
        source: "paper", "base", "small", "tiny", or the path of a YAML file.
        changes: single fields by dotted name, for example ``{"pretrain.steps": 1000}``.

    Raises:
        ConfigError: if there is no such configuration, it is not YAML, or a key or value is wrong; the
            message names the file, the key and, for an unknown key, the nearest known one.
    """
    text, where = _read(source)
    try:
        values = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {error}") from error
    config = _build(Config, {} if values is None else values, "", where)
    for name, value in (changes or {}).items():
        config = _change(config, name.split("."), value, name)
    return config


def list_configs() -> tuple[str, ...]:
    """Names of the configurations that come with the package."""
    files = (resources.files("hitrs") / "configs").iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def dump_config(config: Config, path: Path, comment: str = "") -> None:
    """Write every value of a configuration to a file that ``load_config`` reads.

    Raises:
        DataError: if the file cannot be written.
    """
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    body = yaml.safe_dump(dataclasses.asdict(config), sort_keys=False)
    with atomic_file(path) as part, explained_writes(path):
        part.write_text(head + body, encoding="utf-8")


def differences(one: Any, other: Any, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Dotted name and both values of every field in which two configurations differ."""
    found: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if dataclasses.is_dataclass(a):
            found += differences(a, b, f"{prefix}{field.name}.")
        elif a != b:
            found.append((f"{prefix}{field.name}", a, b))
    return found


def _read(source: str | Path) -> tuple[str, str]:
    if str(source) in list_configs():
        file = resources.files("hitrs") / "configs" / f"{source}.yaml"
        return file.read_text(encoding="utf-8"), f"configuration {source}"
    path = Path(source)
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(
            f"there is no configuration '{source}'{_nearest(str(source), list_configs())}; known: "
            f"{', '.join(list_configs())}, or the path of a .yaml file"
        )
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {error}") from error


def _build(cls: type, values: Any, prefix: str, where: str) -> Any:
    """An instance of a configuration dataclass from a mapping."""
    if not isinstance(values, Mapping):
        what = f"'{prefix[:-1]}'" if prefix else "a configuration"
        raise ConfigError(f"{where}: {what} must be a section of keys and values, got {values!r}")
    types = typing.get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(cls)]
    given = {}
    for key, value in values.items():
        if key not in known:
            hint = _nearest(str(key), known) + _place(str(key), prefix)
            raise ConfigError(f"{where}: unknown key '{prefix}{key}'{hint}")
        given[key] = _value(types[key], value, f"{prefix}{key}", where)
    try:
        return cls(**given)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _change(config: Any, names: list[str], value: Any, full: str) -> Any:
    """A copy with the field at a dotted name changed."""
    first, rest = names[0], names[1:]
    prefix = full[: len(full) - len(".".join(names))]
    types = typing.get_type_hints(type(config))
    if first not in types:
        raise ConfigError(f"unknown key '{full}'{_nearest(first, types)}{_place(first, prefix)}")
    if rest and not dataclasses.is_dataclass(types[first]):
        raise ConfigError(f"unknown key '{full}': '{prefix}{first}' is a single value")
    if rest:
        return dataclasses.replace(config, **{first: _change(getattr(config, first), rest, value, full)})
    return dataclasses.replace(config, **{first: _value(types[first], value, full, "change")})


def _value(kind: Any, value: Any, name: str, where: str) -> Any:
    """A value of the declared type: a section, a choice of words, a whole number or a number."""
    if dataclasses.is_dataclass(kind):
        return _build(typing.cast(type, kind), value, f"{name}.", where)
    if typing.get_origin(kind) is typing.Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            near = _nearest(str(value), choices)
            raise ConfigError(f"{where}: {name} must be one of {', '.join(choices)}, got {value!r}{near}")
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int and not (number and float(value).is_integer()):
        raise ConfigError(f"{where}: {name} must be a whole number, got {value!r}")
    if kind is float and not number:
        raise ConfigError(f"{where}: {name} must be a number, got {value!r}")
    if kind is bool and not isinstance(value, bool):
        raise ConfigError(f"{where}: {name} must be true or false, got {value!r}")
    return kind(value)


def _nearest(name: str, known: Iterable[str]) -> str:
    match = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{match[0]}'?" if match else ""


def _place(key: str, prefix: str) -> str:
    """Where a key that stands in the wrong section belongs."""
    sections = {
        name: kind for name, kind in typing.get_type_hints(Config).items() if dataclasses.is_dataclass(kind)
    }
    homes = [f"{name}." for name, kind in sections.items() if key in typing.get_type_hints(kind)]
    if key in typing.get_type_hints(Config):
        homes.append("")
    return f" ('{homes[0]}{key}' exists)" if homes and prefix not in homes else ""


class _Loader(yaml.SafeLoader):
    """YAML as people read it: YAML 1.2's numbers and truth values, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' stands here twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith((":bool", ":float"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?$|^[-+]?\.(?:inf|nan)$"),
    list("-+.0123456789"),
)
