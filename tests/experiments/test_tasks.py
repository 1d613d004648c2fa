"""Cells of other tasks than recognition: labels of some subjects, folds in one row, tasks of plugins."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from factories import untrimmed_store
from hitrs.experiments.results import Result, read_results
from hitrs.experiments.tables import describe_metrics, markdown_table
from hitrs.tasks.base import MetricColumn, Task, TaskModel, get_task
from hitrs.tasks.registry import TASKS, register_task
from hitrs.training.config import FinetuneOptimConfig

PLAN = """
name: detection-table
config: tiny
set:
  model.width: 8
  model.layers: 1
  pretrain.optim.steps: 2
  pretrain.optim.batch_size: 4
  detect.optim.steps: 2
  detect.optim.batch_size: 2
  detect.head.hidden: 8
cells:
  - {do: pretrain, id: encoder, store: toy, protocol: subjects}
  - do: finetune
    task: detection
    store: toy
    protocol: subjects
    from: [null, encoder]
    subjects: ["0"]
  - {do: finetune, task: detection, store: toy, protocol: subjects, label_fraction: 0.34}
  - do: finetune
    task: detection
    store: toy
    protocol: leave-subject-{fold}-out
    fold: [0]
    seed: [0, 1]
"""


@pytest.fixture
def runner(tmp_path, runner_of):
    untrimmed_store(tmp_path / "stores" / "toy")
    return runner_of(PLAN)


def test_detection_cells_from_end_to_end(runner):
    for cell in runner.plan.cells:
        runner.run(cell)
    results = {result.cell: result for result in read_results(runner.results)}
    few = results["detection-toy-subjects-joint-from-pretrain-toy-joint-s0-subjects-0-s0"]
    assert few.labels == 3
    assert results["detection-toy-subjects-joint-scratch-34pct-d0-s0"].labels == 1
    metrics = few.metrics["fine-tuned"]["all"]
    assert metrics["recordings"] == 3
    assert 0 <= metrics["frame/accuracy"] <= 100
    assert 0 <= metrics["voc/map@0.5"] <= 100
    table = markdown_table(list(results.values()))
    assert "mAP@0.5 (VOC)" in table
    row = next(line for line in table.splitlines() if "leave-subject-each-out" in line)
    assert "±" in row
    assert "| 2 | 2 |" in row  # two runs of two steps
    assert sum("1 subject" in line for line in table.splitlines()) == 2
    assert all("NaN" not in json.dumps(result.to_dict()) for result in results.values())


def test_the_figures_of_a_method_in_a_line():
    assert describe_metrics(get_task("recognition"), {"all": {"top1": 50.0}}) == "top-1, all 50.0"
    metrics = {"all": {"frame/accuracy": 70.5, "voc/map@0.5": 60.25}}
    described = describe_metrics(get_task("detection"), metrics)
    assert described == "frame accuracy 70.5, mAP@0.5 (VOC) 60.25"


@dataclass(frozen=True)
class CountingConfig:
    optim: FinetuneOptimConfig = field(default_factory=FinetuneOptimConfig)


class CountingTask(Task):
    """A task of a script, as far as plans and tables need it."""

    name = "counting"
    verb = "count"
    about = "how many"
    needs = "frames"
    config_class = CountingConfig
    model_class = TaskModel
    columns = (MetricColumn("error", "all", "error"),)
    ensembles = True
    store_columns = ("store", "stream")

    def job(self, dataset, config, encoder=None, validation=None):
        raise NotImplementedError

    def evaluate(self, models, split, options=None):
        raise NotImplementedError


@pytest.fixture
def counting():
    yield register_task(CountingTask())
    TASKS._loaded.pop("counting")


def test_a_plan_may_name_a_task_of_a_plugin(counting, runner_of):
    runner = runner_of(
        "name: counts\n"
        "config: tiny\n"
        "set: {counting.optim.steps: 7}\n"
        "cells:\n"
        "  - {do: finetune, task: counting, id: joint, store: s, protocol: p, seed: [5]}\n"
        "  - {do: finetune, task: counting, id: bone, store: s, protocol: p, stream: bone}\n"
        "  - {do: ensemble, store: s, protocol: p, of: [joint, bone]}\n"
    )
    joint, bone, ensemble = runner.plan.cells
    assert joint.name == "counting-s-p-joint-scratch-s5"
    assert ensemble.name == "ensemble-counting-s-p-joint-s0"
    optim = runner._config(joint).section("counting").optim
    assert (optim.steps, optim.seed) == (7, 5)
    results = [
        Result.of_cell(
            cell,
            steps=7,
            seconds=60.0,
            data="d",
            version="0",
            machine={},
            metrics={"scratch": {"all": {"error": error}}},
        )
        for cell, error in zip((joint, bone, ensemble), np.array([3.0, 2.0, 1.0]), strict=True)
    ]
    assert markdown_table(results) == (
        "| store | stream | labels | method | start | error | runs | steps | minutes |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| s | bone | 100% | supervised | scratch | 2.0 | 1 | 7 | 1.0 |\n"
        "| s | joint | 100% | supervised | scratch | 3.0 | 1 | 7 | 1.0 |\n"
        "| s | joint + bone | 100% | supervised | - | 1.0 | 1 | 7 | 1.0 |\n"
    )
