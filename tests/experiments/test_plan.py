"""Plans: what a file stands for, and what is wrong with a wrong one."""

import pytest

from hitrs.errors import ConfigError
from hitrs.experiments.plan import read_plan

HEAD = "name: table\ncells:\n"


def plan(tmp_path, cells: str, head: str = HEAD):
    path = tmp_path / "plan.yaml"
    path.write_text(head + cells)
    return read_plan(path)


def test_lists_stand_for_one_cell_per_value(tmp_path):
    cells = plan(
        tmp_path,
        "  - {do: pretrain, store: s, protocol: p}\n"
        "  - {do: finetune, store: s, protocol: p, from: [null, pretrain-s-joint-s0],"
        " label_fraction: [0.01, 0.1], label_subset: [0, 1, 2], set: {recognize.optim.steps: 5}}\n",
    ).cells
    assert len(cells) == 1 + 2 * 2 * 3
    assert len({cell.name for cell in cells}) == len(cells)
    assert cells[1].settings == (("recognize.optim.steps", 5),)
    assert cells[1].source is None
    assert cells[-1].source is cells[0]
    assert cells[-1].name == "finetune-s-joint-from-pretrain-s-joint-s0-10pct-d2-s0"


def test_cells_refer_to_each_other_by_id_in_any_order(tmp_path):
    ensemble, joint, bone, encoder = plan(
        tmp_path,
        "  - {do: ensemble, store: s, protocol: p, of: [joint, bone]}\n"
        "  - {do: finetune, id: joint, store: s, protocol: p}\n"
        "  - {do: finetune, id: bone, store: s, protocol: p, from: encoder}\n"
        "  - {do: pretrain, id: encoder, store: s, protocol: p, stream: bone}\n",
    ).cells
    assert ensemble.of == (joint, bone)
    assert bone.source is encoder
    assert bone.stream == "bone"  # that of the encoder
    assert bone.name == "finetune-s-bone-from-pretrain-s-bone-s0-s0"


def test_the_id_of_several_cells_stands_for_each_of_them(tmp_path):
    first, second, *probes, ensemble = plan(
        tmp_path,
        "  - {do: pretrain, id: encoder, store: s, protocol: p, seed: [0, 1]}\n"
        "  - {do: probe, store: s, protocol: p, from: encoder, label_fraction: [0.1, 1.0]}\n"
        "  - {do: finetune, id: tuned, store: s, protocol: p, from: encoder}\n"
        "  - {do: ensemble, store: s, protocol: p, of: tuned}\n",
    ).cells
    *probes, first_tuned, second_tuned = probes
    assert [(cell.source, cell.label_fraction) for cell in probes] == [
        *((first, 0.1), (first, 1.0)),
        *((second, 0.1), (second, 1.0)),
    ]
    assert ensemble.of == (first_tuned, second_tuned)
    assert (first_tuned.source, second_tuned.source) == (first, second)


def test_a_recognizer_is_tested_on_several_layouts(tmp_path):
    recognizer, *layouts = plan(
        tmp_path,
        "  - {do: finetune, store: s, protocol: p}\n"
        "  - {do: layout, store: s, protocol: p, seen_as: [ntu25, smpl24],"
        " from: finetune-s-joint-scratch-s0}\n",
    ).cells
    assert [cell.name for cell in layouts] == [
        "layout-s-joint-as-ntu25-from-finetune-s-joint-scratch-s0-s0",
        "layout-s-joint-as-smpl24-from-finetune-s-joint-scratch-s0-s0",
    ]
    assert layouts[0].source is recognizer


def test_folds_are_formatted_into_the_protocol_and_share_a_group(tmp_path):
    cells = plan(
        tmp_path,
        '  - {do: finetune, task: detection, store: s, protocol: "leave-script-{fold}-out", fold: [1, 12]}\n'
        "  - {do: finetune, store: s, protocol: 'leave-{fold}-out', fold: [anna, ben]}\n"
        "  - {do: finetune, store: s, protocol: leave-2-out}\n",
    ).cells
    assert [cell.protocol for cell in cells] == [
        *("leave-script-1-out", "leave-script-12-out"),
        *("leave-anna-out", "leave-ben-out"),
        "leave-2-out",
    ]
    assert [cell.fold_group for cell in cells] == [
        *["leave-script-each-out"] * 2,
        *["leave-each-out"] * 2,
        "leave-2-out",
    ]
    assert [cell.name for cell in cells] == [
        "detection-s-leave-script-1-out-joint-scratch-s0",
        "detection-s-leave-script-12-out-joint-scratch-s0",
        "finetune-s-leave-anna-out-joint-scratch-s0",
        "finetune-s-leave-ben-out-joint-scratch-s0",
        "finetune-s-joint-scratch-s0",
    ]


PRETRAIN = "  - {do: pretrain, id: e, store: s, protocol: p"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("  - {do: guess, store: s, protocol: p}\n", "cell 1: `do` must be one of"),
        ("  - [1, 2]\n", "`do` must be one of"),
        ("  - {do: neighbors, store: s, protocol: p}\n", "neighbors is called knn now"),
        (
            "  - {do: finetune, store: s, protocol: p, fraction: 0.1}\n",
            "fraction is called label_fraction now",
        ),
        ("  - {do: finetune, store: s, protocol: p, draw: 1}\n", "draw is called label_subset now"),
        ("  - {do: pretrain, store: s, protocol: p, color: red}\n", "unknown key color"),
        ("  - {do: pretrain, store: s, protocol: p, label_fraction: 0.1}\n", "unknown key label_fraction"),
        ("  - {do: pretrain, store: s}\n", "needs store, protocol; protocol is missing"),
        ("  - {do: finetune, task: detecting, store: s, protocol: p}\n", "'detecting'"),
        ("  - {do: probe, store: s, protocol: p, from: nothing}\n", "needs nothing, which is not a cell"),
        ("  - {do: probe, store: s, protocol: p, from: [null]}\n", "needs from; it cannot be null"),
        ("  - {do: pretrain, store: s, protocol: p}\n" * 2, "two cells are called"),
        (PRETRAIN + "}\n" + PRETRAIN + ", seed: 1}\n", "the id e is taken"),
        (
            PRETRAIN + "}\n  - {do: finetune, store: s, protocol: p, stream: bone, from: e}\n",
            "the stream is bone, but pretrain-s-joint-s0 was trained on joint",
        ),
        (
            PRETRAIN + "}\n  - {do: ensemble, store: s, protocol: p, of: [e]}\n",
            "is no finetune or convolutions",
        ),
        ("  - {do: layout, store: s, protocol: p, seen_as: ntu25}\n", "from is missing"),
        (
            "  - {do: finetune, task: prediction, id: m, store: s, protocol: p}\n"
            "  - {do: ensemble, store: s, protocol: p, of: [m]}\n",
            "models for prediction cannot be evaluated together",
        ),
        (
            "  - {do: finetune, task: prediction, id: m, store: s, protocol: p}\n"
            "  - {do: layout, store: s, protocol: p, from: m, seen_as: ntu25}\n",
            "models for prediction cannot be tested on another joint layout",
        ),
        ("  - {do: finetune, store: s, protocol: 'p-{fold}'}\n", "`fold` goes with"),
        ("  - {do: finetune, store: s, protocol: p, fold: 1}\n", "`fold` goes with"),
        (
            "  - {do: finetune, store: s, protocol: p, set: {finetune.steps: 5}}\n",
            "cell 1: .*'finetune.steps' is 'recognize.optim.steps'",
        ),
        ("  - {do: finetune, store: s, protocol: p, set: 5}\n", "`set` must be a section"),
        ("  - [\n", "not YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, cells, message):
    with pytest.raises(ConfigError, match=message):
        plan(tmp_path, cells)


def test_settings_of_the_whole_plan_are_checked(tmp_path):
    head = "name: table\nset: {pretrain.steps: 3}\ncells:\n"
    with pytest.raises(ConfigError, match=r"pretrain\.optim\.steps"):
        plan(tmp_path, "  - {do: pretrain, store: s, protocol: p}\n", head)


def test_a_missing_plan_is_said(tmp_path):
    with pytest.raises(ConfigError, match="there is no plan"):
        read_plan(tmp_path / "none.yaml")
