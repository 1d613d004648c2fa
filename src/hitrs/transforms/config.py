"""Settings of preprocessing and augmentation. No torch here: ``--help`` reads this module."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hitrs.errors import ConfigError, check_literals

Stream = Literal["joint", "bone", "motion", "fused"]


@dataclass(frozen=True)
class PreprocessingConfig:
    """How raw recordings are brought to the model's input. The paper's defaults: raw meters, nothing done."""

    stream: Stream = "joint"
    """joint positions, bone vectors, motion between frames, or fused: all three as channels of one model."""
    center: Literal["none", "first", "frame"] = "none"
    """first: subtract where the first body's center (hip) is when first seen. frame: where it is in each
    frame or, while it is not seen, was last."""
    align: Literal["none", "yaw", "running"] = "none"
    """yaw: turn about the up axis so that the first body faces the camera, on average over the recording;
    running: on average up to each frame, so that it can be done frame by frame. 3-D only."""
    up: Literal["x", "y", "z"] = "y"
    """The axis that points up (or down) in the data; Kinect: y."""
    scale: Literal["none", "body", "running"] = "none"
    """body: to one mean bone length, 0.2, for pixels and other units that are not meters; running: by the
    bones of the first body up to each frame, so that it can be done frame by frame."""
    frames: int = 0
    """Resample every recording to this many frames; 0: its own. For answers about a whole recording."""
    tubelet: int = 1
    """Successive frames of a joint that are one token of the encoder (a tubelet, as in ViViT)."""

    def __post_init__(self) -> None:
        check_literals(self)
        if self.frames < 0 or self.tubelet < 1:
            raise ConfigError(
                f"preprocessing.frames must not be negative and preprocessing.tubelet at least 1, got "
                f"{self.frames} and {self.tubelet}"
            )

    @property
    def up_axis(self) -> int:
        return "xyz".index(self.up)

    def channels(self, dims: int) -> int:
        """Numbers of a token, of a layout with ``dims`` coordinates.

        >>> PreprocessingConfig(stream="fused", tubelet=4).channels(3)
        36
        """
        return dims * (3 if self.stream == "fused" else 1) * self.tubelet


@dataclass(frozen=True)
class ViewsConfig:
    """Ranges of the policy "views": random camera, size, speed, crop and noise."""

    yaw: float = 60.0
    """Turn about the up axis by up to this many degrees either way."""
    tilt: float = 15.0
    """Turn about each ground axis by up to this many degrees either way."""
    stretch: float = 0.2
    """Scale each axis by 1 +- this, and all of them together by the same range once more."""
    speed: float = 0.3
    """Play faster or slower by a factor of up to 1 + this."""
    crop: float = 0.2
    """Leave out up to this share of the frames, split at random between start and end."""
    noise: float = 0.01
    """Meters of white noise on every coordinate (standard deviation, itself drawn up to this)."""
    drop: float = 0.05
    """Share of joints that are taken as unseen for the whole recording."""
    mirror: float = 0.0
    """Probability of swapping left and right; only where no class depends on the side."""

    def __post_init__(self) -> None:
        for name in ("crop", "drop", "mirror", "stretch"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"augment.views.{name} must lie in [0, 1], got {getattr(self, name)}")
        if min(self.yaw, self.tilt, self.speed, self.noise) < 0:
            raise ConfigError("augment.views: yaw, tilt, speed and noise must not be negative")


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to a recording in training."""

    policy: Literal["none", "paper", "views"] = "paper"
    """paper: Hi-TRS's own; views: random camera, size, speed, crop and noise by the ranges under views."""
    views: ViewsConfig = field(default_factory=ViewsConfig)
    """Ranges of the policy views."""

    def __post_init__(self) -> None:
        check_literals(self)
