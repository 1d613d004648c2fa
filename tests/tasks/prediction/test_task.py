"""Motion prediction as a task: a whole run, its errors, and their tables."""

from pathlib import Path

import numpy as np
import pytest
import torch

from factories import LAYOUT, small_store, tiny
from hitrs.config import Config
from hitrs.data import Store, import_dataset
from hitrs.data.protocol import protocol_split
from hitrs.models.encoder import HiTRS
from hitrs.skeleton import get_layout
from hitrs.tasks.finetune import finetune
from hitrs.tasks.prediction.task import TASK
from hitrs.training.log import read_metrics
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset
from predictors import CONFIG, predictor

ACTIONS = ("walking", "eating")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("prediction") / "store", count=24)


def dataset(store: Store, part: str = "train") -> SkeletonDataset:
    return SkeletonDataset(store, store.split("subjects", part), LAYOUT, PreprocessingConfig())


@pytest.mark.parametrize("context", [0, 6])
def test_a_whole_run(store: Store, tmp_path: Path, context: int) -> None:
    config = CONFIG.changed({"predict.head.context": context})
    trained = finetune(TASK, dataset(store), config, tmp_path / "run", validation=dataset(store, "test"))
    model = TASK.load(tmp_path / "run")
    assert model.card.fps == 30.0
    assert model.card.trained["steps"] == 4
    assert model.card.trained["too_short"] + model.card.trained["recordings"] == len(dataset(store))
    assert (model.encoder is None) == (context == 0)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert any("validation/mpjpe@4" in row for row in rows)
    split = protocol_split(store, "subjects", TASK.usable(store))
    metrics = TASK.evaluate([model], split)
    assert metrics == TASK.evaluate([trained], split)
    assert set(metrics["all"]["baselines"]) == {"zero velocity", "constant velocity"}
    assert metrics["all"]["horizons"] == [2, 4]
    assert set(metrics["all"]["actions"]) <= {"wave", "nod", "bow"}


def test_a_pretrained_encoder_keeps_its_weights_when_frozen(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(3)
    encoder = HiTRS(tiny(), LAYOUT.n_joints)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    config = CONFIG.changed({"predict.freeze_encoder": True})
    model = finetune(TASK, dataset(store), config, tmp_path / "run", encoder=encoder)
    assert isinstance(model.encoder, HiTRS)
    assert all(torch.equal(value, before[name]) for name, value in model.encoder.state_dict().items())
    assert model.card.trained["from"] == "pre-trained encoder"


def test_a_report_has_a_table_for_each_part_with_the_baselines(store: Store) -> None:
    model = predictor(observed=8, predicted=4, context=6)
    part = TASK.evaluate([model], protocol_split(store, "subjects", TASK.usable(store)))["all"]
    (head, rows), (other, _) = TASK.report("subjects", {"all": part, "extra": part})
    assert head == [f"MPJPE, {part['windows']} windows (subjects)", "frame 2 (67 ms)", "frame 4 (133 ms)"]
    assert other[0].endswith("(extra)")
    names = ["model", "zero velocity", "constant velocity", *(f"model: {name}" for name in part["actions"])]
    assert [row[0] for row in rows] == names
    assert rows[0][1:] == [f"{part['mpjpe@2']:.1f}", f"{part['mpjpe@4']:.1f}"]


def test_tables_hold_the_baselines_and_average_over_seeds(store: Store) -> None:
    model = predictor(observed=8, predicted=4, context=6)
    metrics = TASK.evaluate([model], protocol_split(store, "subjects", TASK.usable(store)))
    result = {
        "store": "toy", "protocol": "subjects", "fold_group": "subjects", "start": "scratch", "label": "",
        "label_fraction": 1.0, "seconds": 60.0, "steps": 4, "metrics": {"scratch": metrics},
    }  # fmt: skip
    few = {**result, "start": "pre-trained on toy", "label_fraction": 0.1}
    text = TASK.tables([result, result, few])
    tables = 1 + len(metrics["all"]["actions"])
    assert text.count("| encoder pre-trained on toy, 10% of the recordings |") == tables
    assert text.count("| zero velocity |") == text.count("| constant velocity |") == tables
    line = next(line for line in text.splitlines() if line.startswith("| encoder from scratch"))
    assert f"{metrics['all']['mpjpe@4']:.1f} ± 0.0" in line
    assert line.endswith("| 2 | 4 | 1.0 |")


def test_the_folds_of_a_protocol_share_a_table() -> None:
    def result(fold: int, error: float) -> dict:
        values = {"mpjpe@2": error, "bone_drift@2": 0.0, "actions": {"all": {}}, "horizons": [2], "ms": None}
        return {
            "store": "toy", "protocol": f"leave-{fold}-out", "fold_group": "leave-each-out", "label": "mine",
            "label_fraction": 1.0, "start": "scratch", "seconds": 60.0, "steps": 4,
            "metrics": {"scratch": {"all": {**values, "baselines": {"zero velocity": values}}}},
        }  # fmt: skip

    text = TASK.tables([result(0, 10.0), result(1, 20.0)])
    assert text.startswith("**toy, leave-each-out**")
    assert "| zero velocity | 15.0 ± 7.1 |" in text
    assert "| mine | 15.0 ± 7.1 | 0.0 ± 0.0 | 2 | 4 | 1.0 |" in text


def test_human36m_from_files_to_errors(tmp_path: Path) -> None:
    """On synthetic files of its form: two takes of two actions, of a training and of the test subject."""
    time = np.arange(400)[:, None] / 25
    for number, (subject, action, take) in enumerate(
        (s, a, t) for s in (1, 5) for a in ACTIONS for t in (1, 2)
    ):
        maps = 0.3 * np.sin(time * (1 + number / 8) + np.arange(99))
        path = tmp_path / "raw" / f"S{subject}" / f"{action}_{take}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, maps, fmt="%.6f", delimiter=",")
    store = import_dataset(tmp_path / "raw", tmp_path / "store")
    split = protocol_split(store, "subject-5", TASK.usable(store))
    model = predictor(observed=50, predicted=25, frame_step=2, context=0, layout=get_layout("h36m22"))
    metrics = TASK.evaluate([model], split)
    assert {part: values["windows"] for part, values in metrics.items()} == {"all": 16, "256": 512}
    assert set(metrics["all"]["actions"]) == set(ACTIONS)
    assert metrics["all"]["ms"] == [80.0, 160.0, 320.0, 400.0, 560.0, 1000.0]


def test_config_is_a_section() -> None:
    assert isinstance(Config().section("prediction"), TASK.config_class)
