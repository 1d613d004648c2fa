"""A recording as a moving picture, with what a recognizer says about it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hitrs.data.recording import Recording
from hitrs.errors import ConfigError, DataError
from hitrs.files import atomic_file, explained_writes
from hitrs.viz.canvas import BLUE, GREEN, INK, MUTED, PALE, RED
from hitrs.viz.skeleton import FLOOR, LEFT, MIDLINE, RIGHT, SHADOW, Scene, on_white, paler
from hitrs.viz.text import fitted, font, one_line

_TRACK = "#ECECEC"
_GIF_FPS = 25.0  # more frames a second would only make the file larger
_UNKNOWN_FPS = 20.0  # speed at which a recording of unknown frame rate is shown


def animate(
    recording: Recording,
    out: Path,
    *,
    caption: str | None = None,
    truth: str | None = None,
    scores: Sequence[tuple[str, float]] = (),
    fps: float | None = None,
    size: int = 400,
    up: Literal["x", "y", "z"] = "y",
) -> None:
    """Write an animated skeleton as .gif, or as .mp4 where ffmpeg is installed.

    Every frame of the recording is shown, but a GIF of more than 25 frames a second skips some to keep its
    speed. A frame takes some 2 to 4 kB of a GIF; of a long recording better show a part.

    Args:
        caption: a line of text under the skeleton.
        truth: the true class; compared with the predicted one where there are scores.
        scores: (class, probability) of a recognizer, any number in any order; the highest is named, and the
            three highest are drawn as bars.
        fps: frames per second to show; default the recording's own, or 20 where that is unknown (the clock
            then counts frames, not seconds).
        size: width in pixels; a caption, truth or scores are added below.
        up: the axis of 3-D data that points upwards. In 2-D data y points down, as in images.

    Raises:
        ConfigError: for another suffix, for .mp4 without ffmpeg, or for a frame rate that is not positive.
        DataError: if no joint of the recording is valid, or the file cannot be written.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in (".gif", ".mp4"):
        raise ConfigError(f"cannot animate to {out}: an animation is a .gif or an .mp4 file.")
    if suffix == ".mp4":
        _require_ffmpeg(out)
    rate = fps if fps is not None else recording.fps or _UNKNOWN_FPS
    if not (np.isfinite(rate) and rate > 0):
        raise ConfigError(f"cannot show {rate} frames a second; give a frame rate above 0.")
    every = 1 if suffix == ".mp4" else max(1, int(np.ceil(rate / _GIF_FPS - 1e-6)))

    scene = Scene(recording, size, up)
    panel = _panel(size, caption, truth, scores)
    shown = range(0, recording.n_frames, every)
    pictures = (_compose(scene, frame, panel) for frame in shown)
    with atomic_file(out) as part, explained_writes(out):
        if suffix == ".gif":
            _write_gif(pictures, part, _durations(len(shown), rate / every))
        else:
            _write_mp4(pictures, part, rate)


def _compose(scene: Scene, frame: int, panel: Image.Image) -> Image.Image:
    """Skeleton, panel below it, and in the corners the clock and what the colors mean."""
    size, recording = scene.size, scene.recording
    picture = Image.new("RGB", (size, size + panel.height), "white")
    picture.paste(scene.draw(frame), (0, 0))
    picture.paste(panel, (0, size))
    clock = f"frame {frame + 1}/{recording.n_frames}"
    if recording.fps is not None:
        clock = f"{frame / recording.fps:.2f} s"
    draw = ImageDraw.Draw(picture)
    draw.text((size - 12, 10), clock, fill=MUTED, font=font(13), anchor="ra")
    if recording.layout.pairs:
        draw.text((12, 10), "left", fill=LEFT, font=font(13))
        draw.text((44, 10), "right", fill=RIGHT, font=font(13))
    return picture


def _panel(
    width: int, caption: str | None, truth: str | None, scores: Sequence[tuple[str, float]]
) -> Image.Image:
    """Caption, predicted and true class, bars of the three best; of no height if there is nothing to tell."""
    best = sorted(scores, key=lambda score: -score[1])[:3]
    small, text, large = font(13), font(14), font(19, bold=True)
    lines: list[tuple[str, str, ImageFont.FreeTypeFont, int]] = []  # text, color, font, height
    if caption:
        lines.append((caption, MUTED, text, 26))
    if best:
        lines.append((best[0][0], INK, large, 30))
    if truth and best:
        right = best[0][0] == truth
        lines.append(("✔ correct" if right else f"✘ truth: {truth}", GREEN if right else RED, text, 24))
    elif truth:
        lines.append((truth, INK, text, 24))

    margin, row, y = 16, 21, 2
    height = sum(line[3] for line in lines) + row * len(best)
    panel = Image.new("RGB", (width, height + 14 if height else 0), "white")
    draw = ImageDraw.Draw(panel)
    room = width - 2 * margin
    for line, color, face, step in lines:
        draw.text((margin, y), fitted(line, room, face), fill=color, font=face)
        y += step
    names = min(0.5 * room, max((small.getlength(one_line(name)) for name, _ in best), default=0.0) + 1)
    start, end = margin + names + 10, width - margin - 48
    for place, (name, probability) in enumerate(best):
        draw.text((margin, y), fitted(name, names, small), fill=INK, font=small)
        draw.rectangle([start, y + 3, end, y + 13], fill=_TRACK)
        length = (end - start) * min(max(probability, 0.0), 1.0)
        if length >= 1:
            draw.rectangle([start, y + 3, start + length, y + 13], fill=PALE if place else BLUE)
        draw.text((width - margin, y), f"{100 * probability:.0f}%", fill=INK, font=small, anchor="ra")
        y += row
    return panel


def _durations(frames: int, rate: float) -> list[int]:
    """How long each frame is shown, in ms. A GIF counts in 10 ms; no rounding errors add up."""
    times = np.round(np.arange(frames + 1) * 100 / rate).astype(int)
    durations = [10 * int(step) for step in np.diff(times)]
    durations[-1] += 600  # a pause, to see where it begins again
    return durations


def _write_gif(pictures: Iterator[Image.Image], part: Path, durations: list[int]) -> None:
    palette = _palette()
    # Without dithering, whose noise would make the file large.
    frames = (picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures)
    first = next(frames)
    first.save(
        part, format="GIF", save_all=True, append_images=frames, duration=durations, loop=0, disposal=1
    )


def _palette() -> Image.Image:
    """One for all frames: each color that is drawn with, blended with white in steps, as at smooth edges."""
    limbs = [paler(color, person) for color in (LEFT, RIGHT, MIDLINE) for person in range(3)]
    inks = [*limbs, INK, MUTED, GREEN, PALE, FLOOR, SHADOW, _TRACK]
    blends = [on_white(color, step / 6) for color in inks for step in range(1, 7)]
    # Hardly visible shades are left out: Pillow's search for the nearest color is coarse, white would be one.
    visible = [blend for blend in blends if min(blend) < 245]
    palette = Image.new("P", (1, 1))
    palette.putpalette(list(chain((255, 255, 255), *visible)))
    return palette


def _require_ffmpeg(out: Path) -> None:
    from matplotlib.animation import FFMpegWriter  # here, as it is needed for .mp4 only

    if not FFMpegWriter.isAvailable():
        raise ConfigError(
            f"cannot write {out}: .mp4 needs ffmpeg, which was not found; install it or write a .gif."
        )


def _write_mp4(pictures: Iterator[Image.Image], part: Path, rate: float) -> None:
    from matplotlib.animation import FFMpegWriter
    from matplotlib.figure import Figure

    first = next(pictures)
    width, height = (side + side % 2 for side in first.size)  # the codec wants even sizes
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor="white")
    shown = figure.figimage(np.asarray(first), origin="upper")
    # Not declared by matplotlib, but ffmpeg takes broken rates such as 29.97 too.
    writer = FFMpegWriter(fps=rate, extra_args=["-f", "mp4", "-pix_fmt", "yuv420p"])  # type: ignore[arg-type]
    try:
        with writer.saving(figure, str(part), dpi=100):
            for picture in chain([first], pictures):
                shown.set_data(np.asarray(picture))
                writer.grab_frame()
    except subprocess.CalledProcessError as error:
        raise DataError(
            f"ffmpeg failed with exit code {error.returncode} while writing an .mp4; try a .gif."
        ) from error
