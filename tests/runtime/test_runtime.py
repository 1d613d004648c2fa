"""hitrs-runtime answers as hitrs, without PyTorch."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import onnx
import pytest

from hitrs import OnlineRecognizer, Recognizer
from hitrs.export import export_model
from hitrs.models.exported import KEY
from hitrs.skeleton import get_layout, map_positions
from hitrs.tasks.base import get_task
from people_models import people_recognizer, person

CHILD = """
import json, sys
import numpy as np
import hitrs_runtime as hitrs

recognizer = hitrs.Recognizer("people.onnx")
online = hitrs.OnlineRecognizer("people.onnx", window=9, layout="ntu25")
given = np.load("given.npz")
joints = given["joints"].tolist()
found = recognizer(given["positions"], layout=joints, fps=60, resample=True, unit="centimeters")
steps = [online.update(frame) for frame in given["ntu"]]
print(json.dumps({
    "whole": [found.to_dict(), found.known, found.label, found.probability],
    "steps": [[each.to_dict(), each.known] for each in steps],
    "packages": sorted({name.split(".")[0] for name in sys.modules} - {"__main__", *sys.stdlib_module_names}),
}))
"""
SENTENCES = """
import hitrs_runtime as hitrs
import numpy as np

def refused(what, *arguments, **more):
    try:
        what(*arguments, **more)
    except hitrs.HitrsError as error:
        print(f"{type(error).__name__}: {error}".replace(chr(10), " "))
    else:
        print("taken")

for file in ("newer.onnx", "newer_card.onnx", "classes.onnx", "cut.onnx", "nowhere.onnx", "runs/tuned"):
    refused(hitrs.Recognizer, file)
refused(hitrs.Detector, "people.onnx")
refused(hitrs.OnlineDetector, "people.onnx")
recognizer = hitrs.Recognizer("people.onnx")
refused(recognizer, "clip.npz")
refused(recognizer, np.zeros((4, 20, 3)), layout="mine.yaml")
refused(recognizer, np.zeros((4, 20, 3)), unit="feet")
refused(recognizer, np.load("given.npz")["positions"][:, :, :3], layout=["head", "neck", "left_ear"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported recognizer, files that are none, and recordings."""
    place = tmp_path_factory.mktemp("people")
    model = people_recognizer(fps=30.0, postprocessing={"confidence": {"temperature": 2.0, "threshold": 0.3}})
    model.save_pretrained(place / "model")
    export_model(get_task("recognition").graph(model), model.card, place / "people.onnx")
    for name, change in {
        "newer": lambda values: values.update(format_version=2),
        "newer_card": lambda values: values["card"].update(format_version=99),
        "classes": lambda values: values["card"].update(classes=["wave", "nod"]),
    }.items():
        graph = onnx.load(place / "people.onnx")
        (entry,) = [each for each in graph.metadata_props if each.key == KEY]
        values = json.loads(entry.value)
        change(values)
        del values["sha256"]
        entry.value = json.dumps(values)
        onnx.save(graph, place / f"{name}.onnx")
    content = (place / "people.onnx").read_bytes()
    (place / "cut.onnx").write_bytes(content[: len(content) // 2])
    given, rng = person(100, frames=60), np.random.default_rng(0)
    order = rng.permutation(20)
    positions = given.positions[:, :, order]
    positions[rng.random(positions.shape[:3]) < 0.1] = np.nan
    ntu = person().positions[:20] * np.float32(1000)
    np.savez(
        place / "given.npz",
        positions=positions,
        joints=[given.layout.joints[joint] for joint in order],
        ntu=in_ntu(ntu),
    )
    return place


def in_ntu(positions: np.ndarray) -> np.ndarray:
    """Joints of Kinect v1 in the layout of v2."""
    valid = np.ones(positions.shape[:-1], bool)
    mapped, seen = map_positions(positions, valid, get_layout("kinect20"), get_layout("ntu25"))
    return np.where(seen[..., None], mapped, np.nan).astype(np.float32)


def run(python: Path, folder: Path, code: str) -> list[str]:
    done = subprocess.run([python, "-I", "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_its_answers_are_those_of_hitrs(python: Path, folder: Path) -> None:
    found = json.loads(run(python, folder, CHILD)[0])
    assert found["packages"] == ["hitrs_runtime", "numpy", "onnxruntime"]
    given = np.load(folder / "given.npz")
    own = Recognizer(folder / "model")(
        given["positions"], layout=given["joints"].tolist(), fps=60, resample=True, unit="centimeters"
    )
    answer, known, label, probability = found["whole"]
    assert_same(answer, own.to_dict())
    assert (known, label) == (own.known, own.label)
    assert probability == pytest.approx(own.probability, abs=1e-5)
    assert own.notes == ("converted from centimeters to meters, as the model was trained",)
    online = OnlineRecognizer(folder / "model", window=9, layout="ntu25")
    for (answer, known), frame in zip(found["steps"], given["ntu"], strict=True):
        expected = online.update(frame)
        assert expected is not None
        assert_same(answer, expected.to_dict())
        assert known == expected.known


def assert_same(answer: dict, expected: dict) -> None:
    both = [each.pop("scores") for each in (answer, expected)]
    chances = [{score["label"]: score["probability"] for score in scores} for scores in both]
    assert chances[0] == pytest.approx(chances[1], abs=1e-5)
    assert answer == expected


def test_what_it_refuses_is_a_sentence(python: Path, folder: Path) -> None:
    wanted = [
        "CheckpointError: the metadata of newer.onnx .* format_version is 2, this release reads 1",
        "CheckpointError: the metadata of newer_card.onnx .* card.format_version is 99",
        "CheckpointError: the metadata of classes.onnx .* 2 classes and 20 joints .* do not go with",
        "CheckpointError: cut.onnx is no ONNX file that onnxruntime reads",
        "CheckpointError: cannot read nowhere.onnx: there is no such file",
        "CheckpointError: runs/tuned is no exported file: hitrs-runtime runs what `hitrs export",
        "CheckpointError: people.onnx is a model for recognition, not one for detection",
        "CheckpointError: people.onnx is a model for recognition, not one for detection",
        "DataError: hitrs-runtime reads no files such as clip.npz: give an array",
        "LayoutError: there is no layout 'mine.yaml'.* or give the names of the joints as a list",
        "ConfigError: unit must be one of meters, centimeters, millimeters, got 'feet'",
        "DataError: recording 'input': .* of 20 joints matched, .* the model needs 50% of them",
    ]
    lines = run(python, folder, SENTENCES)
    assert len(lines) == len(wanted)
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.match(pattern, line), line


def test_the_wheel_is_small_and_owns_its_files_alone(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
        sizes = sum(each.file_size for each in archive.infolist())
        sources = {name: archive.read(name).decode() for name in names if name.endswith(".py")}
    assert all(name.startswith(("hitrs_runtime/", "hitrs_runtime-")) for name in names)
    assert {"hitrs_runtime/py.typed", "hitrs_runtime/LICENSE"} <= set(names)
    assert sizes < 1_000_000
    assert sorted(re.findall(r"^Requires-Dist: (\w+)", metadata, re.MULTILINE)) == ["numpy", "onnxruntime"]
    for name, text in sources.items():
        assert "from hitrs." not in text, name
        assert "import hitrs\n" not in text, name


def test_the_package_takes_the_file_too(folder: Path) -> None:
    given = person(frames=30)
    found, own = Recognizer(folder / "people.onnx")(given), Recognizer(folder / "model")(given)
    assert_same(found.to_dict(), own.to_dict())


def test_an_sdist_packs_what_the_tree_packs(tmp_path: Path) -> None:
    """An sdist holds the package as it was packed, beside the same build script."""
    root = Path(__file__).parents[2]
    script = root / "runtime" / "hatch_build.py"
    subprocess.run([sys.executable, str(script), str(tmp_path / "sdist" / "src")], check=True)
    shutil.copy(script, tmp_path / "sdist")
    (tmp_path / "sdist" / "PKG-INFO").touch()
    subprocess.run(
        [sys.executable, str(tmp_path / "sdist" / script.name), str(tmp_path / "again")], check=True
    )
    packed, again = (
        {file.relative_to(place): file.read_bytes() for file in place.rglob("*") if file.is_file()}
        for place in (tmp_path / "sdist" / "src", tmp_path / "again")
    )
    assert packed == again
    assert Path("hitrs_runtime/LICENSE") in packed
