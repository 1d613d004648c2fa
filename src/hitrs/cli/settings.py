"""Configuration as options: every value by its dotted name, starting from a configuration file."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from hitrs.config import DEFAULT, Config, inherited_config, load_config, renamed_key
from hitrs.errors import ConfigError
from hitrs.pretext.registry import ABOUT
from hitrs.tasks.registry import TASKS, section_name

_HELP = {
    "layout": "Joint layout (name or .yaml file) to map recordings to for training; empty: their own.",
    "min_frames": "Shorter bodies take no part in pre-training (the authors: 19).",
    "max_frames": "Longer recordings are cropped at random in training.",
}
_RENAMED_OPTIONS = {"--fraction": "--label-fraction", "--draw": "--label-subset"}


def starting_config(arguments: Sequence[str]) -> Config:
    """What the options change: the configuration of --config, else of the continued run, else of the run that
    made the encoder of --from, else the default.
    """
    named, out = given_option(arguments, "--config"), given_option(arguments, "--out")
    if named is None and out is not None and "--resume" in arguments:
        saved = Path(out) / "config.yaml"
        if not saved.is_file():
            raise ConfigError(
                f"{out} is not a run that could go on: it has no config.yaml; leave out --resume to start"
            )
        return load_config(saved)
    source = given_option(arguments, "--from")
    own = inherited_config(source) if named is None and source is not None else None
    return own or load_config(DEFAULT if named is None else named)


def given_option(arguments: Sequence[str], name: str) -> str | None:
    """The value of ``--name value`` or ``--name=value`` in the arguments, the last one of several."""
    value = None
    for place, argument in enumerate(arguments):
        if argument == name and place + 1 < len(arguments):
            value = arguments[place + 1]
        elif argument.startswith(f"{name}="):
            value = argument.removeprefix(f"{name}=")
    return value


def options_of(config: Config, fields: Iterable[str]) -> Any:
    """An instance of a dataclass made for the command line, with some of a configuration's fields.

    Args:
        fields: names of fields and of sections of downstream tasks.
    """
    made: list[tuple[str, Any, Any]] = []
    for name in fields:
        if name == "pretext":
            weights = [
                (task, Annotated[float, arg(help=ABOUT.get(task, "of another package"))], weight)
                for task, weight in config.pretext.items()
            ]
            value = _instance(
                "Pretext", weights, "Weight of each pretext task in the loss; 0 switches it off."
            )
        else:
            value = getattr(config, name)
        kind = Annotated[type(value), arg(help=_HELP[name])] if name in _HELP else type(value)
        made.append((name, kind, value))
    options = _instance("Options", made, "")
    type(options).base = config
    return options


def changed_config(options: Any) -> Config:
    """The configuration that :func:`options_of` was given, with what its options say now."""
    config: Config = type(options).base
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name == "pretext":
            changes["pretext"] = dataclasses.asdict(value)
        elif field.name in config.tasks:
            changes["tasks"] = {**changes.get("tasks", config.tasks), field.name: value}
        else:
            changes[field.name] = value
    return dataclasses.replace(config, **changes)


def with_options(run: Callable[..., None], options: Any) -> Callable[..., None]:
    """The function ``run`` of a command, its parameter ``options`` being of a class known only now."""

    @functools.wraps(run)
    def call(*args: Any, **values: Any) -> None:
        run(*args, **values)

    del call.__wrapped__  # its signature would be looked at instead
    hints = typing.get_type_hints(run, include_extras=True)
    kind: Any = Annotated[type(options), arg(name="")]
    call.__annotations__ = {**hints, "options": kind}
    signature = inspect.signature(run)
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[
            parameter.replace(annotation=call.__annotations__[name], default=options)
            if name == "options"
            else parameter.replace(annotation=hints[name])
            for name, parameter in signature.parameters.items()
        ]
    )
    return call


def check_option_names(arguments: Sequence[str]) -> None:
    """ConfigError for an option of an earlier release, with its name today, or of another task."""
    task = given_option(arguments, "--task") or "recognition"
    sections = {section_name(name): name for name in TASKS.names()}
    for argument in arguments:
        option = argument.split("=")[0]
        if option in _RENAMED_OPTIONS:
            raise ConfigError(f"{option} is called {_RENAMED_OPTIONS[option]} now")
        if not option.startswith("--") or "." not in option:
            continue
        name = option[2:].replace("-", "_")
        new = renamed_key(name)
        if new is not None:
            raise ConfigError(f"{option} is called --{new.replace('_', '-')} now")
        owner = sections.get(name.split(".")[0])
        if owner is not None and owner != task:
            raise ConfigError(f"{option} is for --task {owner}; this is --task {task}")


@contextmanager
def whole_names(arguments: Sequence[str]) -> Iterator[None]:
    """Begin a ConfigError about ``optim.steps`` with the name of the option that set it: a section that
    several others have does not know which of them it is in.
    """
    try:
        yield
    except ConfigError as error:
        key = str(error).split(" ")[0]
        options = [argument.split("=")[0] for argument in arguments if argument.startswith("--")]
        names = [option[2:].replace("-", "_") for option in options]
        whole = next((name for name in names if name.endswith(f".{key}")), key)
        raise ConfigError(whole.removesuffix(key) + str(error)) from error


def _instance(name: str, fields: list[tuple[str, Any, Any]], doc: str) -> Any:
    made = dataclasses.make_dataclass(
        name, [(key, kind, dataclasses.field(default=value)) for key, kind, value in fields], frozen=True
    )
    made.__doc__ = doc
    return made()
