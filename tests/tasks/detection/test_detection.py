"""Segments as files."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hitrs.errors import ConfigError, DataError
from hitrs.tasks.detection.detection import Detection
from hitrs.tasks.detection.files import write_csv, write_json, write_pku
from hitrs.tasks.detection.segments import Proposal

CLASSES = ("wave", 'say "hi", twice')
FOUND = (Proposal(0, 15, 0, 0.75), Proposal(15, 20, 1, 0.5))
TIMED = Detection("morning", 60, 30.0, FOUND, CLASSES)
UNTIMED = Detection("evening", 40, None, FOUND[1:], CLASSES)
EMPTY = Detection("night", 9, 30.0, (), CLASSES)


def test_json_has_frames_and_seconds(tmp_path):
    write_json(tmp_path / "out.json", [TIMED, UNTIMED, EMPTY])
    first, second, third = json.loads((tmp_path / "out.json").read_text())
    assert first["segments"][0] == {
        "label": "wave", "start": 0, "stop": 15, "start_seconds": 0.0, "stop_seconds": 0.5, "score": 0.75,
    }  # fmt: skip
    assert (first["name"], first["frames"], first["fps"]) == ("morning", 60, 30.0)
    assert (second["fps"], second["segments"][0]["stop_seconds"]) == (None, None)
    assert third["segments"] == []


def test_csv_has_a_line_per_segment(tmp_path):
    write_csv(tmp_path / "out.csv", [TIMED, EMPTY, UNTIMED])
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["name"], r["label"], r["start"], r["stop"], r["stop_seconds"], r["score"]) for r in rows] == [
        ("morning", "wave", "0", "15", "0.5", "0.75"),
        ("morning", CLASSES[1], "15", "20", "0.6667", "0.5"),
        ("evening", CLASSES[1], "15", "20", "", "0.5"),
    ]


def test_pku_text_is_a_file_per_recording(tmp_path):
    write_pku(tmp_path / "out", [TIMED, EMPTY])
    assert (tmp_path / "out" / "morning.txt").read_text() == "1,1,15,0.75\n2,16,20,0.5\n"
    assert (tmp_path / "out" / "night.txt").read_text() == ""
    with pytest.raises(ConfigError, match="called 'morning'"):
        write_pku(tmp_path / "twice", [TIMED, TIMED])
    assert not (tmp_path / "twice").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for write in (write_json, write_csv):
        with pytest.raises(DataError, match="cannot write"):
            write(tmp_path / "file" / "out", [TIMED])
    with pytest.raises(DataError, match="cannot write"):
        write_pku(tmp_path / "file", [TIMED])


def test_a_score_that_is_no_number_leaves_no_file(tmp_path):
    broken = Detection("broken", 5, None, (Proposal(0, 2, 0, float("nan")),), CLASSES)
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "out.json", [broken])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../escaped", "/{}/escaped", "a/b", "..", "C:escaped"])
def test_a_name_of_data_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sub" / "out"
    write_pku(folder, [replace(TIMED, name=name.format(tmp_path))])
    (written,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert written.parent == folder
