"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from tyro.conf import Positional, arg

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
AsJson = Annotated[bool, arg(name="json")]
Size: TypeAlias = Literal["tiny", "small", "default", "large"]
