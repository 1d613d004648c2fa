"""Pictures of the site, made on synthetic motion by the commands that the gallery shows with them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image, ImageSequence

from hitrs.data.synthetic import synthesize
from hitrs.viz import animate

ROOT = Path(__file__).resolve().parents[2]
STARTING = ("throw", "jump", "kick with the left foot", "sit down")
"""Actions of the moving picture of the start page."""


@dataclass(frozen=True)
class Exhibit:
    """Something to see, and how it was made."""

    heading: str
    says: str
    commands: str
    """Lines of a shell, run one after the other in one folder, of which `file` comes."""
    file: str
    """One that lies in docs/pictures took minutes, and is not made anew."""

    def markdown(self) -> str:
        shown = f"pictures/{self.file}"
        if self.file.endswith(".html"):
            seen = f'<p><a href="{shown}">Open the page</a></p>'
        else:
            seen = f'<figure class="made"><img src="{shown}" alt="{escape(self.says)}"></figure>'
        return f"## {self.heading}\n\n{self.says}\n\n{seen}\n\n```bash\n{self.commands.strip()}\n```\n"


EXHIBITS = (
    Exhibit(
        "A recording as a page that plays",
        "Drag to turn, space to play; several recordings side by side. One file that needs no network.",
        """
hitrs import synthetic motion --size tiny
hitrs show motion --most 8 --out motion.html
""",
        "motion.html",
    ),
    Exhibit(
        "What a recognizer says",
        "A test recording, and the three most probable classes by a recognizer that was made in seconds from "
        "the encoder that comes with the package.",
        """
hitrs probe motion general --out recognizer
hitrs recognize recognizer clip.npz --gif recognized.gif
""",
        "recognized.gif",
    ),
    Exhibit(
        "What happens when",
        "A recording of somebody whom the detector had not seen: labeled actions above, found ones below. "
        "It was trained for a minute, on a dozen recordings.",
        """
hitrs import synthetic scenes --size tiny --untrimmed
hitrs finetune scenes --task detection --config tiny --out detector
hitrs detect detector scene.npz --timeline found.png
""",
        "found.png",
    ),
    Exhibit(
        "A movement continued",
        "What was seen, then what the predictor expects; paler: what happened.",
        """
hitrs finetune motion --task prediction --config tiny --out predictor
hitrs predict predictor clip.npz --at 25 --gif continued.gif
""",
        "continued.gif",
    ),
    Exhibit(
        "What is in a store, and what is wrong with it",
        "Lengths, class balance, joints that are not seen, and an example of each finding.",
        "hitrs inspect motion --html inspection.html",
        "inspection.html",
    ),
    Exhibit(
        "Joint layouts",
        "The layouts that are known by name; recordings of one are mapped to another by the names of joints.",
        "hitrs layouts --picture layouts.png",
        "layouts.png",
    ),
    Exhibit(
        "What joints cost",
        "Time of a training step by the number of joints; measured, see [speed](docs/speed.md).",
        "hitrs bench train --curve joints --config paper --frames 40 --batch-size 2 --precision bf16 "
        "--rounds 1 --seconds 1 --plot cost-joints.png",
        "cost-joints.png",
    ),
)

START = """
<p><picture>
<source media="(prefers-reduced-motion: reduce)" srcset="pictures/start.png">
<img class="picture" src="pictures/start.gif" alt="Four moving skeletons, drawn by hitrs">
</picture></p>

Synthetic motion, drawn by the package itself; more in the [gallery](gallery.md).
"""
GALLERY = "# Gallery\n\n" + "\n".join(
    [
        "What the package draws on synthetic motion, and the commands that draw it, one after the other in "
        "one folder. `clip.npz` and `scene.npz` are the first test recordings of the two stores: "
        '`hitrs.write_npz(store[store.split("cross-subject", "test")[0]], "clip.npz")`.\n',
        *(exhibit.markdown() for exhibit in EXHIBITS),
    ]
)


def draw(folder: Path, work: Path) -> None:
    """All pictures of the gallery and the start page, into a folder; the commands run in another."""
    folder.mkdir(parents=True)
    work.mkdir(parents=True)
    start(folder / "start.gif", work)
    for exhibit in EXHIBITS:
        kept = ROOT / "docs" / "pictures" / exhibit.file
        if not kept.is_file():
            for line in exhibit.commands.strip().splitlines():
                run(line, work)
        shutil.copyfile(kept if kept.is_file() else work / exhibit.file, folder / exhibit.file)


def run(line: str, folder: Path) -> None:
    began = time.monotonic()
    words = [sys.executable, "-m", *shlex.split(line)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{line}\n{done.stdout}{done.stderr}")
    print(f"{time.monotonic() - began:4.0f} s  {line}", flush=True)


def start(out: Path, work: Path) -> None:
    """The moving picture of the start page, some actions side by side, and a still one (.png)."""
    made = {recording.label: recording for recording in synthesize(per_class=1) if recording.n_persons == 1}
    reels = []
    for number, label in enumerate(STARTING):
        file = work / f"{number}.gif"
        animate(made[label], file, truth=label, size=220)
        with Image.open(file) as reel:
            reels.append([frame.convert("RGB") for frame in ImageSequence.Iterator(reel)])
    frames = [
        side_by_side([reel[moment % len(reel)] for reel in reels]) for moment in range(max(map(len, reels)))
    ]
    frames[0].save(out, save_all=True, append_images=frames[1:], duration=70, loop=0)
    frames[len(frames) // 2].save(out.with_suffix(".png"))


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    joined = Image.new(
        "RGB", (sum(each.width for each in pictures), max(each.height for each in pictures)), "white"
    )
    left = 0
    for each in pictures:
        joined.paste(each, (left, 0))
        left += each.width
    return joined
