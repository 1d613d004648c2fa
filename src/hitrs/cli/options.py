"""Arguments that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from tyro.conf import Positional, arg

from hitrs.engine import Engine, EngineName, open_engine
from hitrs.errors import ConfigError

StoreArgument = Annotated[Positional[Path], arg(metavar="STORE")]
StoresArgument = Annotated[
    Positional[tuple[Path, ...]], arg(metavar="STORE [STORE ...]", help_behavior_hint="(required)")
]
Files = Annotated[
    Positional[tuple[Path, ...]], arg(metavar="FILE [FILE ...]", help_behavior_hint="(required)")
]
ModelArgument = Annotated[Positional[str], arg(metavar="MODEL")]
RunFolder = Annotated[Path, arg(metavar="RUN")]
Name = Annotated[str | None, arg(metavar="NAME")]
Names = Annotated[tuple[str, ...], arg(metavar="NAME [NAME ...]")]
Columns = Annotated[str | None, arg(metavar="NAME,NAME,...")]
DtypeOption = Annotated[Literal["float32", "int16"] | None, arg(metavar="{float32,int16}")]
AsJson = Annotated[bool, arg(name="json")]


@dataclass(frozen=True)
class Reading:
    """How recordings are read that go to a model."""

    layout: Name = None
    """Joint layout of files that do not say it themselves, a name or a layout file."""
    columns: Columns = None
    """Of tables without a header, what their columns are, as x,y,z (docs/data.md)."""
    pose: Name = None
    """Estimator that looks at videos (docs/video.md); MediaPipe's if left out."""
    fps: Annotated[float | None, arg(metavar="FPS")] = None
    """Frames per second of files that do not say it themselves."""
    as_is: bool = False
    """Take coordinates as they are; otherwise those that are in another unit than the training data, or have
    another axis up, are converted, joints that the tracker had lost count as not seen, and it is told."""

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"--fps must be above 0, got {self.fps}")


@dataclass(frozen=True)
class Where:
    """Where the work is done."""

    engine: Annotated[EngineName, arg(metavar="{local,ray}")] = "local"
    """On this machine, or on a Ray cluster (docs/large.md), of which every machine sees the same files."""
    ray_address: Annotated[str | None, arg(metavar="HOST:PORT")] = None
    """Of the Ray cluster; if left out the one of RAY_ADDRESS or of this machine, else a Ray is started."""

    def open(self, workers: int | None = None) -> Engine:
        """The engine; ``workers``: processes of this machine, None: as many as it has by itself."""
        return open_engine(self.engine, workers=workers, address=self.ray_address)


EngineOptions = Annotated[Where, arg(name="")]
HERE = Where()
"""Without an option."""
ReadingOptions = Annotated[Reading, arg(name="")]
Size: TypeAlias = Literal["tiny", "small", "default", "large"]
AS_FILES_SAY = Reading()
"""What is not given."""
