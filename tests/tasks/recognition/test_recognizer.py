"""Raw recordings in, named classes out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from factories import CLASSES, JOINTS, LAYOUT, small_store, tiny
from hitrs import Recognizer, Recording, Store, write_npz
from hitrs.errors import CheckpointError, DataError, HitrsError, LayoutError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.models.features import collect, recording_features
from hitrs.skeleton import Layout
from hitrs.tasks.recognition import predict as predict_module
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset

MIXED = Layout(  # the same joints in another order, and one more
    "mixed",
    ("left_hand", "nose", "pelvis", "head", "right_hand", "right_shoulder", "left_shoulder"),
    (6, 3, 2, 2, 5, 2, 2),
    ((0, 4), (6, 5)),
    2,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("data") / "store", count=9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Path:
    """A recognizer with a preprocessing that matters."""
    torch.manual_seed(0)
    settings = PreprocessingConfig(stream="bone", center="first", align="yaw", scale="body")
    config = tiny()
    card = ModelCard(config, LAYOUT, settings, CLASSES)
    model = RecognitionModel(HiTRS(config, JOINTS), card)
    # untrained features hardly differ: a classifier that enlarges what differs tells recordings apart
    source = SkeletonDataset(store, range(len(store)), LAYOUT, settings)
    features = torch.from_numpy(collect(lambda b: recording_features(model.encoder, b, card), model, source))
    weight = torch.randn(len(CLASSES), features.shape[1]) / features.std()
    model.classifier.load_state_dict({"weight": weight, "bias": -weight @ features.mean(0)})
    return model.save_pretrained(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def recognizer(folder: Path) -> Recognizer:
    return Recognizer(folder)


def probabilities(found) -> dict[str, float]:
    return {p.label: p.probability for p in found.scores}


def test_the_saved_preprocessing_is_applied(recognizer: Recognizer, folder: Path, store: Store) -> None:
    model = RecognitionModel.from_pretrained(folder)
    source = SkeletonDataset(store, range(len(store)), LAYOUT, model.card.preprocessing)
    expected = collect(lambda batch: model(batch).softmax(1), model, source)
    for row, found in zip(expected, recognizer.recognize_many(store), strict=True):
        assert [probabilities(found)[name] for name in CLASSES] == pytest.approx(row.tolist(), abs=1e-5)
    assert np.ptp(expected[:, 0]) > 0.05  # the test could tell recordings apart


def test_results_are_sorted_and_named(recognizer: Recognizer, store: Store) -> None:
    found = recognizer(store[0])
    values = [p.probability for p in found.scores]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1)
    assert found.label == found.scores[0].label == max(probabilities(found), key=probabilities(found).get)
    assert found.probability == values[0]
    assert found.name == store.name(0)
    assert found.to_dict()["scores"][0] == {"label": found.label, "probability": found.probability}


def test_arrays_files_and_recordings_are_the_same(
    recognizer: Recognizer, store: Store, tmp_path: Path
) -> None:
    recording = store[0]  # one person
    write_npz(recording, tmp_path / "a.npz")
    expected = probabilities(recognizer(recording))
    assert probabilities(recognizer(tmp_path / "a.npz")) == expected
    assert probabilities(recognizer(str(tmp_path / "a.npz"))) == expected
    assert probabilities(recognizer(recording.positions, valid=recording.valid)) == expected
    assert probabilities(recognizer(recording.positions[:, 0], valid=recording.valid[:, 0])) == expected
    assert (
        probabilities(recognizer(recording.positions.astype(np.float64), valid=recording.valid)) == expected
    )


def test_unseen_joints_are_masked_whatever_stands_there(recognizer: Recognizer, store: Store) -> None:
    recording = store[1]
    junk = np.where(recording.valid[..., None], recording.positions, 1e6)
    assert probabilities(recognizer(junk, valid=recording.valid)) == probabilities(recognizer(recording))
    as_zeros = recognizer(recording.positions, as_is=True)
    assert probabilities(as_zeros) != probabilities(recognizer(recording))
    found_lost = recognizer(recording.positions)
    assert probabilities(found_lost) == probabilities(recognizer(recording))


def test_other_layouts_are_mapped_by_joint_name(recognizer: Recognizer, store: Store) -> None:
    recording = store[1]
    shape = (*recording.positions.shape[:2], MIXED.n_joints)
    positions, valid = np.zeros((*shape, 3), np.float32), np.zeros(shape, bool)
    for place, joint in enumerate(MIXED.joints):
        if joint in LAYOUT.joints:
            positions[:, :, place] = recording.positions[:, :, LAYOUT.joints.index(joint)]
            valid[:, :, place] = recording.valid[:, :, LAYOUT.joints.index(joint)]
    expected = probabilities(recognizer(recording))
    assert probabilities(recognizer(positions, valid=valid, layout=MIXED)) == expected
    assert probabilities(recognizer(Recording(positions, valid, MIXED, name="mixed"))) == expected


def test_a_batch_gives_what_single_recordings_give(
    recognizer: Recognizer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    singles = [recognizer(recording) for recording in store]
    shapes: list[tuple[int, ...]] = []
    hook = recognizer.model.register_forward_pre_hook(
        lambda _, args: shapes.append(tuple(args[0].positions.shape[:3]))
    )
    for frames in (8192, 64):  # in one batch, in several
        monkeypatch.setattr(predict_module, "BATCH_FRAMES", frames)
        shapes.clear()
        together = recognizer.recognize_many(store)
        assert all(shape[0] == 1 or np.prod(shape) <= frames for shape in shapes)
        assert (len(shapes) == 1) == (frames == 8192)
        assert [found.name for found in together] == [found.name for found in singles]
        for one, other in zip(singles, together, strict=True):
            assert probabilities(other) == pytest.approx(probabilities(one), abs=1e-5)
    hook.remove()


def test_no_recordings_no_results(recognizer: Recognizer) -> None:
    assert recognizer.recognize_many([]) == []


@pytest.mark.parametrize("frames", [1, 2, 500])
def test_any_length(recognizer: Recognizer, frames: int) -> None:
    """One frame, and far more than the 12 clips that this model sees at once."""
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(frames, JOINTS, 3))
    assert recognizer(positions).probability > 1 / len(CLASSES)


@pytest.mark.parametrize(
    ("positions", "kind", "message"),
    [
        (np.zeros((5, JOINTS, 2)), LayoutError, "a model of 3-D skeletons cannot read 2-D ones"),
        (np.zeros((5, 25, 3)), LayoutError, "which could be cmu25 or ntu25"),
        (np.zeros((5, 20, 3)), LayoutError, "which could be kinect20 or utd20"),
        (np.zeros((5, 99, 3)), LayoutError, "describe yours in a layout file"),
        (np.zeros((0, JOINTS, 3)), DataError, "is empty"),
        (np.zeros((5, 0, JOINTS, 3)), DataError, "is empty"),
        (np.zeros((5, JOINTS)), DataError, "expected (frames, joints, coordinates)"),
        (np.full((5, JOINTS, 3), np.nan), DataError, "no joint was seen in any frame"),
        (np.full((5, JOINTS, 3), -np.inf), DataError, "a valid joint needs finite ones"),
        (np.array([["a"]]), DataError, "expected numbers"),
        ("nowhere.npz", DataError, "nowhere.npz"),
    ],
)
def test_what_cannot_be_recognized(
    recognizer: Recognizer, positions: object, kind: type[HitrsError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        recognizer(positions)
    assert message in str(caught.value)


def test_validity_that_does_not_fit(recognizer: Recognizer) -> None:
    positions = np.zeros((5, JOINTS, 3))
    with pytest.raises(DataError, match="valid is bool of shape"):
        recognizer(positions, valid=np.ones((4, JOINTS), bool))
    with pytest.raises(DataError, match="expected bool"):
        recognizer(positions, valid=np.ones((5, JOINTS)))
    with pytest.raises(DataError, match="no joint was seen"):
        recognizer(positions, valid=np.zeros((5, JOINTS), bool))


def test_a_2d_recording_for_a_3d_model(recognizer: Recognizer) -> None:
    flat = replace(LAYOUT, dims=2)
    with pytest.raises(LayoutError, match="2-D"):
        recognizer(np.zeros((5, JOINTS, 2)), layout=flat)


def test_the_message_says_which_of_many(recognizer: Recognizer) -> None:
    rng = np.random.default_rng(0)
    good, bad = rng.normal(size=(5, JOINTS, 3)), rng.normal(size=(5, JOINTS + 1, 3))
    with pytest.raises(LayoutError, match="input 1 has 7 joints"):
        recognizer.recognize_many([good, bad])


def test_a_model_without_classes(tmp_path: Path) -> None:
    config = tiny()
    HiTRS(config, JOINTS).save_pretrained(tmp_path / "encoder", ModelCard(config, LAYOUT))
    with pytest.raises(CheckpointError, match="hitrs finetune"):
        Recognizer(tmp_path / "encoder")


def test_nan_in_an_array_says_that_a_joint_was_not_seen(recognizer: Recognizer) -> None:
    positions = np.random.default_rng(0).normal(size=(9, JOINTS, 3)).astype(np.float32)
    seen = np.ones((9, JOINTS), bool)
    seen[3, 4] = False
    expected = recognizer(positions, valid=seen)
    positions[3, 4] = np.nan
    assert recognizer(positions) == expected


def test_a_folder_is_not_a_file(recognizer: Recognizer, tmp_path) -> None:
    with pytest.raises(DataError, match="is a folder; name the files in it"):
        recognizer(tmp_path)


def test_a_csv_of_the_models_own_layout_needs_no_layout_named(recognizer: Recognizer, tmp_path) -> None:
    layout = recognizer.layout
    header = ",".join(f"{joint}_{axis}" for joint in layout.joints for axis in "xyz")
    values = np.random.default_rng(0).normal(size=(9, JOINTS * 3))
    np.savetxt(tmp_path / "a.csv", values, delimiter=",", header=header, comments="")
    found = recognizer(tmp_path / "a.csv").scores
    expected = recognizer(values.reshape(9, JOINTS, 3)).scores
    assert [p.label for p in found] == [p.label for p in expected]
    assert [p.probability for p in found] == pytest.approx([p.probability for p in expected], abs=1e-5)


def test_no_percentage_of_what_is_not_finite(folder: Path) -> None:
    recognizer = Recognizer(folder)
    with torch.no_grad():
        recognizer.model.classifier.weight.fill_(3e38)
    walk = np.random.default_rng(0).normal(size=(12, recognizer.layout.n_joints, 3))
    with pytest.raises(DataError, match="recording 'input': what the model makes of it is not finite"):
        recognizer(walk)
