"""Files that leave the package: they answer as the model, or they are not there."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from detectors import detector
from factories import CLASSES, LAYOUT, small_store, tiny
from hitrs import Detector, OnlineDetector, Recognizer
from hitrs.cli.main import main
from hitrs.errors import CheckpointError, ConfigError, DataError, WriteError
from hitrs.export import ExportedModel, export_model, job
from hitrs.export.encoder import encoder_graph
from hitrs.export.job import largest_difference, made_up_recording
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.models.exported import KEY, metadata, read_metadata
from hitrs.tasks.base import Task, get_task
from hitrs.tasks.recognition.config import RecognitionHeadConfig
from hitrs.tasks.recognition.graph import recognition_graph
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.transforms.config import PreprocessingConfig
from predictors import predictor

LIGHT = PreprocessingConfig("fused", "frame", "yaw", "y", "body", 0, 2)
SIZES = ((1, 1), (2, 3), (33, 2), (120, 1))


def recognizer() -> RecognitionModel:
    """A model that reads every level, and cuts long recordings."""
    torch.manual_seed(0)
    head = RecognitionHeadConfig("pooled")
    card = ModelCard(tiny(max_clips=6), LAYOUT, LIGHT, CLASSES, head=asdict(head), fps=30.0)
    model = RecognitionModel.untrained(card).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(2.0)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, ``tuned``, the file that the command makes of it, ``tuned.onnx``, and what it prints."""
    place = tmp_path_factory.mktemp("exported")
    recognizer().save_pretrained(place / "tuned")
    small_store(place / "store")
    words = ["export", str(place / "tuned"), str(place / "tuned.onnx"), "--store", str(place / "store")]
    with redirect_stdout(StringIO()) as printed:
        assert main(words) == 0
    (place / "printed").write_text(printed.getvalue(), encoding="utf-8")
    return place


def test_a_recognizer_as_a_file(folder: Path) -> None:
    model, file = recognizer(), ExportedModel(folder / "tuned.onnx")
    assert file.card == model.card
    assert file.precision == "fp32"
    assert file.output.axes == (3,)
    graph = recognition_graph(model)
    assert largest_difference(graph, file, SIZES) < 1e-5
    assert file(made_up_recording(graph, 12, 2)).sum() == pytest.approx(1.0)


def test_its_figures_beside_those_of_the_model(folder: Path) -> None:
    printed = (folder / "printed").read_text(encoding="utf-8")
    assert "checked     in onnxruntime, 7 recordings of 1 to" in printed
    (figures,) = [line.split()[-2:] for line in printed.splitlines() if line.startswith("top-1, all")]
    assert figures[0] == figures[1]


def weight_bytes(path: Path) -> int:
    return sum(len(weight.raw_data) for weight in onnx.load(path).graph.initializer)


@pytest.mark.parametrize(("precision", "least", "most"), [("fp16", 0.0, 0.01), ("int8", 1e-5, 0.3)])
def test_smaller_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, least: float, most: float
) -> None:
    whole = folder / "tuned.onnx"
    monkeypatch.setattr(job, "_write", lambda graph, about, path: shutil.copy(whole, path))
    model = recognizer()
    done = export_model(recognition_graph(model), model.card, tmp_path / "out.onnx", precision=precision)
    assert least < done.difference < most
    assert weight_bytes(done.path) < 0.8 * weight_bytes(whole)
    assert ExportedModel(done.path).card == model.card
    assert [path.name for path in tmp_path.iterdir()] == ["out.onnx"]


@pytest.mark.parametrize("kind", ["detector", "predictor", "encoder"])
def test_the_others_as_files(tmp_path: Path, kind: str) -> None:
    if kind == "detector":
        model = detector(causal=True, mode="paper")
        graph, card = get_task("detection").graph(model), model.card
    elif kind == "predictor":
        settings = PreprocessingConfig("joint", "frame", "running", "y", "running")
        graph, card = get_task("prediction").graph(predictor(preprocessing=settings)), predictor().card
    else:
        torch.manual_seed(0)
        encoder = HiTRS(tiny(), LAYOUT.n_joints).eval()
        encoder.card = ModelCard(encoder.config, LAYOUT, classes=CLASSES)
        graph, card = encoder_graph(encoder)
        assert card.classes == ()
    done = export_model(graph, card, tmp_path / f"{kind}.onnx")
    assert done.difference < 2e-5
    file = ExportedModel(done.path)
    assert json.dumps(file.card.to_dict()) == json.dumps(card.to_dict())
    assert (file.input, file.output) == (graph.input, graph.output)


def test_a_file_that_answers_otherwise_is_not_left(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_write", lambda graph, about, path: shutil.copy(folder / "tuned.onnx", path))
    graph = recognition_graph(recognizer())
    wrong = replace(graph, answer=lambda positions: graph.answer(positions) + 2e-4)
    with pytest.raises(CheckpointError, match=r"was not written: .* differ from the model's by 0.0002"):
        export_model(wrong, recognizer().card, tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_exported_by_this_package(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(folder / "tuned.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(CheckpointError, match="was not written by `hitrs export`"):
        ExportedModel(tmp_path / "foreign.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(CheckpointError, match="is no ONNX file"):
        ExportedModel(tmp_path / "text.onnx")
    with pytest.raises(CheckpointError, match=r"cannot read .*nowhere.onnx"):
        ExportedModel(tmp_path / "nowhere.onnx")


def test_metadata_are_checked_like_a_card() -> None:
    model = recognizer()
    values = metadata(model.card, recognition_graph(model), "fp32")
    assert read_metadata(json.dumps(values))[0] == model.card
    for where, wrong in [
        (("card", "model", "layers"), 10**9),
        (("card", "classes"), "wave"),
        (("precision",), "fp64"),
        (("format_version",), 2),
        (("input", "axes"), [0, "persons", 6, 3]),
        (("output", "name"), 7),
    ]:
        changed = json.loads(json.dumps({key: value for key, value in values.items() if key != "sha256"}))
        inner = changed
        for key in where[:-1]:
            inner = inner[key]
        inner[where[-1]] = wrong
        with pytest.raises(ConfigError):
            read_metadata(json.dumps(changed))
    with pytest.raises(ConfigError, match="changed by hand"):
        read_metadata(json.dumps({**values, "precision": "int8"}))


def test_damaged_metadata_are_a_sentence(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(folder / "tuned.onnx")
    for text in ("{", "[]", "{}", json.dumps({"format_version": 1})):
        (prop,) = [each for each in model.metadata_props if each.key == KEY]
        prop.value = text
        onnx.save(model, tmp_path / "damaged.onnx")
        with pytest.raises(CheckpointError, match="are not those of an exported model"):
            ExportedModel(tmp_path / "damaged.onnx")


@pytest.mark.parametrize("shape", [(4, 6, 3), (4, 1, 5, 3), (4, 1, 6, 2), (0, 1, 6, 3)])
def test_another_shape_is_refused(folder: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"takes positions of shape \(frames, persons, 6, 3\)"):
        ExportedModel(folder / "tuned.onnx")(np.zeros(shape, np.float32))


def test_places_and_words_that_are_refused(tmp_path: Path) -> None:
    model = recognizer()
    graph = recognition_graph(model)
    with pytest.raises(ConfigError, match=r"is a file \*.onnx"):
        export_model(graph, model.card, tmp_path / "tuned")
    with pytest.raises(ConfigError, match="precision must be one of"):
        export_model(graph, model.card, tmp_path / "a.onnx", precision="bf16")
    (tmp_path / "b.onnx").mkdir()
    with pytest.raises(WriteError, match="is a folder"):
        export_model(graph, model.card, tmp_path / "b.onnx")


def test_a_task_that_does_not_say_how() -> None:
    class Silent(Task):
        name = "silent"
        job = evaluate = None  # type: ignore[assignment]

    with pytest.raises(ConfigError, match="a model for silent cannot be exported"):
        Silent().graph(recognizer())
    with pytest.raises(ConfigError, match="for silent cannot be tested"):
        Silent().answered(recognizer(), lambda positions: positions)


def test_what_an_encoder_has_no_use_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(folder / "tuned"), str(folder / "x.onnx")]
    assert main([*words, "--encoder", "--store", "motion"]) == 1
    assert "an encoder alone has no figures" in capsys.readouterr().err
    assert main([*words, "--protocol", "subjects"]) == 1
    assert "name the store" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_the_extra_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    model = recognizer()
    with pytest.raises(ConfigError, match=rf'need {package}: pip install "hitrs\[onnx\]"'):
        export_model(recognition_graph(model), model.card, tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


def test_reading_needs_onnxruntime(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r'need onnxruntime: pip install "hitrs\[onnx\]"'):
        ExportedModel(folder / "tuned.onnx")


def test_a_causal_detector_frame_by_frame(tmp_path: Path) -> None:
    settings = PreprocessingConfig("fused", "frame", "running", "y", "running", tubelet=2)
    model = detector(preprocessing=settings, history=2)
    graph = get_task("detection").online_graph(model)
    done = export_model(graph, model.card, tmp_path / "online.onnx")
    assert done.difference < 2e-5
    file = ExportedModel(done.path)
    assert file.state == graph.state
    rng = np.random.default_rng(0)
    positions = (rng.normal(size=(1, 2, 6, 3)) + rng.normal(0, 0.1, (50, 2, 6, 3)).cumsum(0)).astype(
        np.float32
    )
    positions[rng.random(positions.shape[:3]) < 0.2] = np.nan
    positions[:20, 1] = positions[30:, 0] = np.nan
    ours, files = OnlineDetector(model), OnlineDetector(done.path)
    for frame in positions:
        one, other = ours.update(frame), files.update(frame)
        np.testing.assert_allclose(other.probabilities, one.probabilities, atol=1e-5)
        assert [event.kind for event in other.events] == [event.kind for event in one.events]
    np.testing.assert_allclose(
        Detector(done.path)(positions).probabilities, Detector(model)(positions).probabilities, atol=1e-5
    )


def test_who_takes_which_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CheckpointError, match="is a model for recognition, not one for detection"):
        Detector(folder / "tuned.onnx")
    with pytest.raises(ConfigError, match="computes on the CPU, not on cuda"):
        Recognizer(folder / "tuned.onnx", device="cuda")
    with pytest.raises(ConfigError, match=r"answers for whole recordings; .*--online"):
        ExportedModel(folder / "tuned.onnx").frame_by_frame(1)
    words = ["export", str(folder / "tuned"), str(folder / "x.onnx"), "--online"]
    assert main(words) == 1
    assert "a model for recognition does not answer frame by frame" in capsys.readouterr().err
    assert main([*words, "--encoder"]) == 1
    assert "an encoder alone does not answer frame by frame" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_runs_a_file(folder: Path) -> None:
    """onnxruntime's threads stay with the parent."""
    code = f"""
import os, signal, sys
import numpy as np
from hitrs.models.exported import ExportedModel
model, walk = ExportedModel({str(folder / "tuned.onnx")!r}, threads=2), np.ones((300, 3, 6, 3), np.float32)
expected = model(walk)
child = os.fork()
if not child:
    signal.alarm(60)  # it would wait for ever
    os._exit(0 if np.allclose(model(walk), expected, atol=1e-5) else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0
