"""Configuration as options: every field by its dotted name, starting from a configuration file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tyro.conf import Suppress

from hitrs.cli.configfile import load_config
from hitrs.data.store import Store
from hitrs.errors import ConfigError
from hitrs.models.config import ModelConfig
from hitrs.pretext.objective import PretextConfig
from hitrs.train.config import Config, DetectionConfig, PredictionConfig, ProbeConfig, RecognitionConfig
from hitrs.train.optimizer import OptimConfig
from hitrs.transforms.preprocess import Preprocessing

DEFAULT = "small"


@dataclass(frozen=True)
class PretrainSettings(Config):
    """The parts of a configuration that pre-training has options for."""

    finetune: Suppress[RecognitionConfig] = field(default_factory=RecognitionConfig)
    detect: Suppress[DetectionConfig] = field(default_factory=DetectionConfig)
    predict: Suppress[PredictionConfig] = field(default_factory=PredictionConfig)
    probe: Suppress[ProbeConfig] = field(default_factory=ProbeConfig)


@dataclass(frozen=True)
class FinetuneSettings(Config):
    """The parts of a configuration that fine-tuning has options for."""

    pretext: Suppress[PretextConfig] = field(default_factory=PretextConfig)
    pretrain: Suppress[OptimConfig] = field(default_factory=OptimConfig)
    probe: Suppress[ProbeConfig] = field(default_factory=ProbeConfig)
    min_frames: Suppress[int] = 1


@dataclass(frozen=True)
class ProbeSettings(Config):
    """The parts of a configuration that probing has options for."""

    model: Suppress[ModelConfig] = field(default_factory=ModelConfig)
    preprocessing: Suppress[Preprocessing] = field(default_factory=Preprocessing)
    pretext: Suppress[PretextConfig] = field(default_factory=PretextConfig)
    pretrain: Suppress[OptimConfig] = field(default_factory=OptimConfig)
    finetune: Suppress[RecognitionConfig] = field(default_factory=RecognitionConfig)
    detect: Suppress[DetectionConfig] = field(default_factory=DetectionConfig)
    predict: Suppress[PredictionConfig] = field(default_factory=PredictionConfig)
    layout: Suppress[str] = ""
    min_frames: Suppress[int] = 1
    max_frames: Suppress[int] = 300


AnyConfig = TypeVar("AnyConfig", bound=Config)


def recast(config: Config, kind: type[AnyConfig]) -> AnyConfig:
    """The same values as another of the configuration classes."""
    return kind(**{f.name: getattr(config, f.name) for f in dataclasses.fields(Config)})


def starting_config(arguments: Sequence[str]) -> Config:
    """What the options change: the configuration of --config, else of the continued run, else "small"."""
    named, out = given_option(arguments, "--config"), given_option(arguments, "--out")
    if named is None and out is not None and "--resume" in arguments:
        saved = Path(out) / "config.yaml"
        if not saved.is_file():
            raise ConfigError(
                f"{out} is not a run that could go on: it has no config.yaml; leave out --resume to start"
            )
        return load_config(saved)
    return load_config(DEFAULT if named is None else named)


def given_option(arguments: Sequence[str], name: str) -> str | None:
    """The value of ``--name value`` or ``--name=value`` in the arguments, the last one of several."""
    found = None
    for place, argument in enumerate(arguments):
        if argument == name and place + 1 < len(arguments):
            found = arguments[place + 1]
        elif argument.startswith(f"{name}="):
            found = argument.removeprefix(f"{name}=")
    return found


def fit_to_data(config: Config, store: Store) -> Config:
    """2-D recordings are in pixels, which depend on the camera: they are always scaled by body size."""
    if store.layout.dims == 2 and config.preprocessing.scale == "none":
        return dataclasses.replace(
            config, preprocessing=dataclasses.replace(config.preprocessing, scale="body")
        )
    return config
