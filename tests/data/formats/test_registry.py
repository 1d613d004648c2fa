"""Every format that is listed is there, and each is asked for once; formats of others, and their defects."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hitrs
from hitrs.data import Recording, import_dataset
from hitrs.data.formats import registry
from hitrs.data.formats.format import Format, Head, one
from hitrs.data.inspection.inspect import opened
from hitrs.errors import ConfigError, DataError
from hitrs.skeleton import Layout

FRAMES = np.ones((3, 20, 3))


def read_dots(path: Path, layout: Layout | None) -> Recording:
    return Recording(FRAMES, layout=layout or "kinect20", name=path.stem)


def broken(*_: object) -> None:
    raise ZeroDivisionError("by nothing")


def breaks_later(path: Path, layout: Layout | None) -> Iterator[Recording]:
    yield read_dots(path, layout)
    broken()


DOTS = Format("dots", "our tracker", (".dots",), lambda head: head.text.startswith("dots"), one(read_dots))


@pytest.fixture
def dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of a format that is registered for one test."""
    monkeypatch.setattr(registry, "_registered", {})
    hitrs.register_format(DOTS)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.dots").write_text("dots")
    return tmp_path / "files"


def test_a_registered_format_is_read_everywhere(dots: Path) -> None:
    assert hitrs.read_recording(dots / "a.dots").n_frames == 3
    assert import_dataset(dots, dots.parent / "store")[0].name == "a"
    assert registry.get_format("dots") is DOTS
    hitrs.register_format(replace(DOTS, title="another"))
    assert registry.get_format("dots").title == "another"


def test_the_example_reads_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    example = doctest.DocTestParser().get_doctest(hitrs.register_format.__doc__, {}, "example", None, None)
    assert doctest.DocTestRunner().run(example, clear_globs=False).failed == 0
    path = tmp_path / "a.dots"
    path.write_text("dots\n" + "1 2 3 " * 20 + "\n" + "4 5 6 " * 20, encoding="utf-8")
    assert hitrs.read_recording(path).positions[:, 0, 7].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_what_cannot_be_registered() -> None:
    with pytest.raises(ConfigError, match="must be a Format, got function"):
        hitrs.register_format(read_dots)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="file format 'npz' already"):
        hitrs.register_format(replace(DOTS, name="npz"))


@pytest.mark.parametrize("defect", [{"read": broken}, {"read": breaks_later}, {"matches": broken}])
def test_a_reader_that_fails_is_reported_like_a_damaged_file(dots: Path, defect: dict) -> None:
    hitrs.register_format(replace(DOTS, **defect))
    message = r"a\.dots: its reader failed \(ZeroDivisionError: by nothing\)"
    with pytest.raises(DataError, match=message):
        list(registry.read_recordings(dots / "a.dots"))
    with pytest.raises(DataError, match=message), opened(dots, None, None):
        pass
    np.savez(dots / "good.npz", positions=FRAMES, layout="kinect20")
    with opened(dots, None, None) as store:
        assert [item["source"] for item in store.meta["quarantined"]] == ["a.dots"]
        assert "good" in [recording.name for recording in store]


def test_a_format_that_is_named_is_not_asked_whether_it_matches(dots: Path) -> None:
    hitrs.register_format(replace(DOTS, matches=broken))
    assert registry.find_format(dots / "a.dots", "dots") is not None
    assert Head.of(dots / "a.dots").text == "dots"
    assert len(list(registry.read_recordings(dots / "a.dots", "kinect20", "dots"))) == 1


def test_every_listed_module_is_a_format() -> None:
    found = registry.all_formats()
    assert len(found) >= len(registry._MODULES)
    assert len({each.name for each in found}) == len(found)
    assert {"ntu", "bvh", "c3d", "mediapipe", "pyskl", "csv"} <= {each.name for each in found}


def test_a_listed_module_that_is_missing_is_no_silent_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_MODULES", ("npz", "nobody_wrote_this"))
    with pytest.raises(ModuleNotFoundError, match="nobody_wrote_this"):
        registry._packaged_formats.__wrapped__()
    monkeypatch.setattr(registry, "_MODULES", ("npz", "json_text"))  # a module without FORMAT
    with pytest.raises(AttributeError, match="FORMAT"):
        registry._packaged_formats.__wrapped__()


def test_numbers_beyond_all_bounds_are_refused_without_a_warning(dots: Path, monkeypatch) -> None:
    def overflows(path: Path, layout: Layout | None) -> Recording:
        return Recording(FRAMES * 1e300 * np.float64(1e300), layout="kinect20")

    monkeypatch.setitem(registry._registered, "dots", replace(DOTS, read=one(overflows)))
    with pytest.raises(DataError, match="a valid joint needs finite ones"):
        hitrs.read_recording(dots / "a.dots")
    with pytest.warns(RuntimeWarning, match="overflow"):  # of others it is still told
        np.float64(1e300) * np.float64(1e300)
