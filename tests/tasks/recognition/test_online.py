"""Recognition in a sliding window, and on beginnings of recordings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import hitrs
from factories import CLASSES, JOINTS, LAYOUT, small_store, tiny
from hitrs import OnlineRecognizer, Recognizer, Recording, Store
from hitrs.cli.main import main
from hitrs.data.protocol import protocol_split
from hitrs.errors import ConfigError, DataError, LayoutError
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.tasks.base import EvalOptions, get_task
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.transforms.config import PreprocessingConfig


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("online") / "store")


@pytest.fixture
def model() -> RecognitionModel:
    torch.manual_seed(0)
    settings = PreprocessingConfig(center="first", align="yaw", scale="body")
    return RecognitionModel(HiTRS(tiny(), JOINTS), ModelCard(tiny(), LAYOUT, settings, CLASSES)).eval()


@pytest.fixture
def recording(store: Store) -> Recording:
    return store[3]


def feed(online: OnlineRecognizer, recording: Recording) -> list[hitrs.Recognition | None]:
    return [online.update(*frame) for frame in zip(recording.positions, recording.valid, strict=True)]


def test_each_frame_gets_what_the_window_gets(model: RecognitionModel, recording: Recording) -> None:
    window = 8
    online, whole = OnlineRecognizer(model, window=window), Recognizer(model)
    for end, found in enumerate(feed(online, recording), start=1):
        rows = slice(max(0, end - window), end)
        part = replace(recording, positions=recording.positions[rows], valid=recording.valid[rows])
        expected = whole(part)
        assert found is not None
        assert found.label == expected.label
        assert found.probability == pytest.approx(expected.probability, abs=1e-6)
    assert online.frames == recording.n_frames


def test_nobody_gets_no_class_and_the_past_is_forgotten(
    model: RecognitionModel, recording: Recording
) -> None:
    online = OnlineRecognizer(model, window=3)
    absent = np.full(recording.positions.shape[1:], np.nan)
    assert online.update(absent) is None
    assert online.update(recording.positions[0], recording.valid[0]) is not None
    assert [online.update(absent) is None for _ in range(3)] == [False, False, True]
    before = feed(online, recording)[-1]
    online.reset()
    assert online.frames == 0
    after = feed(online, recording)[-1]
    assert before is not None
    assert after is not None
    assert after.scores == before.scores  # only the window matters


def test_what_is_converted_is_told_once(model: RecognitionModel, store: Store, recording: Recording) -> None:
    index = store.split("subjects", "train")
    data = hitrs.SkeletonDataset(store, index, LAYOUT, model.card.preprocessing)
    unscaled = replace(model.card, space=data.space, preprocessing=PreprocessingConfig(center="first"))
    online = OnlineRecognizer(RecognitionModel(model.encoder, unscaled).eval())
    large = replace(recording, positions=1000 * recording.positions)
    notes = [found.notes for found in feed(online, large) if found]
    told = [note for each in notes for note in each if "converted from" in note]
    assert len(told) == 1


@pytest.mark.parametrize("bad", ["inf", "joints", "bodies"])
def test_a_bad_frame_is_as_if_it_had_not_been_there(
    model: RecognitionModel, recording: Recording, bad: str
) -> None:
    online, undisturbed = OnlineRecognizer(model), OnlineRecognizer(model)
    first = recording.positions[0]
    frame = {
        "inf": np.full_like(first, np.inf),
        "joints": first[:, :-1],
        "bodies": np.concatenate([first, first]),
    }[bad]
    for positions, valid in zip(recording.positions, recording.valid, strict=True):
        found = online.update(positions, valid)
        assert found == undisturbed.update(positions, valid)
        with pytest.raises(LayoutError if bad == "joints" else DataError, match=f"frame {online.frames}"):
            online.update(frame)
    assert online.frames == recording.n_frames


def test_a_window_has_a_frame(model: RecognitionModel) -> None:
    with pytest.raises(ConfigError, match="at least one frame"):
        OnlineRecognizer(model, window=0)


def test_accuracy_on_beginnings(model: RecognitionModel, store: Store) -> None:
    split = protocol_split(store)
    metrics = get_task("recognition").evaluate([model], split, EvalOptions(early=True))["all"]
    assert list(metrics["early"]) == [str(percent) for percent in range(10, 101, 10)]
    assert metrics["early"]["100"] == metrics["top1"]
    recognizer, right = Recognizer(model), []
    for index in split.test:
        whole = store[int(index)]
        half = slice(0, -(-whole.n_frames // 2))
        part = replace(whole, positions=whole.positions[half], valid=whole.valid[half])
        right.append(recognizer(part, as_is=True).label == whole.label)
    assert metrics["early"]["50"] == pytest.approx(100 * np.mean(right), abs=0.01)


def test_beginnings_on_the_command_line(
    model: RecognitionModel, store: Store, tmp_path: Path, capsys
) -> None:
    folder = model.save_pretrained(tmp_path / "model")
    assert main(["evaluate", str(store.path), str(folder), "--early"]) == 0
    titles = next(line for line in capsys.readouterr().out.splitlines() if "of the recording" in line)
    assert titles.split()[-2:] == ["90%", "100%"]
