"""CMU motion prediction: parts by folder, extra walks in neither, and the real folder."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from hitrs.data.catalog.cmu_motion import ENTRY, find
from hitrs.data.catalog.dataset import Facts
from hitrs.data.recording import Recording
from hitrs.errors import DataError


def made(folder: Path, columns: int = 117) -> Path:
    for name in (
        "train/walking/walking_1", "train/walking/walking_10", "train/walking/walking_2",
        "train/walking_extra/walking_1", "train/directing_traffic/directing_traffic_4",
        "test/walking/walking_1", "test/walking_extra/walking_1",
    ):  # fmt: skip
        path = folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((",".join(["0"] * columns) + "\n") * 3)
    (folder / "LICENSE").write_text("terms")
    (folder / "train" / "walking" / "readme_1.txt").write_text("not one")
    return folder


def facts(recording: Recording) -> Facts:
    return Facts(
        name=recording.name,
        source=recording.source,
        frames=1,
        persons=1,
        digest=0,
        seen=0,
        part=recording.part,
    )


def test_parts_and_names(tmp_path: Path) -> None:
    found = find(made(tmp_path))
    assert found is not None
    recordings = [recording for source in found.sources for recording in source.read()]
    names = [recording.name for recording in recordings]
    assert names == [
        "train_directing_traffic_4", "train_walking_1", "train_walking_2", "train_walking_10",
        "train_extra_walking_1", "test_walking_1", "test_extra_walking_1",
    ]  # fmt: skip
    assert Counter(recording.label for recording in recordings) == {"walking": 6, "directing traffic": 1}
    assert recordings[1].source == "train/walking/walking_1.txt"
    splits, _ = found.split([facts(recording) for recording in recordings])
    assert splits["train-test"] == ["train", "train", "train", "train", None, "test", None]
    assert splits["train-test-extra"] == ["train"] * 5 + ["test"] * 2
    assert set(splits) == set(ENTRY.protocols)
    assert "2 extra walks" in found.notes[0]


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    assert find(made(tmp_path / "h36m", columns=99)) is None
    assert find(made(tmp_path / "other", columns=3)) is None


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    found = find(made(tmp_path))
    assert found is not None
    last = found.sources[-1]
    last.path.write_text(",".join(["0"] * 99) + "\n")
    with pytest.raises(DataError, match="117 of CMU"):
        last.read()


def test_real_folder(hitrs_data: Callable[[str], Path]) -> None:
    found = find(hitrs_data("cmu_expmap"))
    assert found is not None
    count = Counter("/".join(source.path.parts[-3:-1]) for source in found.sources)
    assert (len(found.sources), count["train/walking_extra"], count["test/walking_extra"]) == (96, 40, 18)
    (recording,) = found.sources[0].read()
    assert (recording.name, recording.label, recording.fps) == ("train_basketball_1", "basketball", 120.0)
