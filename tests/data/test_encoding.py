"""Positions in half the bytes: off by no more than is said, the same again when written again, or refused."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import make, recordings
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from factories import JOINTS, LAYOUT, small_store, tiny
from hitrs.cli.main import main
from hitrs.data import Recording, Segment, Store, import_dataset, inspect_store, write_npz, write_store
from hitrs.data.cleaning import ToMeters, clean_store
from hitrs.data.cutting import cut_store
from hitrs.data.encoding import COARSEST, decode, encode
from hitrs.data.inspection.motion import body_size
from hitrs.data.recording import LARGEST
from hitrs.data.writer import header_checksum
from hitrs.errors import ConfigError, DataError
from hitrs.files import sha256_of
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.models.features import collect, recording_features
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

COORDINATES = st.floats(-LARGEST, LARGEST, width=32)


def exactly(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64)


@given(arrays(np.float32, (2, 1, JOINTS, 3), elements=COORDINATES))
def test_no_coordinate_is_off_by_more_than_half_the_scale(positions: np.ndarray) -> None:
    recording = Recording(positions, layout=LAYOUT)
    size = body_size(recording.positions, recording.valid)
    try:
        stored, scale = encode(recording, "int16")
    except DataError:  # only where the rounding would be seen: half a scale is at most farthest / 32767
        assert np.abs(positions).max() / 32767 > COARSEST * size > 0
        return
    assert stored.dtype == np.int16
    assert np.log2(scale) == round(np.log2(scale))
    back = decode(stored, scale)
    assert back.dtype == np.float32
    assert np.abs(exactly(back) - exactly(positions)).max() <= scale / 2
    if np.abs(positions).max() > 1e-30:  # the smallest power of two that fits
        assert np.abs(exactly(positions)).max() > 32767 * scale / 2
    again, same = encode(replace(recording, positions=back), "int16")
    assert same == scale or not back.any()
    np.testing.assert_array_equal(decode(again, same), back)


@given(arrays(np.float32, (1, 1, JOINTS, 3), elements=COORDINATES))
def test_float32_is_stored_as_it_is(positions: np.ndarray) -> None:
    stored, scale = encode(Recording(positions, layout=LAYOUT), "float32")
    assert scale == 1
    np.testing.assert_array_equal(decode(stored, scale), positions)


@settings(max_examples=25)
@given(st.lists(recordings(), min_size=1, max_size=3))
def test_round_trip(items: list[Recording]) -> None:
    for number, item in enumerate(items):
        item.name = str(number)
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder) / "half", items, dtype="int16")
        for item, back in zip(items, store, strict=True):
            assert back.positions.dtype == np.float32
            assert np.abs(exactly(back.positions) - exactly(item.positions)).max() <= store.rounding
            np.testing.assert_array_equal(back.valid, item.valid)
            assert not back.positions[~back.valid].any()
        again = write_store(Path(folder) / "again", store, classes=store.classes, dtype="int16")
        assert again.fingerprint == store.fingerprint
        del store, again, back


def split(recording: Recording) -> str:
    return "train" if recording.name.startswith("train") else "test"


@pytest.fixture
def half(tmp_path: Path) -> Store:
    items = [make("train", seed=1), make("test copy", seed=1), make("test other", seed=2)]
    return write_store(tmp_path / "half", items, protocols={"p": split}, dtype="int16")


def test_half_the_bytes_and_what_is_said_of_them(half: Store, tmp_path: Path) -> None:
    whole = write_store(tmp_path / "whole", half, protocols={"p": split})
    size = {store.path.name: (store.path / "shards/00000").glob("positions.*") for store in (whole, half)}
    sizes = {name: next(files).stat().st_size for name, files in size.items()}
    assert sizes["half"] == sizes["whole"] / 2 == 3 * 5 * 20 * 3 * 2
    header = json.loads((half.path / "store.json").read_text())
    assert (header["version"], header["dtype"], header["rounding"]) == (3, "int16", half.rounding)
    assert 0 < half.rounding < 1e-4
    assert (whole.dtype, whole.rounding) == ("float32", 0)
    inspection = inspect_store(half)
    assert (inspection.dtype, inspection.rounding) == ("int16", half.rounding)
    said = f"int16, coordinates are rounded by at most {half.rounding:.3g}"
    assert any(said in line for line in inspection.lines())
    assert not any("rounded" in line for line in inspect_store(whole).lines())


def test_a_store_of_float32_is_what_earlier_releases_read(tmp_path: Path) -> None:
    header = json.loads((write_store(tmp_path / "s", [make()]).path / "store.json").read_text())
    assert header["version"] == 2
    assert not {"dtype", "rounding"} & set(header)
    assert "scales.npy" not in header["files"]


def test_copies_are_found_in_either_kind(half: Store, tmp_path: Path) -> None:
    assert half.duplicates("p").tolist() == [1]
    whole = write_store(tmp_path / "whole", half)
    np.testing.assert_array_equal(whole.digests, half.digests)  # of what they give, which is the same


def test_positions_cannot_be_changed(half: Store) -> None:
    with pytest.raises(ValueError, match="read-only"):
        half.positions(0)[:] = 0


def test_a_body_that_would_be_rounded_visibly_is_refused(tmp_path: Path) -> None:
    far = make("far")
    far.positions[2, 0, 3] = 5000
    with pytest.raises(DataError, match=r"'far' does not fit int16: a coordinate of 5000 .*--dtype float32"):
        write_store(tmp_path / "s", [make(), far], dtype="int16")
    assert not list(tmp_path.iterdir())
    away = Recording(make().positions + np.float32(20), layout="kinect20")  # in a corner of a large hall
    assert write_store(tmp_path / "s", [away], dtype="int16").rounding < 1e-3
    mouse = Recording(make().positions[:, :, :17, :2] + np.float32(4000), layout="coco17")
    assert write_store(tmp_path / "pixels", [mouse], dtype="int16").rounding == 1 / 16
    nobody = Recording(np.full((3, 20, 3), np.nan), layout="kinect20")
    point = Recording(np.full((3, 20, 3), 7e6), layout="kinect20")
    assert write_store(tmp_path / "t", [nobody, replace(point, name="point")], dtype="int16").rounding > 0


def test_an_import_leaves_out_what_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    far = make("far")
    far.positions[2, 0, 3] = 5000
    for recording in (make("near"), far):
        write_npz(recording, tmp_path / "files" / f"{recording.name}.npz")
    words = ["import", str(tmp_path / "files"), str(tmp_path / "half"), "--dtype", "int16"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "'far' does not fit int16" in out
    assert "positions   int16, coordinates are rounded by at most" in out
    assert len(Store.open(tmp_path / "half")) == 1


def test_synthetic_motion(tmp_path: Path) -> None:
    assert main(["import", "synthetic", str(tmp_path / "s"), "--size", "tiny", "--dtype", "int16"]) == 0
    store = Store.open(tmp_path / "s", verify=True)
    assert (store.dtype, store.rounding) == ("int16", 2.0**-13)  # 0.12 mm, up to 8 m away


def test_an_interrupted_import_goes_on_as_it_began(tmp_path: Path) -> None:
    write_npz(make(), tmp_path / "files" / "a.npz")
    options = {"test_subjects": ("nobody",)}
    with pytest.raises(DataError, match="is kept"):
        import_dataset(tmp_path / "files", tmp_path / "s", **options)
    with pytest.raises(DataError, match="it had another dtype since"):
        import_dataset(tmp_path / "files", tmp_path / "s", dtype="int16")


def test_another_type_is_told(tmp_path: Path) -> None:
    for refused in (
        lambda: write_store(tmp_path / "s", [make()], dtype="float64"),  # type: ignore[arg-type]
        lambda: import_dataset(tmp_path, tmp_path / "s", dtype="float64"),
    ):
        with pytest.raises(ConfigError, match="stored as float32 or int16, not as 'float64'"):
            refused()


def test_cut_and_clean_keep_it_unless_told(tmp_path: Path) -> None:
    item = make("a", frames=20, fps=10.0, segments=(Segment(2, 9, "walk"), Segment(9, 20, "sit")))
    half = write_store(tmp_path / "half", [item], dtype="int16")
    pieces = cut_store(half.path, tmp_path / "pieces")
    assert pieces.dtype == "int16"
    np.testing.assert_array_equal(  # nothing is rounded twice
        np.concatenate([pieces.positions(n) for n in range(2)]), half.positions(0)[2:]
    )
    assert cut_store(half.path, tmp_path / "whole", dtype="float32").dtype == "float32"
    cleaned = clean_store(half.path, tmp_path / "cleaned", [ToMeters("cm")])
    assert cleaned.dtype == "int16"
    np.testing.assert_allclose(cleaned.positions(0), half.positions(0) / 100, rtol=0, atol=cleaned.rounding)
    assert cleaned.raw is not None
    np.testing.assert_array_equal(cleaned.raw.positions(0), half.positions(0))
    assert main(["cut", str(cleaned.path), str(tmp_path / "cut"), "--dtype", "float32"]) == 0
    assert Store.open(tmp_path / "cut").dtype == "float32"


def _forge(store: Store, change: Callable[[dict], object]) -> None:
    header = json.loads((store.path / "store.json").read_text())
    change(header)
    for name, facts in header["files"].items():
        file = store.path / name
        facts.update(bytes=file.stat().st_size, sha256=sha256_of(file))
    header["sha256"] = header_checksum(header)
    (store.path / "store.json").write_text(json.dumps(header))


@pytest.mark.parametrize("scale", [0, -1, 0.3, np.nan, np.inf, 1e30])
def test_a_hostile_scale_is_refused(half: Store, scale: float) -> None:
    np.save(half.path / "scales.npy", np.array([half._scales[0], scale, half._scales[2]], "<f4"))
    _forge(half, lambda header: None)
    with pytest.raises(DataError, match="scales do not fit"):
        Store.open(half.path)


@pytest.mark.parametrize(
    "change", [{"dtype": "float32"}, {"dtype": []}, {"dtype": "int8"}, {"version": 2}, {"rounding": "none"}]
)
def test_a_hostile_header_is_refused(half: Store, change: dict) -> None:
    _forge(half, lambda header: header.update(change))
    with pytest.raises(DataError, match="is malformed"):
        Store.open(half.path)


def test_features_hardly_change(tmp_path: Path) -> None:
    whole = small_store(tmp_path / "whole")
    half = write_store(tmp_path / "half", whole, dtype="int16")
    torch.manual_seed(0)
    config = tiny()
    encoder, card = HiTRS(config, JOINTS).eval(), ModelCard(config, LAYOUT)
    features = []
    for store in (whole, half):
        dataset = SkeletonDataset(store, range(len(store)), LAYOUT, PreprocessingConfig())
        features.append(collect(partial(recording_features, encoder, card=card), encoder, dataset))
    spread = features[0].std(0)
    assert not np.array_equal(features[0], features[1])
    assert (np.abs(features[1] - features[0]) <= 0.005 * spread.max()).all()
