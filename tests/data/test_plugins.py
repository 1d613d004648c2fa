"""Entry points of other packages: good ones are used, bad ones are told and stop nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from hitrs.data.formats import registry
from hitrs.data.formats.format import Format
from hitrs.plugins import PluginWarning, load_plugins

MODULE = """
from hitrs.data.formats.format import Format

GOOD = Format("studio", "files of a studio", (".studio",), lambda head: True, lambda path, layout: [])
NPZ = Format("npz", "another npz", (".npz",), lambda head: True, lambda path, layout: [])
TEXT = "no format"
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``package(name, points...)`` installs a package with entry points in hitrs.formats on a path."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "studio_of_tests.py").write_text(MODULE)
    (site / "broken_of_tests.py").write_text("raise OSError('no license server')")
    monkeypatch.syspath_prepend(str(site))

    def install(name: str, *points: str) -> None:
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[hitrs.formats]", *points]) + "\n")

    return install


def names() -> list[str]:
    return [each.name for each in load_plugins("hitrs.formats", Format, {"npz"})]


def test_a_good_plugin_is_found(package, tmp_path: Path) -> None:
    package("studio", "studio = studio_of_tests:GOOD")
    assert names() == ["studio"]
    formats = registry._packaged_formats.__wrapped__()
    assert formats[-1].name == "studio"  # asked last


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ("a = broken_of_tests:GOOD", r"'a' \(hitrs.formats\) of bad cannot be loaded.*no license server"),
        ("a = no_such_module:GOOD", "of bad cannot be loaded.*no_such_module"),
        ("a = studio_of_tests:MISSING", "of bad cannot be loaded.*MISSING"),
        ("a = studio_of_tests:TEXT", "of bad is str, expected Format"),
        ("a = studio_of_tests:NPZ", "of bad is named 'npz', which is taken"),
    ],
)
def test_a_bad_plugin_only_warns(package, point: str, message: str) -> None:
    package("bad", point)
    package("studio", "studio = studio_of_tests:GOOD")
    with pytest.warns(PluginWarning, match=message):
        assert names() == ["studio"]


def test_of_two_plugins_of_one_name_the_first_is_used(package) -> None:
    package("one", "a = studio_of_tests:GOOD")
    package("two", "b = studio_of_tests:GOOD")
    with pytest.warns(PluginWarning, match="'b' .* of two is named 'studio', which is taken"):
        assert names() == ["studio"]
