"""Every format that is listed is there, and each is asked for once."""

from __future__ import annotations

import pytest

from hitrs.data.formats import registry


def test_every_listed_module_is_a_format() -> None:
    found = registry.all_formats()
    assert len(found) >= len(registry._MODULES)
    assert len({each.name for each in found}) == len(found)
    assert {"ntu", "bvh", "c3d", "mediapipe", "pyskl", "csv"} <= {each.name for each in found}


def test_a_listed_module_that_is_missing_is_no_silent_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_MODULES", ("npz", "nobody_wrote_this"))
    with pytest.raises(ModuleNotFoundError, match="nobody_wrote_this"):
        registry.all_formats.__wrapped__()
    monkeypatch.setattr(registry, "_MODULES", ("npz", "json_text"))  # a module without FORMAT
    with pytest.raises(AttributeError, match="FORMAT"):
        registry.all_formats.__wrapped__()
