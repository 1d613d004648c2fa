"""What each reader takes for its worst file, beside what it says that it takes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import test_c3d_file
import test_memory
from campaign import Report
from scipy.io import savemat

from hitrs.data.formats import memory, people
from hitrs.data.formats.registry import get_format

COUNT = 1


@dataclass(frozen=True)
class Worst:
    """A file that is made for a reader to take much."""

    format: str
    name: str
    content: bytes
    unpacked: int
    """Bytes of what it declares, by which the reader goes: the file itself where nothing is packed."""
    each: float
    """Bytes for each byte of that which the reader states before it makes a recording."""


def worst_files(folder: Path) -> Iterable[Worst]:
    for format, cases in test_memory.WORST.items():
        for name, content in cases:
            data = content if isinstance(content, bytes) else content.encode()
            yield Worst(format, name, data, len(data), get_format(format).memory or 40)
    size = test_memory.SIZE
    texts = {
        "alphapose": ("alphapose-results.json", "[" + ",".join(["{}"] * (size // 3)) + "]"),
        "coco": (
            "a.json",
            '{"annotations":[' + ",".join(["{}"] * (size // 3)) + '],"images":[],"categories":[]}',
        ),
        "openpose": ("a_000000000000_keypoints.json", '{"people":[' + ",".join(["{}"] * (size // 3)) + "]}"),
        "mediapipe": ("a.json", '{"frames":[' + ",".join(["{}"] * (size // 3)) + "]}"),
    }
    for format, (name, text) in texts.items():
        yield Worst(format, name, text.encode(), len(text), get_format(format).memory or 0)
    points = np.zeros((2000, 3, 5), np.float32)
    c3d = test_c3d_file.write(folder / "worst.c3d", points, ["LFHD", "RFHD", "C7"], scale=0.1).read_bytes()
    yield Worst("c3d", "a.c3d", c3d, len(c3d), get_format("c3d").memory or 0)
    yield from _arrays()
    yield from _hdf5(folder)


def _arrays() -> Iterable[Worst]:
    """Of one byte a number, which become eight."""
    array = np.ones((20_000, 20, 3), np.uint8)
    made: list[tuple[str, str, Callable[[io.BytesIO], Any]]] = [
        ("npz", "a.npz", partial(np.savez_compressed, positions=array, layout="kinect20")),
        ("amass", "a.npz", partial(np.savez_compressed, Jtr=array.repeat(2, 1)[:, :24], mocap_framerate=60)),
        ("ui-prmd", "m01_s01_e01.npz", partial(np.savez_compressed, markers=array.repeat(2, 1)[:, :39])),
        (
            "utd-mhad",
            "a1_s1_t1_skeleton.mat",
            lambda file: savemat(file, {"d_skel": array.transpose(1, 2, 0)}),
        ),
    ]
    for format, name, write in made:
        file = io.BytesIO()
        write(file)
        count = {"amass": 20_000 * 72, "ui-prmd": 20_000 * 117}.get(format, array.size)
        yield Worst(
            format, name, file.getvalue(), count, 40 if format == "utd-mhad" else 1 + memory.PER_NUMBER
        )


def _hdf5(folder: Path) -> Iterable[Worst]:
    try:
        import h5py
        import test_animals
    except ImportError:  # an extra
        return
    xy = np.ones((20_000, 1, 4, 2))
    sure, each = np.ones(xy.shape[:3]), (8 + memory.PER_NUMBER) / 8
    made = {
        "sleap": test_animals.analysis(h5py, folder / "a.h5", xy),
        "deeplabcut": test_animals.dlc_hdf5(h5py, folder / "b.h5", xy, sure),
        "nwb": test_animals.nwb(h5py, folder / "a.nwb", xy[:, 0], sure[:, 0], test_animals.NODES),
    }
    numbers = {"sleap": 8, "deeplabcut": 13, "nwb": 16}
    for format, path in made.items():
        followed = people.DETECTION / (8 * numbers[format]) if format == "sleap" else 0.0
        yield Worst(format, path.name, path.read_bytes(), 8 * 20_000 * numbers[format], each + followed)


def reports(count: int, seed: int, folder: Path) -> list[Report]:
    report = Report("the most memory that a reader takes, for files made to take much")
    rows = ["| format | bytes declared | times that, taken | times that, stated |", "|---|---|---|---|"]
    most: dict[str, tuple[float, str]] = {}
    for worst in worst_files(folder):
        path = folder / worst.name
        path.write_bytes(worst.content)
        peak, joints = test_memory.peak_of(path, worst.format)
        block = test_memory.BLOCK.get(worst.format, 0)
        beside = memory._PER_JOINT * joints + block + test_memory.SLACK
        stated = worst.each + beside / worst.unpacked
        taken = peak / worst.unpacked
        report.add("measured")
        if taken > stated:
            report.fault(
                f"{worst.format} ({worst.name}): {taken:.0f} times what is declared, {stated:.0f} stated"
            )
        row = f"| {worst.format} | {worst.unpacked:,} | {taken:.1f} | {stated:.1f} |"
        most[worst.format] = max(most.get(worst.format, (0.0, "")), (taken / stated, row))
        path.unlink()
    report.details = "\n".join([*rows, *(row for _, row in most.values())])
    return [report]
