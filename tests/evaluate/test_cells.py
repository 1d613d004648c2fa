"""A small table from end to end: cells run once, are continued, and become a table."""

import dataclasses
import json

import numpy as np
import pytest

from factories import LAYOUT, small_store, tiny
from hitrs.data.recording import Recording
from hitrs.data.store import Store, write_store
from hitrs.errors import DataError
from hitrs.evaluate.draws import write_draws
from hitrs.evaluate.protocol import recognizer_scores, split_of
from hitrs.evaluate.tables import markdown_table, read_results
from hitrs.models.bundle import ModelCard
from hitrs.models.hitrs import HiTRS
from hitrs.tasks.recognition import RecognitionModel
from hitrs.transforms.preprocess import Preprocessing
from hitrs.transforms.source import Source

PLAN = """
name: small-table
config: tiny
set:
  model.width: 8
  model.layers: 1
  pretrain.steps: 2
  pretrain.batch_size: 4
  finetune.steps: 2
  finetune.batch_size: 4
cells:
  - {do: neighbors, store: toy, protocol: subjects}
  - {do: pretrain, store: toy, protocol: subjects}
  - {do: probe, store: toy, protocol: subjects, from: pretrain-toy-joint-s0}
  - {do: finetune, store: toy, protocol: subjects}
  - do: finetune
    store: toy
    protocol: subjects
    from: [null, pretrain-toy-joint-s0]
    fraction: 0.5
    draw: [0, 1]
  - {do: ensemble, store: toy, protocol: subjects, of: [finetune-toy-joint-scratch-s0]}
  - do: layout
    store: toy
    protocol: subjects
    from: finetune-toy-joint-scratch-s0
    seen_as: [ntu25, mediapipe33]
"""


@pytest.fixture
def runner(tmp_path, runner_of):
    store = small_store(tmp_path / "stores" / "toy", 24)
    write_draws(store, "subjects", [0.5], 2, tmp_path / "draws" / "toy-subjects.json")
    return runner_of(PLAN)


def test_every_cell_leaves_one_file_and_the_table_tells_them(runner):
    for cell in runner.plan.cells:
        assert not runner.finished(cell)
        runner.run(cell)
        assert runner.finished(cell)
    results = read_results(runner.results)
    assert len(results) == len(runner.plan.cells)
    table = markdown_table(results)
    assert "1-NN on positions" in table
    assert "linear probe, all levels" in table
    few = [line for line in table.splitlines() if "50%" in line]
    assert len(few) == 2  # scratch and fine-tuned, two draws each
    assert all("±" in line and "| 2 | 2 |" in line for line in few)  # two runs of two updates
    by_do = {result["do"]: result for result in results if result["fraction"] == 1}
    alone, together = by_do["finetune"], by_do["ensemble"]
    assert alone["metrics"]["scratch"]["all"] == together["metrics"]["ensemble"]["all"]
    assert "| seen as ntu25 (6 of 6 joints) | fine-tuned on toy |" in table
    assert "| seen as mediapipe33 (2 of 6 joints) | fine-tuned on toy |" in table
    full = next(result for result in results if result["seen_as"] == "ntu25")
    assert full["metrics"]["seen as ntu25 (6 of 6 joints)"]["all"] == alone["metrics"]["scratch"]["all"]


def test_few_labels_are_those_of_the_list(runner):
    cell = runner.plan.cells[4]
    store = Store.open(runner.stores / "toy")
    chosen = runner._labeled(cell, split_of(store, "subjects"))
    names = json.loads((runner.plan.folder / "draws" / "toy-subjects.json").read_text())["0.5"][cell.draw]
    assert sorted(store.name(int(i)) for i in chosen) == sorted(names)


def test_a_cell_without_its_pretraining_says_so(runner):
    with pytest.raises(DataError, match="run that cell again"):
        runner.run(runner.plan.cells[2])


def test_results_that_are_not_json_are_named(tmp_path):
    (tmp_path / "cell.json").write_text("{")
    with pytest.raises(DataError, match=r"cell\.json is not a result"):
        read_results(tmp_path)


def twin_store(path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 9, 1, LAYOUT.n_joints, 3)).astype(np.float32)

    def recordings():
        for n, name in enumerate(("a", "b", "c", "d", "twin of a", "clean")):
            yield Recording(
                positions=values[0 if name == "twin of a" else n],
                valid=np.ones(values.shape[1:4], bool),
                layout=LAYOUT,
                name=name,
                label=("x", "y")[n % 2],
            )

    parts = {"twin of a": "test", "clean": "test"}
    return write_store(
        path,
        recordings(),
        layout=LAYOUT,
        classes=("x", "y"),
        protocols={"p": lambda r: parts.get(r.name, "train")},
        meta={},
    )


def test_test_recordings_that_stand_in_training_are_reported_apart(tmp_path):
    split = split_of(twin_store(tmp_path / "s"))
    assert (len(split.train), len(split.test), len(split.twins)) == (4, 2, 1)
    report = split.report(np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert report["all"]["top1"] == 50.0
    assert report["clean"]["recordings"] == 1
    assert report["clean"]["top1"] == 0.0


def test_a_protocol_without_labeled_test_recordings_is_refused(tmp_path):
    store = small_store(tmp_path / "s", 3)  # only one subject, who trains
    with pytest.raises(DataError, match="no labeled recording in its test part"):
        split_of(store)


def test_averaged_views_are_the_mean_over_turned_recordings(tmp_path):
    store = small_store(tmp_path / "s", 4)
    card = ModelCard(tiny(), LAYOUT, Preprocessing(), store.classes)
    model = RecognitionModel(HiTRS(tiny(), LAYOUT.n_joints), card).eval()
    source = Source(store, np.arange(4), LAYOUT, Preprocessing())
    one, three = (recognizer_scores(model, source, views) for views in (1, 3))
    assert one.sum(1) == pytest.approx(np.ones(4), abs=1e-5)
    assert three.sum(1) == pytest.approx(np.ones(4), abs=1e-5)
    assert np.abs(one - three).max() > 0
    flat = dataclasses.replace(card, preprocessing=Preprocessing(align="yaw"))
    aligned = Source(store, np.arange(4), LAYOUT, flat.preprocessing)
    assert recognizer_scores(model, aligned, 1).shape == (4, 3)
