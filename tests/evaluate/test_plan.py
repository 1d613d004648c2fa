"""Plans: what a file stands for, and what is wrong with a wrong one."""

import pytest

from hitrs.errors import ConfigError
from hitrs.evaluate.plan import read_plan

HEAD = "name: table\ncells:\n"


def plan(tmp_path, cells: str):
    path = tmp_path / "plan.yaml"
    path.write_text(HEAD + cells)
    return read_plan(path)


def test_lists_stand_for_one_cell_per_value(tmp_path):
    found = plan(
        tmp_path,
        "  - {do: pretrain, store: s, protocol: p}\n"
        "  - {do: finetune, store: s, protocol: p, from: [null, pretrain-s-joint-s0], fraction: [0.01, 0.1],"
        " draw: [0, 1, 2], set: {finetune.steps: 5}}\n",
    )
    assert len(found.cells) == 1 + 2 * 2 * 3
    assert len({cell.name for cell in found.cells}) == len(found.cells)
    assert found.cells[1].settings == (("finetune.steps", 5),)
    assert found.cells[-1].needs == ("pretrain-s-joint-s0",)


def test_a_recognizer_is_tested_on_several_layouts(tmp_path):
    found = plan(
        tmp_path,
        "  - {do: finetune, store: s, protocol: p}\n"
        "  - {do: layout, store: s, protocol: p, seen_as: [ntu25, smpl24],"
        " from: finetune-s-joint-scratch-s0}\n",
    )
    assert [cell.name for cell in found.cells[1:]] == [
        "layout-s-joint-as-ntu25-from-finetune-s-joint-scratch-s0-s0",
        "layout-s-joint-as-smpl24-from-finetune-s-joint-scratch-s0-s0",
    ]
    assert found.cells[1].needs == ("finetune-s-joint-scratch-s0",)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("  - {do: guess, store: s, protocol: p}\n", "`do` must be one of"),
        ("  - {do: pretrain, store: s, protocol: p, colour: red}\n", "unknown key colour"),
        ("  - {do: pretrain, store: s}\n", "needs do, store and protocol"),
        ("  - {do: probe, store: s, protocol: p, from: nothing}\n", "needs nothing, which is not a cell"),
        ("  - {do: pretrain, store: s, protocol: p}\n" * 2, "two cells are called"),
        ("  - {do: layout, store: s, protocol: p, seen_as: ntu25}\n", "needs seen_as and from"),
        ("  - [\n", "not YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, cells, message):
    with pytest.raises(ConfigError, match=message):
        plan(tmp_path, cells)


def test_a_missing_plan_is_said(tmp_path):
    with pytest.raises(ConfigError, match="there is no plan"):
        read_plan(tmp_path / "none.yaml")
