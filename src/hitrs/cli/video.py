"""``--video``: the video that was read, with what was found drawn on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hitrs.errors import ConfigError

if TYPE_CHECKING:
    from hitrs.viz.video import DrawnSpan


def check_video(out: Path | None, files: Sequence[Path]) -> None:
    """ConfigError, before anything is computed, where ``--video OUT`` cannot be written of these files."""
    from hitrs.data.formats.registry import find_format

    if out is None:
        return
    if out.suffix.lower() != ".mp4":
        raise ConfigError(f"which format is {out}? `--video` writes .mp4")
    if len(files) != 1 or files[0].is_dir():
        raise ConfigError("`--video` draws one video: name a single file")
    known = find_format(files[0]) if files[0].is_file() else None
    if known is not None and not known.estimated:
        raise ConfigError(f"`--video` draws on a video, but {files[0]} holds {known.title}")


def write_video(
    source: Path, pose: str | None, spans: Sequence[DrawnSpan], fps: float | None, out: Path
) -> None:
    """Draw on the pictures of a video of which the poses were estimated."""
    from hitrs.data.video.estimator import current_estimator, pose_estimator
    from hitrs.data.video.track import pose_track
    from hitrs.skeleton import get_layout
    from hitrs.viz.video import draw_video

    with pose_estimator(pose):
        estimator = current_estimator()
        layout = get_layout(estimator.layout)
        draw_video(source, pose_track(source, estimator), layout, spans, fps, out)
