"""Human3.6M motion prediction: subjects, actions and protocols, from synthetic files."""

from pathlib import Path

import pytest

from hitrs.data.catalog.dataset import Facts
from hitrs.data.catalog.human36m import CLASSES, ENTRY, SEQUENCES, find
from hitrs.errors import DataError


def made(folder: Path, columns: int = 99) -> Path:
    for subject in (1, 5, 6, 11):
        for action in ("walking_1", "walkingdog_2", "dancing_1", "walking_3"):
            path = folder / f"S{subject}" / f"{action}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text((",".join(["0"] * columns) + "\n") * 3)
    return folder


@pytest.mark.parametrize("below", ["", "dataset"])
def test_subjects_and_protocols(tmp_path: Path, below: str) -> None:
    made(tmp_path / below)
    found = find(tmp_path)
    assert found is not None
    recordings = [recording for source in found.sources for recording in source.read()]
    assert [recording.name for recording in recordings] == [
        f"S{subject}_{action}" for subject in (1, 5, 6, 11) for action in ("walking_1", "walkingdog_2")
    ]
    assert recordings[1].label == "walkingdog"
    assert recordings[0].source == f"{below}/S1/walking_1.txt".lstrip("/")
    assert (recordings[0].layout.name, recordings[0].fps) == ("h36m32", 50.0)
    facts = [
        Facts(name=each.name, source=each.source, frames=3, persons=1, digest=0, seen=0, subject=each.subject)
        for each in recordings
    ]
    splits, _ = found.split(facts)
    assert splits["subject-5"] == ["train"] * 2 + ["test"] * 2 + ["train"] * 2 + [None] * 2
    assert splits["validation"] == ["train"] * 2 + [None] * 2 + ["train"] * 2 + ["test"] * 2
    assert set(splits) == set(ENTRY.protocols)
    assert found.notes == ["the whole data set has 210 sequences, 8 are here"]


def test_counts() -> None:
    assert (len(CLASSES), SEQUENCES) == (15, 210)


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    assert find(made(tmp_path, columns=3)) is None


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    found = find(made(tmp_path))
    assert found is not None
    found.sources[0].path.write_text(",".join(["0"] * 117) + "\n")
    with pytest.raises(DataError, match=r"99 of Human3\.6M"):
        found.sources[0].read()
