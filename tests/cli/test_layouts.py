"""``hitrs layouts``, and the page that shows the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hitrs.cli.main import main
from hitrs.skeleton import get_layout, list_layouts

PAGE = Path(__file__).parents[2] / "docs" / "layouts.md"
OWN = """
name: tracker
about: two hands and a head
center: pelvis
joints:
  - [pelvis, pelvis]
  - [head, pelvis]
  - [left_hand, pelvis]
  - [right_hand, pelvis]
"""


def test_the_table_names_every_layout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layouts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(list_layouts())
    for line in lines[1:]:
        layout = get_layout(line.split()[0])
        assert line.split(maxsplit=3)[1:] == [str(layout.n_joints), str(layout.dims), layout.about]


def test_the_joints_of_a_layout_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tracker.yaml").write_text(OWN)
    picture = tmp_path / "tracker.png"
    assert main(["layouts", str(tmp_path / "tracker.yaml"), "--picture", str(picture)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["tracker:", "two", "hands", "and", "a", "head"]
    assert ["0", "pelvis"] in lines
    assert ["2", "left_hand", "pelvis", "right_hand"] in lines
    with Image.open(picture) as drawn:
        assert drawn.width > 500


def test_a_layout_that_is_not_there(tmp_path: Path, fails) -> None:
    assert "did you mean 'ntu25'" in fails("layouts", "ntu52")
    assert "plot is a file with the suffix" in fails("layouts", "--picture", tmp_path / "all.jpg")


@pytest.mark.parametrize("name", list_layouts())
def test_the_page_has_the_joints_in_order(name: str) -> None:
    layout = get_layout(name)
    row = f"| `{name}` | {layout.n_joints} | {layout.dims} | {layout.about} | {', '.join(layout.joints)} |"
    assert row in PAGE.read_text(encoding="utf-8").splitlines()
