"""Human3.6M's protocol on made-up files of its form, from import to scores; the data was never here."""

from pathlib import Path

import numpy as np

from hitrs.data import Store, import_dataset
from hitrs.evaluate import prediction
from hitrs.evaluate.protocol import split_of
from hitrs.skeleton import get_layout
from hitrs.skeleton.kinematics import rotations_of_expmaps
from hitrs.tasks.prediction.metrics import angle_errors, euler_angles
from predictors import predictor

ACTIONS = ("walking", "eating")


def made(folder: Path) -> Store:
    """Two takes of two actions of a training subject and of the test subject: 400 frames, swinging joints."""
    time = np.arange(400)[:, None] / 25
    for number, (subject, action, take) in enumerate(
        (s, a, t) for s in (1, 5) for a in ACTIONS for t in (1, 2)
    ):
        maps = 0.3 * np.sin(time * (1 + number / 8) + np.arange(99))
        path = folder / "raw" / f"S{subject}" / f"{action}_{take}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, maps, fmt="%.6f", delimiter=",")
    return import_dataset(folder / "raw", folder / "store")


def test_from_files_to_scores(tmp_path: Path) -> None:
    store = made(tmp_path)
    split = split_of(store, "subject-5", prediction.usable(store))
    model = predictor(observed=50, predicted=25, step=2, context=0, layout=get_layout("h36m22"))
    found = prediction.measure(model, split)
    assert {part: each["windows"] for part, each in found.items()} == {"all": 16, "256": 512}
    assert set(found["all"]["actions"]) == set(ACTIONS)
    assert found["all"]["ms"] == [80.0, 160.0, 320.0, 400.0, 560.0, 1000.0]


def test_angle_error_of_zero_velocity_against_a_loop() -> None:
    maps = 0.3 * np.sin(np.arange(35)[:, None] / 9 + np.arange(96)).reshape(35, 32, 3)
    rotations = rotations_of_expmaps(maps)
    still, truth = np.repeat(rotations[9:10], 25, axis=0), rotations[10:]
    found = angle_errors(still, truth)
    for h in range(25):
        total = 0.0
        for joint in range(1, 32):
            off = euler_angles(still[h, joint]) - euler_angles(truth[h, joint])
            total += float((off**2).sum())
        assert abs(found[h] - total**0.5) < 1e-9
