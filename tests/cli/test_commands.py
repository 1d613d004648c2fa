"""Each command from end to end, on little data."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hitrs
from factories import CLASSES, LAYOUT, small_store, untrimmed_store
from hitrs.cli.main import main
from hitrs.config import load_config
from hitrs.data import Store, summarize_import, write_npz, write_store
from hitrs.models.pretrained import load_pretrained
from hitrs.tasks.base import get_task
from hitrs.training.log import read_metrics
from hitrs.transforms.dataset import SkeletonDataset


def width(picture: Path) -> int:
    with Image.open(picture) as opened:
        return opened.width


def test_import_of_synthetic_motion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "store")
    assert main(["import", "synthetic", target, "--size", "tiny", "--untrimmed", "--seed", "3"]) == 0
    store = Store.open(target)
    assert capsys.readouterr().out.splitlines()[-1] == f"recordings  {len(store)}"
    assert store.meta["seed"] == 3
    assert (store.segment_counts > 0).all()


def test_import_replaces_a_store_on_request_only(tmp_path: Path, fails) -> None:
    target = str(small_store(tmp_path / "store").path)
    before = Store.open(target).fingerprint
    assert "exists already" in fails("import", "synthetic", target, "--size", "tiny")
    assert Store.open(target).fingerprint == before
    assert main(["import", "synthetic", target, "--size", "tiny", "--overwrite"]) == 0
    assert Store.open(target).meta["dataset"] == "synthetic"
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_import_of_own_files(tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for recording in Store.open(store):
        write_npz(recording, files / f"{recording.name}.npz")
    assert main(["import", str(files), str(tmp_path / "own"), "--test-subjects", "person-1", "person-2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "recordings  24"
    own = Store.open(tmp_path / "own")
    tested = {own[int(i)].subject for i in own.split("by-subject", "test")}
    assert tested == {"person-1", "person-2"}


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["synthetic", "x", "--layout", "ntu25"], "--layout does not apply to synthetic data"),
        (["synthetic", "x", "--strict"], "--strict does not apply"),
        (["files", "x", "--size", "tiny"], "--size does not apply to data from files"),
    ],
)
def test_import_refuses_options_of_other_data(words: list[str], option: str, fails) -> None:
    assert option in fails("import", *words)


def test_inspect(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", store]) == 0
    assert "recordings    24 with" in capsys.readouterr().out
    assert main(["inspect", store, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["recordings"], found["classes"]) == (24, dict.fromkeys(CLASSES, 8))


def test_pretrain_leaves_a_complete_run(store: str, quick: str, pretrained: str) -> None:
    run = Path(pretrained)
    assert load_config(run / "config.yaml") == load_config(quick)
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert facts["command"] == f"hitrs pretrain {store} --config {quick} --out {run}"
    assert facts["data"] == Store.open(store).fingerprint
    assert facts["protocol"] == "subjects"
    assert {"hitrs", "commit", "platform", "torch", "threads", "seed", "started"} <= facts.keys()
    assert [row["step"] for row in read_metrics(run / "metrics.jsonl") if "loss" in row] == [1, 2, 3, 4]
    assert width(run / "plots" / "training.png") > 400
    card, _ = load_pretrained(run)
    assert card.trained["recordings"] == len(Store.open(store).split("subjects", "train"))


def test_pretrain_takes_everything_where_there_is_no_protocol(tmp_path: Path, store: str, quick: str) -> None:
    files, own = tmp_path / "files", tmp_path / "own"
    files.mkdir()
    for recording in list(Store.open(store))[:3]:  # of one subject, so that there is no split
        write_npz(recording, files / f"{recording.name}.npz")
    assert main(["import", str(files), str(own)]) == 0
    words = ["--config", quick, "--pretrain.optim.steps", "1", "--out", str(tmp_path / "run")]
    assert main(["pretrain", str(own), *words]) == 0
    assert load_pretrained(tmp_path / "run")[0].trained["recordings"] == 3


def test_options_change_the_configuration(tmp_path: Path, store: str, quick: str) -> None:
    words = [
        "--pretrain.optim.steps",
        "1",
        "--model.width=12",
        "--preprocessing.stream",
        "bone",
        "--pretext.views",
        "0",
    ]
    assert main(["pretrain", store, "--config", quick, "--out", str(tmp_path / "run"), *words]) == 0
    changes = {
        "pretrain.optim.steps": 1, "model.width": 12, "preprocessing.stream": "bone", "pretext.views": 0.0
    }  # fmt: skip
    assert load_config(tmp_path / "run" / "config.yaml") == load_config(quick, changes)
    assert load_pretrained(tmp_path / "run")[0].preprocessing.stream == "bone"


def test_probe(store: str, pretrained: str, quick: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", store, pretrained, "--config", quick, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["classes"] == list(CLASSES)
    assert {"knn", "linear", "ridge", "ridge with convolutions"} <= found["metrics"].keys()
    assert {"knn on positions", "random convolutions"} <= found["metrics"].keys()
    assert found["metrics"]["linear"]["all"]["recordings"] == 6
    assert main(["probe", store, pretrained, "--config", quick, "--probe.k", "3"]) == 0
    shown = capsys.readouterr().out
    assert "3-NN, all test recordings" in shown
    assert main(["probe", store, pretrained, "--config", quick, "--label-fraction", "0.5"]) == 0
    assert "9 training recordings, tested on 6" in capsys.readouterr().out
    assert f"{len(Store.open(store).split('subjects', 'train'))} training recordings, tested on 6" in shown


def test_a_recognizer_in_seconds(
    store: str, pretrained: str, quick: str, tmp_path: Path, fails, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ridge"
    assert main(["probe", store, pretrained, "--config", quick, "--out", str(out), "--json"]) == 0
    ridge = json.loads(capsys.readouterr().out)["metrics"]["ridge"]
    assert main(["evaluate", store, str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == ridge
    recording = Store.open(store)[0]
    assert hitrs.Recognizer(out)(recording).label in CLASSES
    assert "exists already" in fails("probe", store, pretrained, "--out", out)
    both = tmp_path / "both"
    words = ["probe", store, pretrained, "--config", quick, "--out", str(both), "--convolutions", "--json"]
    assert main(words) == 0
    expected = json.loads(capsys.readouterr().out)["metrics"]["ridge with convolutions"]
    assert main(["evaluate", store, str(both), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == expected


def test_finetune_reports_what_evaluate_finds(
    store: str, pretrained: str, tuned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(tuned)
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert (results["from"], results["labels"], results["classes"]) == (pretrained, 18, list(CLASSES))
    assert width(run / "plots" / "confusion.png") > 200
    assert width(run / "plots" / "training.png") > 200
    assert main(["evaluate", store, tuned, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"] == results["metrics"]
    assert found["floors"] == results["floors"]
    assert found["floors"].keys() == {"knn on positions", "random convolutions"}


def test_figures_stand_beside_what_costs_next_to_nothing(
    store: str, quick: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = ["--config", quick, "--label-fraction", "0.5", "--recognize.optim.steps", "1", "--out", str(run)]
    assert main(["finetune", store, *words]) == 0
    shown = capsys.readouterr().out
    assert "learn from 9 training recordings" in shown
    assert "1-NN on positions, all test recordings" in shown
    assert "random convolutions, all test recordings" in shown
    assert "note: the model is no better than" in shown
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert main(["evaluate", store, str(run)]) == 0
    shown = capsys.readouterr().out
    assert "learn from 9 training recordings" in shown  # the labels that the model had
    assert "note: the model is no better than" in shown
    assert main(["evaluate", store, str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["floors"] == results["floors"]
    assert found["notes"] == []
    assert "no better than" in found["behind"]
    shutil.copytree(run / "model", tmp_path / "model")  # without the run nobody knows the labels
    assert main(["evaluate", store, str(tmp_path / "model")]) == 0
    assert "learn from 18 training recordings" in capsys.readouterr().out


def test_advice_that_was_followed_is_not_given(
    store: str, quick: str, pretrained: str, tmp_path: Path, said
) -> None:
    words = ["--config", quick, "--recognize.optim.steps", "1", "--out"]
    assert "--from general" in said("finetune", store, *words, tmp_path / "scratch")
    shown = said("finetune", store, "--from", pretrained, *words, tmp_path / "run")
    assert "no better than" in shown
    assert "--from general" not in shown
    again = said("evaluate", store, tmp_path / "run")
    assert "no better than" in again
    assert "--from general" not in again
    probed = said("probe", store, pretrained, "--config", quick)
    assert "--from general" not in probed
    assert "more steps" not in probed


def test_results_are_there_before_what_stands_beside_them(
    store: str, quick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(get_task("recognition")), "floors", interrupted)
    out = tmp_path / "run"
    words = ["--config", quick, "--recognize.optim.steps", "1", "--out", str(out)]
    assert main(["finetune", store, *words]) == 130
    assert "metrics" in json.loads((out / "results.json").read_text(encoding="utf-8"))


def test_without_a_training_part_there_is_nothing_to_compare_with(
    store: str, tuned: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "whole"
    opened = Store.open(store)
    write_store(whole, list(opened), layout=opened.layout, classes=CLASSES)
    assert main(["evaluate", str(whole), tuned]) == 0
    assert f"note: {whole} has no training part" in capsys.readouterr().out


def test_a_probe_says_where_the_encoder_is_no_better(
    store: str,
    pretrained: str,
    quick: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    perfect = {"all": {"recordings": 6, "top1": 100.0, "top5": None}}
    monkeypatch.setattr("hitrs.tasks.recognition.floors.nearest_positions", lambda *_: perfect)
    for top1 in (99.0, 100.0):
        own = {"all": {"recordings": 6, "top1": top1, "top5": None}}
        monkeypatch.setattr("hitrs.tasks.probe.split_metrics", lambda *_, own=own: own)
        assert main(["probe", store, pretrained, "--config", quick, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert ("1-NN on positions" in str(found["behind"])) == (top1 < 100)


def test_finetune_takes_the_encoder_as_it_is(
    store: str, pretrained: str, quick: str, tmp_path: Path, fails
) -> None:
    words = ["--from", pretrained, "--out", str(tmp_path / "run")]
    said = fails("finetune", store, *words, "--config", quick, "--model.width", "16")
    assert "model.width cannot be changed" in said
    assert not (tmp_path / "run").exists()
    # the configuration "tiny" has another model, but only what it says about training counts
    assert main(["finetune", store, *words, "--config", "tiny", "--recognize.optim.steps", "1"]) == 0
    assert load_config(tmp_path / "run" / "config.yaml").model == load_config(quick).model


def test_finetune_with_few_labels(store: str, quick: str, tmp_path: Path) -> None:
    words = [
        "--config",
        quick,
        "--label-fraction",
        "0.3",
        "--label-subset",
        "2",
        "--recognize.optim.steps",
        "1",
    ]
    assert main(["finetune", store, *words, "--out", str(tmp_path / "run")]) == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    assert (results["labels"], results["label_fraction"], results["label_subset"], results["from"]) == (
        6,
        0.3,
        2,
        None,
    )


def test_evaluate_as_another_layout_would_have_seen_it(
    store: str, tuned: str, fails, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, seen, less = {}, {}, {}
    for found, words in ((plain, []), (seen, ["--seen-as", "ntu25"]), (less, ["--seen-as", "mediapipe33"])):
        assert main(["evaluate", store, tuned, "--json", *words]) == 0
        found |= json.loads(capsys.readouterr().out)
    assert plain["metrics"] == seen["metrics"]  # NTU has all six joints of the toy
    assert (plain["seen_as"], less["seen_as"]) == (None, "mediapipe33")
    assert main(["evaluate", store, tuned, "--seen-as", "mediapipe33"]) == 0
    shown = capsys.readouterr().out
    assert "2 of 6 joints (pelvis, head, left_hand, right_hand masked)" in shown
    assert "same dimension" in fails("evaluate", store, tuned, "--seen-as", "coco17")
    assert "did you mean 'ntu25'" in fails("evaluate", store, tuned, "--seen-as", "ntu52")


def test_evaluate_takes_as_many_views_as_the_run_did(
    store: str, quick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    words = ["--config", quick, "--recognize.optim.steps", "1", "--recognize.eval.test-views", "3"]
    assert main(["finetune", store, *words, "--out", str(run)]) == 0
    asked = []

    def spy(model: object, dataset: SkeletonDataset, views: int) -> np.ndarray:
        asked.append(views)
        return np.full((len(dataset), len(CLASSES)), 1 / len(CLASSES))

    monkeypatch.setattr("hitrs.tasks.recognition.task.predict", spy)
    shutil.copytree(run / "model", tmp_path / "alone")
    for words in ([str(run)], [str(run / "model")], [str(tmp_path / "alone")], [str(run), "--views", "5"]):
        assert main(["evaluate", store, *words]) == 0
    assert asked == [3, 3, 1, 5]


def test_several_models_add_their_probabilities(
    store: str, tuned: str, quick: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(tmp_path / "bone")
    words = ["--config", quick, "--recognize.optim.steps", "1", "--preprocessing.stream", "bone"]
    assert main(["finetune", store, *words, "--out", other]) == 0
    capsys.readouterr()
    picture = tmp_path / "confusion.svg"
    assert main(["evaluate", store, tuned, other, "--confusion", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert "accuracy in % (subjects)" in shown
    assert "model, all test recordings" in shown
    assert all(name in shown for name in CLASSES)
    assert "<svg" in picture.read_text(encoding="utf-8")


def test_recognize_names_the_most_probable_class(
    store: str, tuned: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Store.open(store)
    files = [str(tmp_path / f"{opened.name(i)}.npz") for i in range(3)]
    for i, file in enumerate(files):
        write_npz(opened[i], file)
    assert main(["recognize", tuned, *files, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["file"] for row in found] == files
    for row in found:
        probabilities = [p["probability"] for p in row["scores"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1)
        assert {p["label"] for p in row["scores"]} == set(CLASSES)
    assert main(["recognize", tuned, *files, "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    *lines, joints = lines
    assert joints.startswith("joints      6 of 6 matched, ")
    for row, line in zip(found, lines[1:], strict=True):
        best = row["scores"][0]
        assert line.split() == [row["file"], best["label"], f"{best['probability']:.1%}"]


def test_recognize_draws_the_moving_skeleton(store: str, tuned: str, tmp_path: Path, fails) -> None:
    recording = Store.open(store)[0]
    file, gif = str(tmp_path / "a.npz"), tmp_path / "a.gif"
    write_npz(recording, file)
    assert main(["recognize", tuned, file, "--gif", str(gif)]) == 0
    with Image.open(gif) as picture:
        assert picture.n_frames > 1
    assert "recognize them one by one" in fails("recognize", tuned, file, file, "--gif", gif)


def test_demo_ends_with_a_report_that_needs_nothing_else(
    tmp_path: Path, quick: str, capsys: pytest.CaptureFixture[str], fails
) -> None:
    out = tmp_path / "demo"
    short = tmp_path / "short.yaml"
    short.write_text(
        Path(quick).read_text(encoding="utf-8").replace("steps: 4", "steps: 2"), encoding="utf-8"
    )
    words = ["demo", "--out", str(out), "--size", "tiny", "--config", str(short), "--recognition", str(short)]
    assert main(words) == 0
    report = out / "report.html"
    assert capsys.readouterr().out.splitlines()[-1] == f"report      {report}"
    html = report.read_text(encoding="utf-8")
    assert html.count('src="data:image/gif') == 4
    assert html.count('src="data:image/png') == 6
    for method in ("pre-trained, then fine-tuned", "from scratch", "frozen, ridge", "random convolutions"):
        assert method in html
    assert f"hitrs pretrain {out}" in html

    # its own folder is replaced by the next demo, anybody else's is not
    (out / "made-by-hitrs-demo.txt").unlink()
    assert "no demo made it" in fails(*words)
    assert report.is_file()


def test_every_labeled_recording_is_tested_where_there_is_no_protocol(
    tmp_path: Path, store: str, tuned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files, own = tmp_path / "files", tmp_path / "own"
    files.mkdir()
    for recording in list(Store.open(store))[:3]:
        write_npz(recording, files / f"{recording.name}.npz")
    assert main(["import", str(files), str(own)]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(own), tuned, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["protocol"], found["metrics"]["all"]["recordings"]) == ("all labeled recordings", 3)
    # the store's classes are in another order than the model's
    assert sorted(found["classes"]) == sorted(CLASSES)
    assert found["classes"] != list(CLASSES)
    assert np.trace(found["metrics"]["all"]["confusion"]) == round(3 * found["metrics"]["all"]["top1"] / 100)


def test_recognize_does_what_it_can(store: str, tuned: str, tmp_path: Path, capsys) -> None:
    good, empty = tmp_path / "good.npz", tmp_path / "empty.csv"
    write_npz(Store.open(store)[0], good)
    empty.touch()
    assert main(["recognize", tuned, str(empty), str(good), str(tmp_path / "none.npz"), "--json"]) == 1
    told = capsys.readouterr()
    assert [row["file"] for row in json.loads(told.out)] == [str(good)]
    assert "2 of 3 recordings were left out" in told.err
    assert f"{empty} is empty" in told.err


def test_a_long_list_of_what_was_left_out_loses_nothing(
    store: str, tuned: str, tmp_path: Path, fails
) -> None:
    """It lost its middle."""
    files = tmp_path / ("a folder with a rather long name" * 4)
    files.mkdir()
    for number in range(40):
        (files / f"{number:02}.csv").touch()
    write_npz(Store.open(store)[0], files / "good.npz")
    told = fails("recognize", tuned, *sorted(files.iterdir()))
    assert "40 of 41 recordings were left out" in told
    assert all(f"{number:02}.csv is empty" in told for number in range(10))
    assert "and 30 more; --left-out FILE writes all of them to a file" in told
    told = fails("recognize", tuned, *sorted(files.iterdir()), "--left-out", tmp_path / "left.txt")
    assert f"all of them stand in {tmp_path / 'left.txt'}" in told
    lines = (tmp_path / "left.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 40
    assert all(f"{number:02}.csv is empty" in line for number, line in enumerate(lines))


def test_beginnings_are_those_of_one_recognizer(store: str, tuned: str, fails) -> None:
    """Of several the first was measured, and nothing said so."""
    assert "--early tells about one recognizer, got 2" in fails("evaluate", store, tuned, tuned, "--early")


def test_detection_needs_segments(folder, store, quick, fails) -> None:
    out = folder / "no-segments"
    said = fails("finetune", store, "--task", "detection", "--config", quick, "--out", out)
    assert "has labeled segments, which detection needs, but 24 of 24 have a label" in said
    assert f"`hitrs finetune {store} --task recognition --out RUN`" in said
    assert "Else add segments.csv and import again" in said


def test_recognition_needs_labels(folder, quick, fails) -> None:
    store = untrimmed_store(folder / "untrimmed-unlabeled").path
    said = fails("finetune", store, "--config", quick, "--out", folder / "no-labels")
    assert "has a label, which recognition needs, but 6 of 6 have labeled segments" in said
    assert f"`hitrs finetune {store} --task detection --out RUN`" in said
    assert "add labels.csv (`hitrs cut`" in said


def test_what_a_task_makes_of_an_encoder_may_be_asked_for(folder: Path, quick: str, fails) -> None:
    """Detection takes an encoder of resampled recordings at their own rate, with or without the option."""
    store = str(untrimmed_store(folder / "untrimmed-resampled").path)
    encoder = str(folder / "resampled")
    words = ["--config", quick, "--preprocessing.frames", "16", "--pretrain.optim.steps", "1"]
    assert main(["pretrain", store, *words, "--out", encoder]) == 0
    begin = ["finetune", store, "--task", "detection", "--from", encoder, "--config", quick]
    begin += ["--detect.optim.steps", "1"]
    assert main([*begin, "--preprocessing.frames", "0", "--out", str(folder / "own-rate")]) == 0
    assert load_pretrained(folder / "own-rate")[0].preprocessing.frames == 0
    out = folder / "other-rate"
    said = fails(*begin, "--preprocessing.frames", "8", "--out", out)
    assert "preprocessing.frames cannot be changed" in said
    trimmed = str(small_store(folder / "trimmed-resampled").path)
    said = fails("finetune", trimmed, "--from", encoder, "--preprocessing.frames", "0", "--out", out)
    assert "preprocessing.frames cannot be changed" in said  # it learned at this rate


def test_a_model_is_told_what_a_store_of_another_kind_holds(
    folder: Path, tuned: str, pretrained: str, quick: str, fails
) -> None:
    store = untrimmed_store(folder / "untrimmed-for-others").path
    for words in (("evaluate", store, tuned), ("probe", store, pretrained)):
        said = fails(*words)
        assert "6 of 6 have labeled segments" in said
        assert f"`hitrs finetune {store} --task detection --out RUN`" in said
    detector = folder / "detector-of-others"
    words = ["--task", "detection", "--config", quick, "--detect.optim.steps", "1", "--out", str(detector)]
    assert main(["finetune", str(store), *words]) == 0
    trimmed = small_store(folder / "trimmed-for-others").path
    said = fails("evaluate", trimmed, detector)
    assert "12 of 12 have a label" in said
    assert f"`hitrs finetune {trimmed} --task recognition --out RUN`" in said


def test_a_store_without_any_labels_lacks_them(folder: Path, quick: str, fails) -> None:
    labeled = small_store(folder / "soon-unlabeled")
    bare = [dataclasses.replace(recording, label=None) for recording in labeled]
    store = write_store(folder / "unlabeled", bare, layout=labeled.layout).path
    said = fails("finetune", store, "--config", quick, "--out", folder / "never")
    assert "has a label, which recognition needs; add labels.csv" in said


def test_a_causal_detector_goes_by_the_frames_so_far(folder, quick, capsys) -> None:
    store = str(untrimmed_store(folder / "untrimmed-causal").path)
    whole = ["--detect.head.causal", "--preprocessing.align", "yaw", "--preprocessing.scale", "body"]
    out = folder / "causal"
    words = ["finetune", store, "--task", "detection", "--config", quick, *whole, "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "detection sets preprocessing.align to running; it was yaw" in said
    assert "detection sets preprocessing.scale to running; it was body" in said
    assert hitrs.OnlineDetector(out).model.card.preprocessing.align == "running"


def test_a_causal_detector_of_an_encoder_that_saw_the_whole_recording(
    folder, store, quick, tmp_path, fails, capsys
) -> None:
    encoder, untrimmed = str(tmp_path / "encoder"), untrimmed_store(folder / "untrimmed-causal-from").path
    words = ["--config", quick, "--pretrain.optim.steps", "1", "--preprocessing.align", "yaw"]
    assert main(["pretrain", store, *words, "--out", encoder]) == 0
    words = ["finetune", untrimmed, "--task", "detection", "--config", quick, "--from", encoder]
    words += ["--out", tmp_path / "causal", "--detect.head.causal"]
    said = fails(*words, "--preprocessing.align", "none")
    assert "preprocessing.align cannot be changed" in said
    assert "or pre-train an encoder with it first" in said
    assert main([str(word) for word in words]) == 0
    assert "sets preprocessing.align of the encoder to running; it was yaw" in capsys.readouterr().out


@pytest.fixture(scope="module")
def detector(folder, quick) -> str:
    store, out = str(untrimmed_store(folder / "untrimmed").path), str(folder / "detector")
    options = ["--detect.optim.steps", "2", "--detect.head.hidden", "8", "--detect.optim.batch-size", "2"]
    words = ["finetune", store, "--task", "detection", "--config", quick, *options]
    assert main([*words, "--protocol", "leave-subject-0-out", "--out", out]) == 0
    return out


def test_a_detector_is_trained_and_evaluated(folder, detector, fails, capsys) -> None:
    store = str(folder / "untrimmed")
    assert main(["evaluate", store, detector, "--protocol", "subjects"]) == 0
    assert "mAP@0.5 (VOC)" in capsys.readouterr().out
    assert main(["evaluate", store, detector, "--protocol", "subjects", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]["all"]
    assert found["segments"] == 6
    assert set(found["voc/ap@0.5"]) == {"wave", "nod", "bow"}
    said = fails("evaluate", store, detector, "--protocol", "subjects", "--seen-as", "ntu25")
    assert f"--seen-as does not apply to detection, which {detector} is for" in said


def test_other_frame_rates_are_told(folder, quick, detector, fails, capsys) -> None:
    fast = str(untrimmed_store(folder / "fast", rates=(60.0,)).path)
    said = fails("evaluate", fast, detector, "--protocol", "subjects")
    assert "60 frames a second, the model was trained at 30" in said
    mixed = str(untrimmed_store(folder / "mixed", rates=(30.0, 30.0, 60.0, 60.0)).path)
    words = ["finetune", mixed, "--task", "detection", "--config", quick, "--out", str(folder / "of-mixed")]
    assert main([*words, "--protocol", "subjects"]) == 0
    assert "frame rates of 30, 60 or unknown ones" in capsys.readouterr().out
    silent = str(untrimmed_store(folder / "silent", rates=(None,)).path)
    words = ["finetune", silent, "--task", "detection", "--config", quick, "--out", str(folder / "of-silent")]
    assert main([*words, "--protocol", "subjects"]) == 0
    assert "the frame rate of the recordings is unknown" in capsys.readouterr().out


def test_validation_subjects_choose_the_segments(folder, quick, fails) -> None:
    store = str(untrimmed_store(folder / "untrimmed-too", protocols={"all": lambda r: "train"}).path)
    options = [
        "--config",
        quick,
        "--detect.optim.steps",
        "2",
        "--detect.head.hidden",
        "8",
        "--detect.optim.batch-size",
        "2",
    ]
    out = folder / "validated"
    words = ["finetune", store, "--task", "detection", *options, "--validation-subjects", "1"]
    assert main([*words, "--out", str(out)]) == 0
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert 0 <= rows[-1]["validation/accuracy"] <= 1
    assert "nobody is left to train on" in fails(*words, "0", "--out", folder / "nobody")


def test_models_of_several_tasks_are_not_evaluated_together(store, tuned, detector, fails) -> None:
    assert (
        "models are evaluated together for one task only; these are for recognition and detection"
        in fails("evaluate", store, tuned, detector)
    )
    assert "has labeled segments, which detection needs" in fails("evaluate", store, detector)


def test_recognize_takes_folders_and_stores_and_writes_csv(
    store: str, tuned: str, tmp_path: Path, capsys, said
) -> None:
    opened = Store.open(store)
    files = tmp_path / "files"
    files.mkdir()
    for n in range(3):
        write_npz(opened[n], files / f"{opened.name(n)}.npz")
    (files / "odd.npz").write_bytes(b"PK")
    one_by_one = [
        json.loads(said("recognize", tuned, files / f"recording-{n}.npz", "--json"))[0] for n in range(3)
    ]
    out = tmp_path / "found.csv"
    assert main(["recognize", tuned, str(files), "--out", str(out)]) == 1
    assert "odd.npz" in capsys.readouterr().err
    header, *rows = [line.split(",") for line in out.read_text(encoding="utf-8").splitlines()]
    assert header == ["file", "label", "probability", *sorted(CLASSES)]
    assert [row[0] for row in rows] == [str(files / f"recording-{n}.npz") for n in range(3)]
    for row, alone in zip(rows, one_by_one, strict=True):
        chances = {each["label"]: each["probability"] for each in alone["scores"]}
        assert row[1] == max(chances, key=chances.get)
        assert [float(cell) for cell in row[3:]] == pytest.approx(
            [chances[each] for each in sorted(CLASSES)], abs=1e-5
        )
    found = json.loads(said("recognize", tuned, store, "--json", "--out", tmp_path / "found.json"))
    assert len(found) == len(opened)
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8")) == found


def test_recognize_a_table_without_a_header(store: str, tuned: str, tmp_path: Path, said) -> None:
    recording = Store.open(store)[0]
    positions = np.where(recording.valid[..., None], recording.positions, np.nan)[:, 0]
    np.savetxt(tmp_path / "a.txt", positions.reshape(len(positions), -1))
    np.save(tmp_path / "a.npy", positions)
    table = json.loads(said("recognize", tuned, tmp_path / "a.txt", "--columns", "x,y,z", "--json"))
    array = json.loads(said("recognize", tuned, tmp_path / "a.npy", "--json"))
    assert [each["label"] for each in table[0]["scores"]] == [each["label"] for each in array[0]["scores"]]


def test_classes_without_recordings_are_told_and_not_learned(
    quick: str, pretrained: str, tmp_path: Path, said
) -> None:
    """A part of a data set was imported: its list of classes is that of the whole."""
    made = small_store(tmp_path / "made", count=24)
    parts = {"subjects": lambda recording: "test" if recording.subject == "person-3" else "train"}
    classes = ("sit", *CLASSES, "run")
    own = write_store(tmp_path / "own", list(made), layout=LAYOUT, classes=classes, protocols=parts)
    assert own.empty_classes == ("sit", "run")
    assert "classes     5, of which 3 have recordings" in "\n".join(summarize_import(own).lines())
    words = ["--config", quick, "--recognize.optim.steps", "1", "--out", tmp_path / "run"]
    shown = said("finetune", own.path, *words)
    assert "note: sit, run have no recording in" in shown
    assert "18 labeled recordings of 3 classes" in shown
    assert hitrs.Recognizer(tmp_path / "run").classes == CLASSES
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    found = json.loads(said("evaluate", own.path, tmp_path / "run", "--json"))
    assert found["metrics"] == results["metrics"]
    probed = said("probe", own.path, pretrained, "--config", quick, "--out", tmp_path / "recognizer")
    assert "sit, run have no recording" in probed
    assert hitrs.Recognizer(tmp_path / "recognizer").classes == CLASSES
