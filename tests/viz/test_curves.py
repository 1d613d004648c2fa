import numpy as np
import pytest
from PIL import Image

from hitrs.errors import DataError
from hitrs.viz.curves import _merged, _running_mean, plot_finetuning, plot_training

TASKS = ("masked_joint", "clip_order", "video_order", "future_clip", "views")


def rows(steps: int, tasks=TASKS) -> list[dict]:
    found = []
    for step in range(1, steps + 1):
        row = {"step": step, "epoch": step / 10, "loss": 5 / step, "lr": 1e-4}
        for task in tasks:
            row |= {
                f"{task}/loss": 1 / step,
                f"{task}/{'error' if task == 'masked_joint' else 'accuracy'}": 0.5,
            }
        found.append(row)
        if step % 5 == 0:
            found.append({"step": step, "knn/accuracy": 0.25})
    return found


@pytest.mark.parametrize("count", range(len(TASKS) + 1))
def test_each_task_has_its_panel(tmp_path, texts, count):
    plot_training(rows(80, TASKS[:count]), tmp_path / "training.svg", title="Run 7")
    shown = texts(tmp_path / "training.svg")
    headings = (
        "Masked joints (frame)",
        "Frame order (clip)",
        "Clip order (video)",
        "Future clip (video)",
        "Two views (video)",
    )
    assert [heading in shown for heading in headings] == [number < count for number in range(len(TASKS))]
    assert {"Run 7", "Loss, all tasks", "Online k-NN probe", "Learning rate", "25.0%"} <= set(shown)
    assert shown.count("accuracy") == max(count - 1, 0)


def test_what_is_not_known_has_no_panel(tmp_path, texts):
    plot_training([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}], tmp_path / "training.svg")
    shown = texts(tmp_path / "training.svg")
    assert "Loss, all tasks" in shown
    assert "step" in shown
    assert not {"epoch", "Online k-NN probe", "Learning rate"} & set(shown)


def test_a_task_of_one_s_own_is_drawn_under_its_name(tmp_path, texts):
    own = [{"step": step, "loss": 1.0, "speed/loss": 1.0, "speed/accuracy": 0.5} for step in (1, 2)]
    plot_training(own, tmp_path / "training.svg")
    assert "speed" in texts(tmp_path / "training.svg")


def test_of_a_repeated_step_the_later_row_counts_and_epochs_are_completed():
    metrics = [
        {"step": 10, "epoch": 1.0, "loss": 3.0},
        {"step": 20, "epoch": 2.0, "loss": 9.0},
        {"step": 20, "epoch": 2.0, "loss": 2.0},
        {"step": 15, "validation/accuracy": 0.5},
    ]
    merged, x = _merged(metrics)
    assert x == "epoch"
    assert [(row["epoch"], row.get("loss")) for row in merged] == [(1.0, 3.0), (1.5, None), (2.0, 2.0)]


@pytest.mark.parametrize("metrics", [[], [{"step": 1, "lr": 0.1}]])
def test_without_a_loss_nothing_is_written(tmp_path, metrics):
    for plot in (plot_training, plot_finetuning):
        with pytest.raises(DataError, match="no loss yet"):
            plot(metrics, tmp_path / "plot.png")
    assert not list(tmp_path.iterdir())


def test_a_row_without_a_step_is_named(tmp_path):
    with pytest.raises(DataError, match="row 2 of the metrics has no 'step'"):
        plot_training([{"step": 1, "loss": 1.0}, {"loss": 1.0}], tmp_path / "plot.png")


def test_fine_tuning_shows_training_against_validation(tmp_path, texts):
    metrics = [{"step": step, "epoch": step, "loss": 1 / step, "accuracy": 0.9} for step in range(1, 30)]
    plot_finetuning([*metrics, {"step": 10, "validation/accuracy": 0.7}], tmp_path / "tuning.svg")
    shown = texts(tmp_path / "tuning.svg")
    assert {"Loss", "Accuracy", "epoch"} <= set(shown)
    assert (shown.count("training"), shown.count("validation")) == (2, 1)
    plot_finetuning(metrics, tmp_path / "tuning.png")
    with Image.open(tmp_path / "tuning.png") as picture:
        assert picture.width > picture.height > 300


def test_the_running_mean_against_a_loop():
    values = np.random.default_rng(0).normal(size=50)
    slow = [values[max(0, at - 4) : min(at + min(at, 4), 49) + 1].mean() for at in range(50)]
    np.testing.assert_allclose(_running_mean(values, 4), slow)
    assert _running_mean(values, 4)[0] == values[0]
