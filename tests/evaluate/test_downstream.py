"""Cells of other tasks than recognition: names, labels of some subjects, folds in one row, tables."""

import json

import pytest

from factories import untrimmed_store
from hitrs.data.store import Store
from hitrs.errors import ConfigError, DataError
from hitrs.evaluate.downstream import DOWNSTREAM, get_downstream
from hitrs.evaluate.draws import of_subjects
from hitrs.evaluate.tables import described, markdown_table, read_results

PLAN = """
name: detection-table
config: tiny
set:
  model.width: 8
  model.layers: 1
  pretrain.steps: 2
  pretrain.batch_size: 4
  detect.steps: 2
  detect.batch_size: 2
  detect.hidden: 8
cells:
  - {do: pretrain, store: toy, protocol: subjects}
  - do: finetune
    task: detection
    store: toy
    protocol: subjects
    from: [null, pretrain-toy-joint-s0]
    subjects: ["0"]
  - {do: finetune, task: detection, store: toy, protocol: subjects, fraction: 0.34}
  - {do: finetune, task: detection, store: toy, protocol: [leave-subject-0-out], seed: [0, 1]}
"""


@pytest.fixture
def runner(tmp_path, runner_of):
    untrimmed_store(tmp_path / "stores" / "toy")
    return runner_of(PLAN)


def test_detection_cells_from_end_to_end(runner):
    for cell in runner.plan.cells:
        runner.run(cell)
    results = {result["cell"]: result for result in read_results(runner.results)}
    few = results["detection-toy-subjects-joint-from-pretrain-toy-joint-s0-subjects-0-s0"]
    assert few["labels"] == 3
    assert results["detection-toy-subjects-joint-scratch-34pct-d0-s0"]["labels"] == 1
    found = few["metrics"]["fine-tuned"]["all"]
    assert found["recordings"] == 3
    assert 0 <= found["frame/accuracy"] <= 100
    assert 0 <= found["voc/map@0.5"] <= 100
    table = markdown_table(list(results.values()))
    assert "mAP@0.5 (VOC)" in table
    row = next(line for line in table.splitlines() if "leave-subject-each-out" in line)
    assert "±" in row
    assert "| 2 | 2 |" in row  # two runs of two updates
    assert sum("1 subject" in line for line in table.splitlines()) == 2
    assert "NaN" not in json.dumps(list(results.values()))


def test_labels_of_some_subjects(tmp_path):
    store: Store = untrimmed_store(tmp_path / "store")
    train = store.split("subjects", "train")
    assert of_subjects(store, train, []).tolist() == train.tolist()
    assert of_subjects(store, train, ["0"]).tolist() == train.tolist()
    with pytest.raises(DataError, match="shows subject '1'; they show 0"):
        of_subjects(store, train, ["1"])


def test_tasks_that_are_known():
    assert get_downstream("detection") is DOWNSTREAM["detection"]
    with pytest.raises(ConfigError, match="no task 'detecting'; known: recognition, detection"):
        get_downstream("detecting")


def test_the_figures_of_a_report_in_a_line():
    assert described("recognition", {"all": {"top1": 50.0}}) == "top-1, all 50.0"
    found = {"all": {"frame/accuracy": 70.5, "voc/map@0.5": 60.25}}
    assert described("detection", found) == "frame accuracy 70.5, mAP@0.5 (VOC) 60.25"
