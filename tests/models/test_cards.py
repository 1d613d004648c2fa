"""A card that somebody else has made: whatever stands in it, the answer is a sentence, at once."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from detectors import detector
from factories import CLASSES, JOINTS, LAYOUT, tiny
from hitrs import Detector, HiTRS, Recognizer
from hitrs.errors import CheckpointError, HitrsError
from hitrs.models.card import ModelCard
from hitrs.models.card_files import read_card
from hitrs.models.config import ModelConfig
from hitrs.tasks.recognition.model import RecognitionModel

resource = pytest.importorskip("resource", reason="memory cannot be bounded here")

HOSTILE: list[Any] = [
    None, True, 0, -1, 1, 7.5, 1e9, 10**9, 10**400, float("nan"), float("inf"), "", "x" * 100_000, "NaN", [],
    {}, [[]], [None], {"a": 1}, ["a", "a"], [1, 2], {"x": {"y": []}}, "../../x",
]  # fmt: skip


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    card = ModelCard(tiny(), LAYOUT, classes=CLASSES)
    model = RecognitionModel(HiTRS(tiny(), JOINTS), card)
    return model.save_pretrained(tmp_path_factory.mktemp("recognizer") / "model")


@pytest.fixture(scope="module")
def detecting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return detector().save_pretrained(tmp_path_factory.mktemp("detector") / "model")


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """A model that is built in the sizes of a hostile card takes all there is."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(values, dict | list):
        for key in values if isinstance(values, dict) else range(len(values)):
            yield from places(values[key], (*path, key))


def changed(values: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(values))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


@pytest.mark.parametrize("kind", ["recognizer", "detector"])
def test_hostile_cards(kind: str, recognizer: Path, detecting: Path, tmp_path: Path) -> None:
    """Each key with each odd value; what is accepted must work, what is not is refused in words."""
    folder, loader = (recognizer, Recognizer) if kind == "recognizer" else (detecting, Detector)
    values = json.loads((folder / "config.json").read_text())
    del values["sha256"]
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    tried = [(path, value) for path in places(values) for value in HOSTILE]
    messages = []
    for path, value in random.Random(0).sample(tried, 400):
        (tmp_path / "config.json").write_text(json.dumps(changed(values, path, value)))
        try:
            loader(tmp_path)
        except HitrsError as error:
            messages.append(str(error))
    assert len(messages) > 200
    assert max(map(len, messages)) < 2000


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("model", "layers"), 1e9, r"model\.layers must be a whole number from 0 to 256, got 1000000000\.0"),
        (("model", "layers"), 10**9, r"model\.layers must be a whole number from 0 to 256"),
        (("model", "max_clips"), 1e9, r"model\.max_clips must be a whole number"),
        (("model", "layers"), 200, "describes an encoder of .* numbers or more, they hold"),
        (("model", "width"), 10_000, "describes an encoder of .* numbers or more, they hold"),
        (("model", "max_clips"), 10_000, "describes an encoder of .* numbers or more, they hold"),
        (("model", "layers"), True, r"model\.layers must be a whole number"),
        (("model", "dropout"), float("nan"), r"model\.dropout must be a number"),
        (("model", "padded"), 1, r"model\.padded must be true or false"),
        (("model", "sort"), 1, "model: unknown key sort"),
        (("preprocessing", "frames"), 10**12, r"preprocessing\.frames must be a whole number"),
        (("persons",), 10**12, "persons must be a whole number from 1"),
        (("persons",), "5000 digits", "could not be read|cannot be read|more than 18 digits"),
        (("classes",), ["a", "a", "b"], "classes must differ"),
        (("classes",), [], "a recognizer needs classes"),
        (("classes",), "abc", "classes must be a list"),
        (("fps",), -1, "fps must be positive"),
        (("head", "dropout"), "0.1", r"head\.dropout must be a number"),
        (("head", "x"), 1, "head: unknown key x"),
        (("head",), [], "head must be a section"),
    ],
)
def test_what_is_wrong_is_named(
    recognizer: Path, tmp_path: Path, path: tuple[str, ...], value: Any, message: str
) -> None:
    values = json.loads((recognizer / "config.json").read_text())
    del values["sha256"]
    (tmp_path / "model.safetensors").write_bytes((recognizer / "model.safetensors").read_bytes())
    text = json.dumps(changed(values, path, value)).replace('"5000 digits"', "1" * 5000)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        Recognizer(tmp_path)


@pytest.mark.parametrize("text", ["[" * 200_000 + "]" * 200_000, '{"a":' * 100_000 + "1" + "}" * 100_000])
def test_a_card_that_is_nested_too_deeply(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match="it is nested too deeply"):
        read_card(tmp_path)


def test_a_card_that_is_too_long(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(CheckpointError, match="has more than 16777216 bytes"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("config", "joints"),
    [(ModelConfig(), 25), (tiny(), JOINTS), (tiny(window=9, layers=3, max_clips=500), JOINTS)],
)
def test_the_size_that_a_configuration_tells(config: ModelConfig, joints: int, tmp_path: Path) -> None:
    """A little less than the truth, so that no model is refused, and not much."""
    encoder = HiTRS(config, joints)
    encoder.save_pretrained(tmp_path / "m", ModelCard(config, LAYOUT))
    true = sum(value.numel() for value in load_file(tmp_path / "m" / "model.safetensors").values())
    assert 0.8 * true < config.numbers(joints) <= true
