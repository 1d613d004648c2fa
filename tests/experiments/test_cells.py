"""A small table from end to end: cells run once, are continued, and become a table."""

import json

import numpy as np
import pytest

from factories import small_store
from hitrs.data.protocol import protocol_split
from hitrs.data.store import Store
from hitrs.data.synthetic import make_synthetic
from hitrs.errors import DataError
from hitrs.experiments.label_subsets import write_label_subsets
from hitrs.experiments.results import Result, read_results
from hitrs.experiments.tables import markdown_table
from hitrs.models.encoder import HiTRS
from hitrs.skeleton.layout import get_layout

SIZES = """
config: tiny
set:
  model.width: 8
  model.layers: 1
  pretrain.optim.steps: 2
  pretrain.optim.batch_size: 4
  recognize.optim.steps: 2
  recognize.optim.batch_size: 4
"""
PLAN = f"""
name: small-table
{SIZES}
cells:
  - {{do: knn, store: nw-ucla, protocol: subjects}}
  - {{do: convolutions, id: convolutions, store: nw-ucla, protocol: subjects}}
  - {{do: pretrain, id: encoder, store: nw-ucla, protocol: subjects}}
  - {{do: probe, store: nw-ucla, protocol: subjects, from: encoder}}
  - {{do: finetune, id: recognizer, store: nw-ucla, protocol: subjects}}
  - do: finetune
    store: nw-ucla
    protocol: subjects
    from: [null, encoder]
    label_fraction: 0.5
    label_subset: [0, 1]
  - {{do: finetune, id: bone, store: nw-ucla, protocol: subjects, stream: bone, from: bone-encoder}}
  - {{do: pretrain, id: bone-encoder, store: nw-ucla, protocol: subjects, stream: bone}}
  - {{do: ensemble, store: nw-ucla, protocol: subjects, of: [recognizer]}}
  - {{do: ensemble, store: nw-ucla, protocol: subjects, of: [recognizer, bone], label: two}}
  - {{do: ensemble, store: nw-ucla, protocol: subjects, of: [recognizer, convolutions], label: both}}
  - do: layout
    store: nw-ucla
    protocol: subjects
    from: recognizer
    seen_as: [ntu25, mediapipe33]
"""


def make_store(tmp_path) -> Store:
    store = small_store(tmp_path / "stores" / "nw-ucla", 24)
    train = store.split("subjects", "train")
    path = tmp_path / "label_subsets" / "recognition" / "nw-ucla-subjects.json"
    write_label_subsets(store, train, np.asarray(store.labels)[train], [0.5], 2, path)
    return store


@pytest.fixture
def runner(tmp_path, runner_of):
    make_store(tmp_path)
    return runner_of(PLAN)


def test_every_cell_leaves_one_file_and_the_table_shows_them(runner):
    for cell in sorted(runner.plan.cells, key=lambda cell: (cell.do != "pretrain", bool(cell.of))):
        assert not runner.finished(cell)
        runner.run(cell)
        assert runner.finished(cell)
    results = read_results(runner.results)
    assert len(results) == len(runner.plan.cells)
    table = markdown_table(results)
    assert "| 1-NN on positions | - |" in table
    assert "linear probe, all levels" in table
    few = [line for line in table.splitlines() if "50%" in line]
    assert len(few) == 2  # scratch and fine-tuned, two subsets each
    assert all("±" in line and "| 2 | 2 |" in line for line in few)  # two runs of two steps
    by_name = {result.cell: result for result in results}
    alone = by_name["finetune-nw-ucla-joint-scratch-s0"]
    together = by_name["ensemble-nw-ucla-joint-s0"]
    assert alone.metrics["scratch"]["all"] == together.metrics["ensemble"]["all"]
    # the random convolutions of the same labels answer beside a recognizer too
    both = by_name["ensemble-nw-ucla-joint-both-s0"]
    assert alone.metrics["scratch with convolutions"]["all"] == both.metrics["ensemble"]["all"]
    assert "| 100% | supervised, with random convolutions | - |" in table.replace("scratch", "-")
    # dashes in the name of a store, and the streams that are added, are not taken from names
    assert "| fine-tuned | pre-trained on nw-ucla |" in table
    assert "| 100% | random convolutions | - |" in table
    assert "| joint + bone | 100% | sum of streams (two) | - |" in table
    assert "| joint + joint | 100% | sum of streams (both) | - |" in table
    assert "| seen as ntu25 (6 of 6 joints) | fine-tuned on nw-ucla |" in table
    assert "| seen as mediapipe33 (2 of 6 joints) | fine-tuned on nw-ucla |" in table
    full = next(result for result in results if result.seen_as == "ntu25")
    assert full.metrics["seen as ntu25 (6 of 6 joints)"]["all"] == alone.metrics["scratch"]["all"]
    bone = by_name["finetune-nw-ucla-bone-from-pretrain-nw-ucla-bone-s0-s0"]
    written = json.loads(runner.result_file(runner.plan.cells[9]).read_text())
    assert written["cell"] == bone.cell
    assert written["source"] == {
        "cell": "pretrain-nw-ucla-bone-s0",
        "do": "pretrain",
        "store": "nw-ucla",
        "stream": "bone",
    }
    assert written["start"] == "pre-trained on nw-ucla"
    assert written["fold_group"] == written["protocol"] == "subjects"


def test_convolutions_of_other_joints_do_not_answer_beside_a_recognizer(tmp_path, runner_of):
    small_store(tmp_path / "stores" / "s", 12, layout=get_layout("kinect20"))
    cells = f"""
name: joints
{SIZES}
cells:
  - {{do: convolutions, store: s, protocol: subjects}}
  - {{do: finetune, store: s, protocol: subjects, label: own}}
  - {{do: finetune, store: s, protocol: subjects, label: mapped, set: {{layout: ntu25}}}}
"""
    runner = runner_of(cells)
    _, own, mapped = [runner.run(cell) for cell in runner.plan.cells]
    assert own.metrics.keys() == {"scratch", "scratch with convolutions"}
    assert mapped.metrics.keys() == {"scratch"}


def test_few_labels_are_those_of_the_list(runner):
    cell = next(cell for cell in runner.plan.cells if cell.label_subset == 1)
    store = Store.open(runner.stores / "nw-ucla")
    split = protocol_split(store, "subjects")
    chosen = runner._labeled(cell, split)
    path = runner.plan.folder / "label_subsets" / "recognition" / "nw-ucla-subjects.json"
    names = json.loads(path.read_text())["0.5"][cell.label_subset]
    assert sorted(store.name(int(i)) for i in chosen) == sorted(names)
    path.unlink()  # without a list the same subset is drawn
    assert np.array_equal(runner._labeled(cell, split), chosen)


def test_the_seed_and_stream_of_a_cell_reach_every_section(runner_of):
    (cell,) = (
        runner := runner_of(
            f"name: seeds\n{SIZES}\ncells: [{{do: finetune, store: s, protocol: p, stream: bone, seed: 3}}]"
        )
    ).plan.cells
    config = runner._config(cell)
    sections = (config.pretrain, config.recognize, config.detect, config.predict)
    assert [section.optim.seed for section in sections] == [3] * 4
    assert config.preprocessing.stream == "bone"
    assert config.recognize.optim.steps == 2


def test_held_out_subjects_test_in_place_of_the_test_part(tmp_path, runner_of):
    store = make_store(tmp_path)
    runner = runner_of(PLAN.replace("cells:", "held_out: person-1\ncells:"))
    split = runner._split(protocol_split(store, "subjects"))
    names = np.array(store.subject_names)[np.asarray(store.subjects)]
    assert set(names[split.test]) == {"person-1"}
    assert set(names[split.train]) == {"person-0", "person-2"}
    few = next(cell for cell in runner.plan.cells if cell.label_subset == 1)
    assert set(runner._labeled(few, split)) < set(split.train)
    pretraining = next(cell for cell in runner.plan.cells if cell.do == "pretrain")
    assert runner.run(pretraining).last["step"] == 2
    card = HiTRS.from_pretrained(runner.runs / pretraining.name).card
    assert card.trained["recordings"] == len(split.train)


def test_an_encoder_of_several_stores(tmp_path, runner_of):
    make_store(tmp_path)
    small_store(tmp_path / "stores" / "more", 12)
    cells = """
  - {do: pretrain, id: both, store: nw-ucla, protocol: subjects, beside: {more: subjects}}
  - {do: probe, store: more, protocol: subjects, from: both}
"""
    runner = runner_of(f"name: several\n{SIZES}\ncells:{cells}")
    results = [runner.run(cell) for cell in runner.plan.cells]
    assert [result.cell for result in results] == [
        "pretrain-nw-ucla-and-more-joint-s0",
        "probe-more-joint-from-pretrain-nw-ucla-and-more-joint-s0-s0",
    ]
    assert results[1].start == "pre-trained on nw-ucla + more"


def test_a_cell_without_its_pretraining_says_so(runner):
    with pytest.raises(DataError, match=r"needs the model of pretrain-.*; run that cell again"):
        runner.run(next(cell for cell in runner.plan.cells if cell.do == "probe"))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"start": "-", "fraction": 0.1}'])
def test_files_that_are_no_results_are_named(tmp_path, text):
    (tmp_path / "cell.json").write_text(text)
    with pytest.raises(DataError, match=r"cell\.json is not a result"):
        read_results(tmp_path)


def test_results_are_read_as_they_were_written(tmp_path, runner):
    result = Result.of_cell(
        runner.plan.cells[-1], seconds=1.5, data="d", version="0", machine={}, metrics={"m": {"all": {}}}
    )
    result.write(tmp_path / "cell.json")
    assert Result.read(tmp_path / "cell.json") == result


def test_a_cell_may_start_from_the_encoder_that_comes_with_the_package(runner_of, tmp_path):
    make_synthetic(tmp_path / "stores" / "motion", size="tiny")
    runner = runner_of(
        "name: shipped\nconfig: light\ncells:\n"
        "  - {do: probe, store: motion, protocol: cross-subject, from: general}\n"
    )
    (cell,) = runner.plan.cells
    assert cell.name == "probe-motion-fused-from-general-s0"
    result = runner.run(cell)
    assert "| ridge, pooled features | general |" in markdown_table([result])
    assert result.metrics["ridge"]["all"]["top1"] > 30  # of ten classes
