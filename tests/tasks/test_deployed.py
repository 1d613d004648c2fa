"""What all classes for applications do with a model and with recordings."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from detectors import detector
from factories import CLASSES, JOINTS, LAYOUT, small_store
from hitrs import Detector, OnlineDetector, Recognizer, Recording
from hitrs.data.space import Space
from hitrs.errors import CheckpointError, DataError, LayoutError
from hitrs.skeleton import Layout
from hitrs.transforms.config import PreprocessingConfig
from hitrs.transforms.dataset import InMemoryDataset, SkeletonDataset

SHOULDERS = Layout("shoulders", ("left_shoulder", "right_shoulder"), (0, 0), ((0, 1),), 0)
SETTINGS = PreprocessingConfig(center="first", scale="body")


@pytest.fixture
def recordings(tmp_path: Path) -> list[Recording]:
    return list(small_store(tmp_path / "recordings", count=4))


def test_recordings_in_memory_are_those_of_a_store(tmp_path: Path) -> None:
    store = small_store(tmp_path / "store", count=4)
    stored = SkeletonDataset(store, [3, 1], LAYOUT, SETTINGS)
    in_memory = InMemoryDataset([store[3], store[1]], LAYOUT, SETTINGS)
    assert in_memory.frames.tolist() == stored.frames.tolist()
    assert in_memory.persons.tolist() == stored.persons.tolist()
    one, other = in_memory.batch([1, 0]), stored.batch([1, 0])
    assert torch.equal(one.positions, other.positions)
    assert torch.equal(one.valid, other.valid)
    assert torch.equal(one.lengths, other.lengths)


def test_each_recording_in_memory_has_its_own_layout(recordings: list[Recording]) -> None:
    joints = [LAYOUT.joints.index(joint) for joint in SHOULDERS.joints]
    whole = recordings[0]
    part = Recording(whole.positions[:, :, joints], whole.valid[:, :, joints], SHOULDERS, name="part")
    batch = InMemoryDataset([whole, part], LAYOUT, PreprocessingConfig()).batch([0, 1])
    assert torch.equal(batch.valid[0, ..., joints], batch.valid[1, ..., joints])
    assert torch.equal(batch.positions[0, ..., joints, :], batch.positions[1, ..., joints, :])
    assert batch.valid[1].any(0).any(0).nonzero().flatten().tolist() == joints
    flat = Recording(np.ones((3, 1, JOINTS, 2)), np.ones((3, 1, JOINTS), bool), _flat(), name="flat")
    with pytest.raises(LayoutError, match=r"recording 'flat' holds 2-D"):
        InMemoryDataset([whole, flat], LAYOUT, PreprocessingConfig())


def _flat() -> Layout:
    return Layout("flat", LAYOUT.joints, LAYOUT.parents, LAYOUT.pairs, LAYOUT.center, dims=2)


def test_a_model_may_be_loaded_already(tmp_path: Path, recordings: list[Recording]) -> None:
    model = detector(fps=30.0)
    loaded = Detector(model.train())
    assert loaded.model is model
    assert not model.training
    assert loaded.classes == CLASSES
    assert loaded.layout == LAYOUT
    assert loaded.device == torch.device("cpu")
    read = Detector(model.save_pretrained(tmp_path / "model"), device="cpu")
    np.testing.assert_array_equal(read(recordings[0]).probabilities, loaded(recordings[0]).probabilities)
    assert OnlineDetector(tmp_path / "model").classes == CLASSES
    with pytest.raises(CheckpointError, match="is a model for detection, not for recognition"):
        Recognizer(tmp_path / "model")


def test_a_usable_recording_has_the_models_rate_and_somebody_in_it(recordings: list[Recording]) -> None:
    deployed = Detector(detector(fps=15.0, space=Space(seen=0.6)))
    with pytest.raises(DataError, match=r"30 frames a second.*15"):
        deployed.recording(recordings[0])
    assert deployed.recording(recordings[0], resample=True).fps == 15.0
    nobody = np.zeros((4, JOINTS), bool)
    with pytest.raises(DataError, match="no joint was seen in any frame"):
        deployed.recording(np.zeros((4, JOINTS, 3)), valid=nobody)
    with pytest.raises(LayoutError, match="there has 2 joints"):
        deployed.recording(np.zeros((4, 2, 3)), name="there")
    shoulders = np.arange(24).reshape(4, 2, 3)
    assert deployed.recording(shoulders, layout=SHOULDERS).layout == SHOULDERS


FORKED = """
import os, signal
import numpy as np
import torch
torch.set_num_threads(2)
from hitrs import Recognizer
from hitrs.models.card import ModelCard
from hitrs.models.config import ModelConfig
from hitrs.models.encoder import HiTRS
from hitrs.skeleton import get_layout
from hitrs.tasks.recognition.model import RecognitionModel
config, layout = ModelConfig(width=64, layers=1), get_layout("kinect20")
model = RecognitionModel(HiTRS(config, 20), ModelCard(config, layout, classes=("a", "b")))
recognizer, walk = Recognizer(model), np.random.default_rng(0).normal(size=(300, 20, 3))
expected = recognizer(walk)
child = os.fork()
if not child:
    signal.alarm(60)  # it would wait for ever
    found = recognizer(walk)
    os._exit(0 if abs(found.probability - expected.probability) < 1e-5 else 3)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_answers() -> None:
    """A web server that forks after loading its model."""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], check=False).returncode == 0
