"""Everything that a run can be told, in one tree: sections, reading them from YAML, and writing them.

A file holds any part of the tree; what is left out keeps the paper's value. Numbers and truth values
follow YAML 1.2, so that ``1e-3`` is a number and ``no`` a word. The files in ``hitrs/configs`` come with the
package.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from hitrs.errors import ConfigError, DataError, did_you_mean
from hitrs.files import atomic_file, explained_writes, read_json
from hitrs.models.card_files import resolve_pretrained
from hitrs.models.config import ModelConfig
from hitrs.pretext.registry import pretext_weights
from hitrs.tasks.registry import TASKS, config_class, section_name, task_of_section
from hitrs.training.config import PretrainConfig, ProbeConfig
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig

DEFAULT = "light"
"""Configuration of a run that names none."""


def _own_sections() -> dict[str, Any]:
    return {section_name(name): config_class(name)() for name in TASKS.built_in}


@dataclass(frozen=True)
class Config:
    """A whole configuration. The defaults are the paper's.

    A section of a downstream task is an attribute too: ``config.detect`` is ``config.tasks["detect"]``.

    >>> config = hitrs.load_config("small", {"detect.head.causal": True})
    >>> config.detect.head.causal
    True
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    pretext: Mapping[str, float] = field(default_factory=pretext_weights)
    """Weight of each pretext task in the loss; 0 switches it off."""
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    tasks: Mapping[str, Any] = field(default_factory=_own_sections)
    """Section (recognize, detect, predict, or a plugin's name) -> settings of a downstream task."""
    layout: str = ""
    """Joint layout (a name or a .yaml file) that recordings are mapped to for training; empty: their own."""
    min_frames: int = 1
    """Shorter bodies take no part in pre-training (the authors: 19)."""
    max_frames: int = 300
    """Longer recordings are cropped at random in training."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_frames <= self.max_frames:
            raise ConfigError(
                f"min_frames must lie between 1 and max_frames, got {self.min_frames} and {self.max_frames}"
            )
        object.__setattr__(self, "pretext", pretext_weights(self.pretext))
        object.__setattr__(self, "tasks", {**_own_sections(), **self.tasks})

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name != "tasks" and name in self.tasks:
            return self.tasks[name]
        raise AttributeError(f"a configuration has no section or value '{name}'")

    def section(self, task: str) -> Any:
        """The settings of a downstream task; of a plugin its defaults unless something else was given.

        Raises:
            ConfigError: if there is no such task.
        """
        name = section_name(task)
        return self.tasks[name] if name in self.tasks else config_class(task)()

    def changed(self, changes: Mapping[str, Any]) -> Config:
        """A copy with single values changed, by dotted name: ``{"pretrain.optim.steps": 1000}``.

        Raises:
            ConfigError: for a key that is not known, or a value of another type.
        """
        tree: dict[str, Any] = {}
        for name, value in changes.items():
            *sections, key = name.split(".")
            inner = tree
            for section in sections:
                inner = inner.setdefault(section, {})
                if not isinstance(inner, dict):
                    raise ConfigError(f"unknown key '{name}': '{section}' is a single value")
            inner[key] = value
        return _updated(self, tree, "", "")

    def to_dict(self) -> dict[str, Any]:
        """The tree as plain values, as a file holds it."""
        values = dataclasses.asdict(self)
        return {
            key: inner
            for name, value in values.items()
            for key, inner in (value.items() if name == "tasks" else [(name, value)])
        }


def load_config(source: str | Path, changes: Mapping[str, Any] | None = None) -> Config:
    """A configuration from the name of one that comes with the package, or from a file.

    Args:
        source: "light", "tiny", "small", "base", "paper", or the path of a YAML file.
        changes: single values by dotted name, for example ``{"pretrain.optim.steps": 1000}``.

    Raises:
        ConfigError: if there is no such configuration, it is not YAML, or a key or value is wrong; the
            message names the file, the key and, for an unknown key, the nearest known one.

    >>> config = hitrs.load_config("tiny", {"pretrain.optim.steps": 20})
    """
    text, where = _read(source)
    try:
        values = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {error}") from error
    config = _updated(Config(), {} if values is None else values, "", f"{where}: ")
    return config.changed(changes) if changes else config


def load_run_config(path: Path, version: int) -> Config:
    """The configuration of a run, also of one that an earlier release made (format version 1).

    Raises:
        ConfigError: if it cannot be read.
    """
    if version >= 2:
        return load_config(path)
    old = _flat(yaml.safe_load(path.read_text(encoding="utf-8")))
    renamed = {renamed_key(name) or name: value for name, value in old.items()}
    return Config().changed(
        {
            name: "fp32" if name.endswith("precision") and value == "no" else value
            for name, value in renamed.items()
        }
    )


def config_of(model: str | Path) -> Config | None:
    """The configuration of the run that made a model, or that lies beside it; None where there is none.

    Raises:
        CheckpointError: if there is no model.
        ConfigError, DataError: if it cannot be read.
    """
    folder = resolve_pretrained(model)
    if (folder / "config.yaml").is_file():
        return load_config(folder / "config.yaml")
    run = _run_folder(folder)
    if run is None or not (run / "config.yaml").is_file():
        return None
    return load_run_config(run / "config.yaml", run_of(model).get("format_version", 1))


def inherited_config(model: str | Path) -> Config | None:
    """:func:`config_of` for a run that starts from the model, which has a layout of its own."""
    own = config_of(model)
    return None if own is None else dataclasses.replace(own, layout="")


def run_of(model: str | Path) -> dict[str, Any]:
    """The record of the run that made a model (``run.json``); empty where there is none.

    Raises:
        CheckpointError: if there is no model.
        DataError: if it cannot be read.
    """
    run = _run_folder(resolve_pretrained(model))
    if run is None:
        return {}
    try:
        record = read_json(run / "run.json")
    except (OSError, ValueError) as error:
        raise DataError(f"{run / 'run.json'} does not describe a run: {error}") from error
    if not isinstance(record, dict):
        raise DataError(f"{run / 'run.json'} does not describe a run: it is no JSON object")
    return record


def _run_folder(model: Path) -> Path | None:
    # a model stands in its run, a checkpoint one folder deeper
    return next((run for run in model.parents[:2] if (run / "run.json").is_file()), None)


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
    body = yaml.safe_dump(config.to_dict(), sort_keys=False)
    with atomic_file(path) as part, explained_writes(path):
        part.write_text(head + body, encoding="utf-8")


def differences(one: Config, other: Config) -> list[tuple[str, Any, Any]]:
    """Dotted name and both values of everything in which two configurations differ."""
    first, second = _flat(one.to_dict()), _flat(other.to_dict())
    names = dict.fromkeys([*first, *second])
    return [
        (name, first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)
    ]


def renamed_key(name: str) -> str | None:
    """What a key of an earlier release is called now, None where it never was one."""
    for pattern, replacement in _RENAMED:
        new, count = re.subn(f"^(?:{pattern})$", replacement, name)
        if count and new != name:
            return new
    return None


_OPTIM = (
    "steps|batch_size|lr|final_lr|schedule|weight_decay|precision|seed|log_every|eval_every|"
    "checkpoint_seconds"
)
_OLD_OPTIM = {
    "accumulate": "accumulation_steps",
    "warmup": "warmup_steps",
    "clip": "max_grad_norm",
    "recompute": "activation_checkpointing",
}
_OLD_SECTIONS = {"pretrain": "pretrain", "finetune": "recognize", "detect": "detect", "predict": "predict"}
_RENAMED: list[tuple[str, str]] = [
    *(
        (rf"{old}\.(?:optim\.)?{key}", rf"{new}.optim.{name}")
        for old, new in _OLD_SECTIONS.items()
        for key, name in {**_OLD_OPTIM, "encoder_lr": "encoder_lr_scale"}.items()
    ),
    *((rf"{old}\.({_OPTIM})", rf"{new}.optim.\1") for old, new in _OLD_SECTIONS.items()),
    (r"finetune\.label_smoothing", "recognize.loss.label_smoothing"),
    (r"finetune\.test_views", "recognize.eval.test_views"),
    (r"finetune", "recognize"),
    (r"detect\.(context|stride|causal|hidden|layers)", r"detect.head.\1"),
    (r"detect\.(balance|smoothness)", r"detect.loss.\1"),
    (r"detect\.frames", "detect.chunk_frames"),
    (r"predict\.(observed|predicted|context|width|layers|coefficients|dropout)", r"predict.head.\1"),
    (r"predict\.step", "predict.head.frame_step"),
    (r"predict\.velocity", "predict.loss.velocity"),
    (r"(detect|predict)\.frozen", r"\1.freeze_encoder"),
    (r"augment\.(yaw|tilt|stretch|speed|crop|noise|drop|mirror)", r"augment.views.\1"),
    (r"probe\.neighbors", "probe.k"),
    (r"probe\.strength", "probe.C"),
]
"""Keys of earlier releases: pattern and the name today."""


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def _read(source: str | Path) -> tuple[str, str]:
    if str(source) in list_configs():
        file = resources.files("hitrs") / "configs" / f"{source}.yaml"
        return file.read_text(encoding="utf-8"), f"configuration {source}"
    path = Path(source)
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(
            f"there is no configuration '{source}'{did_you_mean(str(source), list_configs())}; known: "
            f"{', '.join(list_configs())}, or the path of a .yaml file"
        )
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {error}") from error


def _updated(current: Any, values: Any, prefix: str, where: str) -> Any:
    """A copy of a section with the values of a mapping in place of its own.

    ``where`` begins messages: "small.yaml: ", or nothing.
    """
    if not isinstance(values, Mapping):
        what = f"'{prefix[:-1]}'" if prefix else "a configuration"
        raise ConfigError(f"{where}{what} must be a section of keys and values, got {values!r}")
    types = typing.get_type_hints(type(current))
    given: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(current, Config) and key == "pretext":
            given[key] = {**current.pretext, **_weights(value, where)}
        elif isinstance(current, Config) and key != "tasks" and (task := task_of_section(str(key))):
            section = _updated(current.section(task), value, f"{name}.", where)
            given["tasks"] = {**given.get("tasks", current.tasks), key: section}
        elif key not in types or (isinstance(current, Config) and key == "tasks"):
            raise ConfigError(f"{where}{_unknown(current, str(key), prefix, value)}")
        elif dataclasses.is_dataclass(types[key]):
            given[key] = _updated(getattr(current, key), value, f"{name}.", where)
        elif isinstance(value, Mapping) and value:
            raise ConfigError(f"{where}unknown key '{name}.{next(iter(value))}': '{name}' is a single value")
        else:
            given[key] = _value(types[key], value, name, where)
    try:
        return dataclasses.replace(current, **given)
    except ConfigError as error:
        parent, _, own = prefix[:-1].rpartition(".")
        section = f"{parent}." if parent and str(error).startswith(f"{own}.") else ""  # optim has several
        raise ConfigError(f"{where}{section}{error}") from error


def _weights(values: Any, where: str) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}'pretext' must be a section of task names and weights, got {values!r}")
    return {str(name): _value(float, value, f"pretext.{name}", where) for name, value in values.items()}


def _unknown(current: Any, key: str, prefix: str, value: Any) -> str:
    """What is wrong with a key that is not known, and what it is called or where it belongs."""
    name = f"{prefix}{key}"
    new = renamed_key(name)
    if new is not None:
        inner = next(iter(value), None) if isinstance(value, Mapping) else None
        example = renamed_key(f"{name}.{inner}") if inner else None
        return f"'{name}' is called '{new}' now" + (f" ('{name}.{inner}' is '{example}')" if example else "")
    known = [field.name for field in dataclasses.fields(current)]
    if isinstance(current, Config):
        known = [*(k for k in known if k != "tasks"), *current.tasks]
    homes = [name for name in _flat(Config().to_dict()) if name.endswith(f".{key}") or name == key]
    place = f" ('{homes[0]}' exists)" if homes else ""
    return f"unknown key '{name}'{did_you_mean(key, known)}{place}"


def _value(kind: Any, value: Any, name: str, where: str) -> Any:
    """A value of the declared type: a choice of words, a whole number, a number, a truth value or a word."""
    if typing.get_origin(kind) is typing.Literal:
        words = typing.get_args(kind)
        if value not in words:
            hint = "; 'no' is called 'fp32' now" if name.endswith("precision") and value == "no" else ""
            near = hint or did_you_mean(str(value), words)
            raise ConfigError(f"{where}{name} must be one of {', '.join(words)}, got {value!r}{near}")
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int and not (number and float(value).is_integer()):
        raise ConfigError(f"{where}{name} must be a whole number, got {value!r}")
    if kind is float and not number:
        raise ConfigError(f"{where}{name} must be a number, got {value!r}")
    if kind is bool and not isinstance(value, bool):
        raise ConfigError(f"{where}{name} must be true or false, got {value!r}")
    return kind(value)


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
