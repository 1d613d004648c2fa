"""The page of an inspection shows a picture of each finding, and holds all that it shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hitrs.data import Recording, Segment, Store, inspect_store, write_store
from hitrs.errors import ConfigError, DataError
from hitrs.skeleton import Layout, get_layout
from hitrs.viz.inspection import write_inspection
from hitrs.viz.inspection_plots import (
    plot_bones,
    plot_counts,
    plot_lengths,
    plot_on_skeleton,
    plot_strip,
    plot_timeline,
    upright,
)

Person = Callable[..., Recording]


def save(folder: Path, layout: Layout, *items: Recording) -> Store:
    return write_store(
        folder / "store",
        items,
        layout=layout,
        classes=("walk", "fall"),
        protocols={"halves": lambda r: "test" if r.name.startswith("b") else "train"},
        meta={"dataset": "my <own>", "quarantined": [{"source": "x.csv", "reason": "x.csv is empty"}]},
    )


def trembling(recording: Recording, seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.003, recording.positions.shape).astype(np.float32)
    return replace(recording, positions=recording.positions + noise)


def dirty(person: Person) -> list[Recording]:
    """One recording for each finding."""
    whole = trembling(person(frames=30, name="a whole", label="walk"))
    two = trembling(person(frames=30, persons=2, name="swapped"), 1)

    def changed(
        name: str, change: Callable[[np.ndarray, np.ndarray], None], base: Recording = whole
    ) -> Recording:
        positions, valid = trembling(base, len(name)).positions.copy(), base.valid.copy()
        change(positions, valid)
        return replace(base, positions=positions, valid=valid, name=name)

    def jump(p: np.ndarray, v: np.ndarray) -> None:
        p[10:] += 2

    def spike(p: np.ndarray, v: np.ndarray) -> None:
        p[29, 0, 3] += 1

    def breaks(p: np.ndarray, v: np.ndarray) -> None:
        p[0, 0, ::2, 2] += 1

    def swap(p: np.ndarray, v: np.ndarray) -> None:
        p[10:] = p[10:, ::-1]

    def flip(p: np.ndarray, v: np.ndarray) -> None:
        p[10:] = p[10:][:, :, get_layout("kinect20").mirror]

    def freeze(p: np.ndarray, v: np.ndarray) -> None:
        p[5:25, 0, 7] = p[5, 0, 7]

    def repeat(p: np.ndarray, v: np.ndarray) -> None:
        p[12] = p[11]

    def empty(p: np.ndarray, v: np.ndarray) -> None:
        v[:3] = False

    def least(p: np.ndarray, v: np.ndarray) -> None:
        v[:, :, 4:] = False

    def drift(p: np.ndarray, v: np.ndarray) -> None:
        p *= np.linspace(0.5, 2, 30)[:, None, None, None]

    labeled = replace(whole, name="labels", segments=(Segment(0, 2, "fall"), Segment(2, 30, "walk")))
    return [
        whole, replace(whole, name="b copy"), labeled, changed("jump", jump), changed("spike", spike),
        changed("breaks", breaks), changed("swap", swap, two), changed("flip", flip),
        changed("freeze", freeze), changed("repeat", repeat), changed("empty", empty),
        changed("least", least), changed("drift", drift),
        changed("nobody", lambda p, v: v.fill(False)),
    ]  # fmt: skip


def test_each_finding_has_its_picture(tmp_path: Path, person: Person) -> None:
    store = save(tmp_path, get_layout("kinect20"), *dirty(person))
    found = inspect_store(store)
    page = write_inspection(store, found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.findall("<h3>(.*?)</h3>", page) == [
        "A body that jumps", "A pose that does not fit", "A joint that leaves the body",
        "Bodies that exchange slots", "Left and right exchanged", "A frozen joint",
        "A frame that is repeated", "Frames with nobody in them", "Most joints are missing",
        "Bones that change their length", "The same sequence twice", "Labels that cannot be right",
    ]  # fmt: skip
    captions = " ".join(re.findall("<figcaption>(.*?)</figcaption>", page))
    for words in (
        "person 0 jumps in frame 10", "head of person 0 is out of place in frame 29", "in frame 0 fits none",
        "persons 0 and 1 exchange slots in frame 10", "change sides in frame 10", "frame 12 is an exact copy",
        "keeps its exact place from frame 5 to 24", "nobody is seen in 3 of 30 frames",
    ):  # fmt: skip
        assert words in captions
    assert page.count("<img") == page.count('src="data:image/png;base64,') == 17
    assert "my &lt;own&gt;" in page
    assert "x.csv is empty" in page
    for line in found.lines():
        assert re.sub(r"^. ", "", line).strip().split()[0] in page
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["page.html"]


def test_a_clean_store_and_one_with_nobody(tmp_path: Path, person: Person) -> None:
    clean = trembling(person(frames=30, name="a", label="walk"))
    quiet = replace(clean, name="nobody", valid=np.zeros_like(clean.valid))
    for name, item in (("clean", clean), ("nobody", quiet)):
        store = save(tmp_path / name, clean.layout, item)
        page = write_inspection(store, inspect_store(store), tmp_path / f"{name}.html").read_text()
        assert "<h3>" not in page


def test_images(tmp_path: Path, person: Person) -> None:
    flat = person(frames=30, layout="penn13", name="a", label="walk")
    valid = flat.valid.copy()
    valid[3:, :, 9] = False
    store = save(tmp_path, flat.layout, replace(flat, valid=valid))
    page = write_inspection(store, inspect_store(store), tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Joints that are not seen" not in page  # that is in the picture
    assert "Share of bodies that lack the joint" in page


def test_only_html(tmp_path: Path, person: Person) -> None:
    store = save(tmp_path, get_layout("kinect20"), person(name="a"))
    with pytest.raises(ConfigError, match=r"\.html"):
        write_inspection(store, inspect_store(store), tmp_path / "page.pdf")


def test_texts_of_the_plots(tmp_path: Path, person: Person, texts: Callable[[Path], list[str]]) -> None:
    out = tmp_path / "plot.svg"
    plot_lengths([1, 5, 20, 400], out, {"19: all": 19})
    assert {"19: all", "frames (log scale)", "5", "100"} <= set(texts(out))
    plot_counts({f"class {n}": n for n in range(50)}, out, "Classes", "recordings")
    shown = texts(out)
    assert {"class 49", "class 0"} <= set(shown)
    assert "class 25" not in shown
    assert any("20 largest" in text for text in shown)
    recording = person(frames=9, segments=(Segment(0, 1, "walk"), Segment(1, 9, "fall")))
    plot_timeline(recording, [0], out)
    assert {"walk", "fall", "1 at 0"} <= set(texts(out))
    plot_on_skeleton(recording, {"head": 0.25, "pelvis": 0.0}, out, "Unseen", "% of bodies", "y")
    assert "head 25%" in texts(out)
    assert not any(text.startswith("pelvis") for text in texts(out))
    plot_bones(recording, out, "Bones")
    assert "length over its median" in texts(out)
    plot_strip(recording, [2, 3, 4], out, "y", 3, (0, 5))
    assert {"frame 2", "frame 3", "frame 4"} <= set(texts(out))


def test_a_strip_of_nobody(tmp_path: Path, person: Person) -> None:
    recording = person(frames=4)
    with pytest.raises(DataError, match="nothing to draw"):
        plot_strip(replace(recording, valid=np.zeros_like(recording.valid)), [0, 1], tmp_path / "a.png", "y")


def test_pictures_stand_upright(person: Person) -> None:
    recording = person()
    lying = replace(recording, positions=np.roll(recording.positions, 1, axis=-1))  # z is up
    head = recording.layout.index("head")
    assert upright(lying, "z").positions[0, 0, head, 1] == recording.positions[0, 0, head, 1]
    assert upright(lying, "unclear") is lying
