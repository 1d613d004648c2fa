"""Procedural motion: plausible bodies, repeatable recordings, classes that mean what their names say."""

from itertools import islice, pairwise

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from hitrs.data.store import Store
from hitrs.data.synthetic import SYNTHETIC_CLASSES, make_synthetic, synthesize, synthesize_untrimmed
from hitrs.data.synthetic.actions import ACTIONS, Action, curve, key_table
from hitrs.data.synthetic.body import DOF, DOFS, LAYOUT, Body, forward
from hitrs.data.synthetic.performance import Move, draw_subject, perform
from hitrs.data.synthetic.recordings import cross_subject
from hitrs.data.synthetic.scenes import MotionScene, trimmed_scene, untrimmed_scene
from hitrs.errors import ConfigError

JOINT = {name: i for i, name in enumerate(LAYOUT.joints)}
ACTION = {action.name: action for action in ACTIONS}


def keyed(action: Action, *, mirror: bool = False) -> np.ndarray:
    """The pure motion of an action by a default body, (60, len(DOFS))."""
    keys = action.keys(np.random.default_rng(5), 1.5)
    phases, table = key_table(keys, np.zeros(len(DOFS)), np.ones(len(DOFS)), mirror=mirror)
    return curve(phases, table, np.linspace(0, 1, 60))


def scene(name: str, seed: int) -> MotionScene:
    return trimmed_scene(
        ACTION[name], draw_subject(np.random.default_rng(seed)), np.random.default_rng([seed, 1])
    )


@pytest.fixture(scope="module")
def trimmed():
    return list(synthesize(per_class=12))


@pytest.fixture(scope="module")
def untrimmed():
    return list(synthesize_untrimmed(24))


def same(a, b) -> bool:
    return (
        np.array_equal(a.positions, b.positions)
        and np.array_equal(a.valid, b.valid)
        and (a.name, a.label, a.subject, a.camera, a.segments)
        == (b.name, b.label, b.subject, b.camera, b.segments)
    )


@pytest.mark.parametrize(
    "make", [lambda seed: synthesize(seed=seed), lambda seed: synthesize_untrimmed(seed=seed)]
)
def test_same_seed_same_recordings(make):
    first, again, other = (list(islice(make(seed), 6)) for seed in (3, 3, 4))
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.positions, b.positions) for a, b in zip(first, other, strict=True))


def test_a_recording_does_not_depend_on_how_many_are_made(trimmed, untrimmed):
    few = list(synthesize(per_class=1))
    assert all(same(a, b) for a, b in zip(few, trimmed[: len(few)], strict=True))
    assert same(next(synthesize_untrimmed(1)), untrimmed[0])


def test_classes_subjects_and_cameras_take_turns(trimmed):
    labels, counts = np.unique([r.label for r in trimmed], return_counts=True)
    assert set(labels) == set(SYNTHETIC_CLASSES)
    assert set(counts) == {12}
    for name in SYNTHETIC_CLASSES:
        assert {r.subject for r in trimmed if r.label == name} == {str(s) for s in range(1, 13)}
        assert {r.camera for r in trimmed if r.label == name} == {"1", "2", "3"}
    assert len({(r.subject, r.camera) for r in trimmed}) == 36


def test_recordings_are_short_and_at_thirty_frames_a_second(trimmed):
    lengths = [r.n_frames for r in trimmed]
    assert min(lengths) >= 14
    assert max(lengths) <= 110
    assert 35 <= np.mean(lengths) <= 60
    assert {r.fps for r in trimmed} == {30.0}


def test_persons(trimmed):
    persons = {name: [r.n_persons for r in trimmed if r.label == name] for name in SYNTHETIC_CLASSES}
    assert set(persons.pop("shake hands")) == {2}
    others = np.concatenate(list(persons.values()))
    assert (
        0.8 < (others == 1).mean() < 1
    )  # now and then a bystander, so that two persons do not give the class away


def test_bones_are_rigid_before_the_sensor():
    subject = draw_subject(np.random.default_rng(0))
    child, parent = np.array(LAYOUT.bones()).T
    lengths = [
        np.linalg.norm(world[:, 0, child] - world[:, 0, parent], axis=-1)
        for i, action in enumerate(ACTIONS)
        for world in [trimmed_scene(action, subject, np.random.default_rng(i)).world]
    ]
    assert np.ptp(np.concatenate(lengths), axis=0).max() < 1e-9


def test_subjects_differ_and_are_of_human_size():
    subjects = [draw_subject(np.random.default_rng(i)) for i in range(40)]
    standing = np.stack([forward(s.body, s.rest[None])[0] for s in subjects])
    heads = standing[:, JOINT["head"], 1]
    assert heads.min() > 1.3
    assert heads.max() < 1.9
    assert np.ptp(heads) > 0.2
    legs = np.linalg.norm(standing[:, JOINT["left_hip"]] - standing[:, JOINT["left_ankle"]], axis=-1)
    assert np.std(legs / heads) > 0.01  # proportions differ, not only size
    assert {s.left_handed for s in subjects} == {True, False}


@pytest.mark.parametrize("index", range(8))
def test_motion_is_continuous_and_stands_on_the_floor(index):
    rng = np.random.default_rng(index)
    world = untrimmed_scene(6, draw_subject(rng), rng, company=index % 4 == 3).world
    per_frame = np.linalg.norm(np.diff(world, axis=0), axis=-1)
    assert per_frame.max() < 0.7  # meters at 30 frames a second: no hand or foot is faster than 20 m/s
    assert per_frame[..., JOINT["pelvis"]].max() < 0.2
    feet = world[:, 0, [JOINT[f"{side}_{end}"] for side in ("left", "right") for end in ("foot", "ankle")], 1]
    assert feet.min() > 0
    assert np.median(feet.min(axis=1)) < 0.03


def test_the_standing_foot_of_a_kick_stays_where_it_is():
    subject = draw_subject(np.random.default_rng(0))
    pose = subject.rest + keyed(ACTION["kick with the right foot"])
    ankles = forward(subject.body, pose)[:, [JOINT["left_ankle"], JOINT["right_ankle"]]]
    travel = np.linalg.norm(ankles - ankles[:1], axis=-1).max(axis=0)
    assert travel[0] < 0.05
    assert travel[1] > 0.5


@pytest.mark.parametrize(("left", "right"), [(0, 1), (6, 7)])
def test_left_and_right_classes_are_mirror_images(left, right):
    a = forward(Body(), keyed(ACTIONS[left], mirror=True))
    b = forward(Body(), keyed(ACTIONS[right]))
    assert (ACTIONS[left].side, ACTIONS[right].side) == ("left", "right")
    np.testing.assert_allclose(a, b[:, LAYOUT.mirror] * [-1, 1, 1], atol=1e-9)


@pytest.mark.parametrize(("forth", "back"), [("sit down", "stand up"), ("pick up", "put down")])
def test_some_classes_are_each_others_reversal(forth, back):
    np.testing.assert_allclose(keyed(ACTION[forth])[::-1], keyed(ACTION[back]), atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_raised_hands_are_the_named_ones(seed):
    for side, other in (("left", "right"), ("right", "left")):
        world = scene(f"raise {side} hand", seed).world[:, 0, :, 1]
        assert (world[:, JOINT[f"{side}_hand"]] - world[:, JOINT["spine_shoulder"]]).max() > 0
        assert world[:, JOINT[f"{side}_hand"]].max() > world[:, JOINT[f"{other}_hand"]].max()


def test_waves_differ_in_pace_and_claps_in_number():
    def turns(name: str) -> float:
        elbow = keyed(ACTION[name])[:, DOF["right_elbow"]]
        return float((np.diff(np.sign(np.diff(elbow))) != 0).sum())

    assert turns("wave quickly") >= turns("wave slowly") + 2
    for times, name in enumerate(("clap once", "clap twice"), start=1):
        joints = forward(Body(), keyed(ACTION[name]))
        apart = np.linalg.norm(joints[:, JOINT["left_hand"]] - joints[:, JOINT["right_hand"]], axis=-1)
        touching = np.concatenate([[False], apart < 0.15, [False]])
        assert (np.diff(touching.astype(int)) == 1).sum() == times


@pytest.mark.parametrize("seed", range(5))
def test_two_persons_meet_to_shake_hands(seed):
    world = scene("shake hands", seed).world
    right = world[:, :, JOINT["right_hand"]]
    assert np.linalg.norm(right[:, 0] - right[:, 1], axis=-1).min() < 0.35
    pelvis = world[:, :, JOINT["pelvis"]]
    assert np.linalg.norm(pelvis[:, 0] - pelvis[:, 1], axis=-1).min() > 0.5


def test_who_sits_down_stays_seated_until_standing_up():
    subject = draw_subject(np.random.default_rng(1))
    steps = [
        Move(ACTION["sit down"], 40),
        Move(None, 30),
        Move(ACTION["clap once"], 30),
        Move(ACTION["stand up"], 40),
    ]
    height = forward(subject.body, perform(subject, steps, np.random.default_rng(2)))[:, JOINT["pelvis"], 1]
    assert np.ptp(height[40:100]) < 0.05
    assert height[40:100].max() < 0.7 * min(height[0], height[-1])
    assert abs(height[0] - height[-1]) < 0.05


def test_lost_joints_are_not_valid_and_hold_nothing(trimmed, untrimmed):
    lost = np.mean([1 - r.valid.mean() for r in trimmed])
    assert 0.005 < lost < 0.05
    for recording in trimmed + untrimmed:
        assert not recording.positions[~recording.valid].any()
        assert recording.positions[recording.valid].any(axis=-1).all()
    # They are lost for runs of frames, not for single ones.
    changes = sum(np.abs(np.diff(r.valid.astype(int), axis=0)).sum() for r in trimmed)
    assert changes < 0.5 * sum((~r.valid).sum() for r in trimmed)


def test_the_sensor_is_noisy_but_not_absurd(trimmed):
    for recording in trimmed:
        seen = recording.valid.all(axis=-1)
        depth = recording.positions[..., 2][recording.valid]
        assert depth.min() > 0.4
        assert depth.max() < 7
        child, parent = np.array(LAYOUT.bones()).T
        bones = np.linalg.norm(
            recording.positions[..., child, :] - recording.positions[..., parent, :], axis=-1
        )[seen]
        if len(bones):
            assert np.median(bones, axis=0).max() < 0.6
            assert bones.std(axis=0).min() > 1e-3


def test_segments_lie_in_order_and_leave_background(untrimmed):
    gaps = []
    for recording in untrimmed:
        assert len(recording.segments) == 6
        assert recording.label is None
        for before, after in pairwise(recording.segments):
            assert before.stop <= after.start
            gaps.append(after.start - before.stop)
        assert recording.segments[0].start > 0
        assert recording.segments[-1].stop < recording.n_frames
    assert 0.05 < np.mean(np.array(gaps) == 0) < 0.4
    assert {s.label for r in untrimmed for s in r.segments} == set(SYNTHETIC_CLASSES)


def test_postures_of_a_script_follow_each_other(untrimmed):
    for recording in untrimmed:
        changes = [s.label for s in recording.segments if s.label in ("sit down", "stand up")]
        assert all(a != b for a, b in pairwise(changes))


def test_store_of_trimmed_recordings(tmp_path):
    store = make_synthetic(tmp_path / "store", size="tiny")
    assert len(store) == 12 * len(SYNTHETIC_CLASSES)
    assert store.classes == SYNTHETIC_CLASSES
    assert set(store.protocols) == {"cross-subject", "cross-view"}
    for protocol, column in (("cross-subject", store.subjects), ("cross-view", store.cameras)):
        train, test = (store.split(protocol, part) for part in ("train", "test"))
        assert len(train) + len(test) == len(store)
        assert 0.25 < len(test) / len(store) < 0.42
        assert not set(column[train]) & set(column[test])
        assert set(store.labels[test]) == set(range(len(SYNTHETIC_CLASSES)))
        assert len(store.duplicates(protocol)) == 0
    assert (store.meta["dataset"], store.meta["seed"], store.meta["untrimmed"]) == ("synthetic", 0, False)
    assert same(Store.open(tmp_path / "store")[17], list(islice(synthesize(), 18))[17])


def test_store_of_untrimmed_recordings(tmp_path):
    store = make_synthetic(tmp_path / "store", size="tiny", untrimmed=True, seed=7)
    assert len(store) == 12
    assert store[0].segments == next(synthesize_untrimmed(1, seed=7)).segments
    assert (store.labels == -1).all()


def test_bad_requests_are_told_before_anything_is_made(tmp_path):
    with pytest.raises(ConfigError, match="tiny, small, default"):
        make_synthetic(tmp_path / "store", size="huge")
    with pytest.raises(ConfigError, match="seed"):
        make_synthetic(tmp_path / "store", seed=-1)
    with pytest.raises(ConfigError, match="per_class"):
        synthesize(per_class=0)
    with pytest.raises(ConfigError, match="actions_per_recording"):
        synthesize_untrimmed(actions_per_recording=0)
    assert not (tmp_path / "store").exists()


def test_hard_for_a_nearest_neighbor_but_separable(trimmed):
    def resampled(sequence: np.ndarray) -> np.ndarray:
        return sequence[np.linspace(0, len(sequence) - 1, 16).round().astype(int)].ravel()

    labels = np.array([r.label for r in trimmed])
    test = np.array([cross_subject(r) == "test" for r in trimmed])
    bodies = [r.positions[:, 0] for r in trimmed]
    centered = np.stack([resampled(body - body[:, [JOINT["pelvis"]]]) for body in bodies])
    distance = ((centered[test, None] - centered[None, ~test]) ** 2).sum(axis=-1)
    assert (labels[~test][distance.argmin(axis=1)] == labels[test]).mean() < 0.6

    subjects = [draw_subject(np.random.default_rng([3, i])) for i in range(12)]
    angles, names, unseen = [], [], []
    for index in range(24 * len(ACTIONS)):
        action, who = ACTIONS[index % len(ACTIONS)], (index // len(ACTIONS)) % 12
        exact = trimmed_scene(action, subjects[who], np.random.default_rng([4, index]))
        (segment,) = exact.segments
        angles.append(resampled(exact.poses[segment.start : segment.stop]))
        names.append(action.name)
        unseen.append(who % 3 == 2)
    names, held = np.array(names), np.array(unseen)
    model = LogisticRegression(max_iter=2000).fit(np.stack(angles)[~held], names[~held])
    assert model.score(np.stack(angles)[held], names[held]) > 0.85
