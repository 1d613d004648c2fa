"""Own data: a folder of npz and CSV files, its table, and its split by subject."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import make
from hypothesis import given
from hypothesis import strategies as st

from hitrs.data import Segment, Store, import_dataset, read_recording, summarize_import, write_npz
from hitrs.data.catalog.folder import split_at_random, split_by_subject
from hitrs.errors import DataError
from hitrs.skeleton import get_layout

KINECT = get_layout("kinect20")
HEADER = ",".join(f"{joint}_{axis}" for joint in KINECT.joints for axis in "xyz")


def csv(path: Path, frames: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [",".join(f"{frame + column}" for column in range(60)) for frame in range(frames)]
    path.write_text("\n".join([HEADER, *rows]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight CSV files rec0 to rec7 and nothing else."""
    for number in range(8):
        csv(tmp_path / "src" / f"rec{number}.csv", number + 1)
    return tmp_path / "src"


def table(folder: Path, *lines: str) -> None:
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")


def load(folder: Path, **options: object) -> Store:
    return import_dataset(folder, folder.parent / "store", **options)  # type: ignore[arg-type]


def notes(store: Store) -> str:
    return "\n".join(summarize_import(store).notes)


def test_a_folder_with_a_table(folder: Path) -> None:
    rows = [
        f"rec{n}{'.csv' if n % 2 else ''},{'walk' if n < 4 else 'sit'},s{n % 4 + 9},c{n % 2},{25 + n}"
        for n in range(7)
    ]
    table(folder, "file,label,subject,camera,fps", *rows)
    store = load(folder)
    assert [recording.name for recording in store] == [f"rec{n}" for n in range(8)]
    assert store.classes == ("sit", "walk")
    assert [recording.label for recording in store] == ["walk"] * 4 + ["sit"] * 3 + [None]
    assert store[5].subject == "s10"
    assert store[5].camera == "c1"
    assert store[5].fps == 30
    assert store[5].source == "rec5.csv"
    assert store[7].subject is None
    assert "1 of 8 recordings have no label" in notes(store)
    assert "1 recordings without a subject are in neither part" in notes(store)


@pytest.mark.parametrize("between", [";", "\t"])
def test_tables_as_spreadsheets_write_them(folder: Path, between: str) -> None:
    lines = ["file,label,fps", "rec5,walk 1,29_97", "rec6,sit,"]
    table(folder, *(line.replace(",", between).replace("_", ",") for line in lines))
    segments = ["file,label,start_seconds,stop_seconds", "rec5,walk 1,0,0_1"]
    text = "\n".join(line.replace(",", between) for line in segments)
    (folder / "segments.csv").write_text(text.replace("0_1", "0,1"), encoding="utf-8")
    store = load(folder)
    by_name = {recording.name: recording for recording in store}
    assert by_name["rec5"].label == "walk 1"
    assert by_name["rec5"].fps == pytest.approx(29.97)
    assert by_name["rec5"].segments == (Segment(0, 3, "walk 1"),)
    assert by_name["rec6"].label == "sit"


def test_every_category_is_a_column(folder: Path) -> None:
    table(folder, "file,session,camera", "rec0,monday,left", "rec1,,right")
    write_npz(make(session="sunday", camera="top"), folder / "rec8.npz")
    store = load(folder)
    assert [(store[n].session, store[n].camera) for n in (0, 1, 8)] == [
        ("monday", "left"), (None, "right"), ("sunday", "top"),
    ]  # fmt: skip


def test_nobody_trains_and_tests(folder: Path) -> None:
    table(folder, "file,label,subject", *(f"rec{n},walk,s{n // 2}" for n in range(8)))
    store = load(folder)
    assert store.protocols == ("by-subject",)
    train, test = store.split("by-subject", "train"), store.split("by-subject", "test")
    assert sorted([*train, *test]) == list(range(8))
    assert len(test) == 2  # one of four subjects
    assert not set(store.subjects[train]) & set(store.subjects[test])
    assert f"split by subject: {store.subject_names[store.subjects[test[0]]]} of 4 subjects test" in notes(
        store
    )
    again = load(folder, overwrite=True)
    assert again.split("by-subject", "test").tolist() == test.tolist()


def test_named_test_subjects(folder: Path) -> None:
    table(folder, "file,label,subject", *(f"rec{n},{'ab'[n // 4]},s{n // 2}" for n in range(8)))
    store = load(folder, test_subjects=["s2", "s3"])
    assert store.split("by-subject", "test").tolist() == [4, 5, 6, 7]
    assert "no training recording shows b" in notes(store)
    with pytest.raises(DataError, match="no subject s9; the subjects are s0, s1, s2, s3"):
        load(folder, test_subjects=["s9"], overwrite=True)
    for subjects in ([], ["s0", "s1", "s2", "s3"]):
        with pytest.raises(DataError, match="some, but not all subjects"):
            load(folder, test_subjects=subjects, overwrite=True)


def test_a_split_column(folder: Path) -> None:
    parts = ["train", "test", "", "train"]
    table(folder, "file,split,subject", *(f"rec{n},{parts[n % 4]},s{n}" for n in range(8)))
    store = load(folder)
    assert store.protocols == ("table",)
    assert store.split("table", "train").tolist() == [0, 3, 4, 7]
    assert store.split("table", "test").tolist() == [1, 5]
    for options in ({"split": "random"}, {"test_subjects": ["s1"]}):
        with pytest.raises(DataError, match="asked for in two ways"):
            load(folder, overwrite=True, **options)


@pytest.mark.parametrize("subject", ["", "anna"])
def test_without_subjects_there_is_no_silent_split(folder: Path, subject: str) -> None:
    table(folder, "file,label,subject", *(f"rec{n},{'ab'[n % 2]},{subject}" for n in range(8)))
    store = load(folder)
    assert store.protocols == ()
    assert "no split into train and test" in notes(store)
    store = load(folder, split="random", overwrite=True)
    assert store.protocols == ("random",)
    assert "random split by file" in notes(store)
    for label in range(2):  # the same share of both classes
        assert (store.labels[store.split("random", "test")] == label).sum() == 1
    with pytest.raises(DataError, match="needs at least two subjects"):
        load(folder, test_subjects=["anna"], overwrite=True)
    with pytest.raises(DataError, match="no split 'by-camera'"):
        load(folder, split="by-camera", overwrite=True)


def test_class_folders(tmp_path: Path) -> None:
    for name in ("sit/a", "sit/b", "class 10/a", "class 2/deep/a"):
        csv(tmp_path / "src" / f"{name}.csv")
    (tmp_path / "src" / "sit" / "notes.txt").write_text("not data")
    csv(tmp_path / "src" / ".trash" / "old.csv")
    store = load(tmp_path / "src")
    assert store.classes == ("class 2", "class 10", "sit")  # numbers in their natural order
    assert [(recording.name, recording.label) for recording in store] == [
        ("class 2/deep/a", "class 2"),
        ("class 10/a", "class 10"),
        ("sit/a", "sit"),
        ("sit/b", "sit"),
    ]


def test_npz_files_say_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "src" / "any").mkdir(parents=True)
    for number in range(4):
        recording = make("x", label="wave", subject=f"s{number % 2}", fps=20, seed=number)
        write_npz(recording, tmp_path / "src" / "any" / f"{number}.npz")
    table(tmp_path / "src", "file,label,fps", "any/0,jump,40", "any\\1.npz,,")
    store = load(tmp_path / "src")
    assert [recording.label for recording in store] == ["jump", "wave", "wave", "wave"]
    assert store.fps.tolist() == [40, 20, 20, 20]
    assert store.protocols == ("by-subject",)
    np.testing.assert_array_equal(store.positions(3), make(seed=3).positions)


def test_untrimmed_npz_files(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    segments = (Segment(0, 2, "wave"), Segment(3, 5, "sit"))
    write_npz(make(segments=segments), tmp_path / "src" / "long.npz")
    write_npz(make(label="walk"), tmp_path / "src" / "trimmed.npz")
    store = load(tmp_path / "src")
    assert store.classes == ("sit", "walk", "wave")
    assert store.segments(0) == segments
    assert "no label" not in notes(store)
    assert summarize_import(store).unlabeled == 0


def test_layout_of_a_folder(folder: Path, tmp_path: Path) -> None:
    assert load(folder).layout == KINECT
    assert load(folder, layout="utd20", overwrite=True).layout == get_layout("utd20")
    with pytest.raises(DataError, match=r"rec0\.csv: 15 columns of layout 'ntu25' are missing"):
        load(folder, layout="ntu25", overwrite=True)
    ntu = np.ones((2, 25, 3))
    np.savez(folder / "rec9.npz", positions=ntu, layout="ntu25")
    with pytest.raises(DataError, match=r"rec9.*ntu25.*kinect20"):
        load(folder, overwrite=True, strict=True)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["file", "rec9", "x/rec1"], "not in the folder: 'rec9' \\(line 2\\), 'x/rec1' \\(line 3\\)"),
        (["file,label", *(f"no{n},walk" for n in range(5))], "'no2' \\(line 4\\) and 2 more"),
        (["file,label", "rec0,walk", "rec0,sit"], "line 3 names the file 'rec0' again"),
        (["file,label", "rec0,walk", "rec0.csv,sit"], "line 3 names the file 'rec0' again"),
        (["file,label", ",walk"], "line 2 names no file"),
        (["file,lable", "rec0,walk"], "unknown column 'lable'; did you mean 'label'"),
        (["label,subject", "walk,s1"], "needs a header line with a column 'file'"),
        (["file,label,label", "rec0,a,b"], "no column twice"),
        (["file,label", "rec0"], "line 2: 1 cells, but the header has 2 columns"),
        (["file,fps", "rec0,fast"], "line 2: fps is 'fast'"),
        (["file,fps", "rec0,-1"], "line 2: fps is '-1'"),
        (["file,split", "rec0,val"], "line 2: split is 'val'"),
    ],
)
def test_bad_tables(folder: Path, lines: list[str], message: str) -> None:
    table(folder, *lines)
    with pytest.raises(DataError, match=message) as caught:
        load(folder)
    assert "labels.csv" in str(caught.value)
    assert [item.name for item in folder.parent.iterdir()] == ["src"]


def test_rows_of_files_that_are_not_there_are_told(folder: Path) -> None:
    """One row too many stopped all of an import."""
    table(folder, "file,label", "rec0,walk", "rec9,sit", "x/rec1,walk")
    told = notes(load(folder))
    assert "not in the folder, and are left out: 'rec9' (line 3), 'x/rec1' (line 4); did you mean" in told


def test_two_files_of_one_name(folder: Path) -> None:
    write_npz(make(), folder / "rec0.npz")
    with pytest.raises(DataError, match=r"would both be the recording 'rec0'"):
        load(folder)


def test_damaged_files_stop_the_import_or_are_listed(folder: Path) -> None:
    (folder / "rec0.csv").write_text("head_x\n1")
    (folder / "rec4.csv").write_text(HEADER)
    (folder / "rec9.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"rec0\.csv"):
        load(folder, strict=True)
    assert [item.name for item in folder.parent.iterdir()] == ["src"]
    store = load(folder, overwrite=True)
    assert [recording.name for recording in store] == ["rec1", "rec2", "rec3", "rec5", "rec6", "rec7"]
    assert [source for source, _ in summarize_import(store).quarantined] == [
        "rec0.csv",
        "rec4.csv",
        "rec9.npz",
    ]
    for file in folder.iterdir():
        file.write_text("damaged")
    with pytest.raises(DataError, match=r"rec0\.csv"):
        load(folder, overwrite=True)


@given(
    st.dictionaries(
        st.text(min_size=1), st.none() | st.sampled_from([f"s{n}" for n in range(12)]), max_size=40
    ),
)
def test_split_by_subject_holds_subjects_apart(subjects: dict[str, str | None]) -> None:
    known = {subject for subject in subjects.values() if subject is not None}
    if len(known) < 2:
        with pytest.raises(DataError, match="at least two subjects"):
            split_by_subject(subjects, None)
        return
    parts, held_out = split_by_subject(subjects, None)
    assert set(parts) == {name for name, subject in subjects.items() if subject is not None}
    assert all(part == ("test" if subjects[name] in held_out else "train") for name, part in parts.items())
    assert set(parts.values()) == {"train", "test"}
    if len(known) > 3:
        assert 0.2 <= len(held_out) / len(known) <= 0.34
    # The order in which files are found does not matter.
    assert split_by_subject(dict(reversed(subjects.items())), None) == (parts, held_out)


@given(st.dictionaries(st.text(min_size=1), st.none() | st.sampled_from("abc"), max_size=40))
def test_random_split_takes_a_share_of_each_class(labels: dict[str, str | None]) -> None:
    parts = split_at_random(labels)
    assert set(parts) == set(labels)
    for label in set(labels.values()):
        members = [parts[name] for name in labels if labels[name] == label]
        tested = members.count("test")
        assert tested == 0 if len(members) == 1 else 1 <= tested < len(members)


def test_bvh_files_with_and_without_end_sites_make_one_store(tmp_path: Path) -> None:
    from test_bvh import TEXT

    source = tmp_path / "src"
    source.mkdir()
    text = TEXT.replace("\n0 0 0 0", "\n5 6 6 0")  # a root at 0 that is elsewhere at once was lost
    (source / "a.bvh").write_text(text)
    (source / "b.bvh").write_text(text.replace("OFFSET 2 0 0", "OFFSET 0 0 0"))
    store = load(source)
    assert store.layout.joints == ("Hips", "Left_Arm", "Left_Arm_end", "Right_Arm")
    whole, without = store
    assert whole.valid.all()
    assert without.valid.all((0, 1)).tolist() == [True, True, False, True]
    np.testing.assert_array_equal(without.positions[..., [0, 1, 3], :], whole.positions[..., [0, 1, 3], :])
    assert "1 ends of bones that the first file has count as not seen" in without.notes
    (source / "a.bvh").rename(source / "c.bvh")
    first, second = load(source, overwrite=True)
    assert first.layout.joints == ("Hips", "Left_Arm", "Right_Arm")
    assert second.valid.all()
    assert "1 ends of bones that the first file lacks are left out" in second.notes


def test_other_skeletons_do_not_slip_in(tmp_path: Path) -> None:
    from test_bvh import TEXT

    source = tmp_path / "src"
    source.mkdir()
    (source / "a.bvh").write_text(TEXT)
    (source / "b.bvh").write_text(TEXT.replace("Left Arm", "Tail"))
    store = load(source)
    assert [each.name for each in store] == ["a"]
    assert store.meta["quarantined"][0]["source"] == "b.bvh"


def test_a_segment_that_ends_one_frame_late_is_cut(folder: Path) -> None:
    """``rec4`` has five frames; a last frame that is counted in, or counting from 1, gives 6."""
    (folder / "segments.csv").write_text("file,label,start,stop\nrec4,walk,2,6\nrec7,walk,0,3\n")
    store = load(folder)
    assert len(store) == 8
    index = {store.name(n): n for n in range(len(store))}
    assert store.segments(index["rec4"]) == (Segment(2, 5, "walk"),)
    (said,) = store.notes(index["rec4"])
    assert said == (
        "segment 'walk' from frame 2 ended at frame 6, one behind the last of 5 frames, and was cut there"
    )
    assert not store.notes(index["rec7"])


@pytest.mark.parametrize(("start", "stop"), [(2, 7), (5, 6), (9, 99)])
def test_a_segment_that_lies_further_outside_is_refused_with_the_numbers(
    folder: Path, start: int, stop: int
) -> None:
    (folder / "segments.csv").write_text(f"file,label,start,stop\nrec4,walk,{start},{stop}\n")
    store = load(folder)
    (left_out,) = store.meta["quarantined"]
    assert left_out["source"] == "rec4.csv"
    assert f"line 2: 'walk' ends at frame {stop}, but 'rec4' has 5 frames" in left_out["reason"]
    assert len(store) == 7


def test_segments_of_an_npz_file_may_end_one_frame_late(tmp_path: Path) -> None:
    for name, stop in (("late", 7), ("wrong", 8)):
        np.savez(
            tmp_path / f"{name}.npz",
            positions=np.ones((6, 20, 3)) * np.arange(20)[:, None],
            layout="kinect20",
            segments=[[1, stop]],
            segment_labels=["walk"],
        )
    recording = read_recording(tmp_path / "late.npz")
    assert recording.segments == (Segment(1, 6, "walk"),)
    assert "ended at frame 7, one behind the last of 6 frames" in recording.notes[0]
    with pytest.raises(DataError, match=r"\[1, 8\) does not lie within its 6 frames"):
        read_recording(tmp_path / "wrong.npz")


def test_an_import_tells_the_unit_of_segments(folder: Path) -> None:
    assert not [note for note in load(folder).meta["notes"] if "segments.csv" in note]
    for columns, words in [
        ("start,stop", "segments.csv counts frames from 0, the first of a recording"),
        ("start_seconds,stop_seconds", "segments.csv counts seconds from the first frame"),
    ]:
        (folder / "segments.csv").write_text(f"file,label,{columns}\nrec7,walk,0,3\n")
        (folder / "labels.csv").write_text("file,fps\nrec7,1\n")
        assert words in notes(load(folder, overwrite=True))


def test_files_of_unknown_kinds_are_named(folder: Path) -> None:
    for name in ("a.psd", "b.psd", "notes.docx", "LICENSE"):
        (folder / name).write_text("not data")
    assert [note for note in load(folder).meta["notes"] if note.startswith("left out")] == [
        "left out because nothing here reads .psd: a.psd, b.psd",
        "left out because nothing here reads files without a suffix: LICENSE",
        "left out because nothing here reads .docx: notes.docx",
    ]
    for number in range(30):
        (folder / f"{number:02}.psd").write_text("not data")
    (note,) = [note for note in load(folder, overwrite=True).meta["notes"] if "psd" in note]
    assert note.endswith("18.psd, 19.psd and 12 more")


def test_a_folder_of_other_things_is_told_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "src" / "deep").mkdir(parents=True)
    with pytest.raises(DataError, match="known data set or file format, but nothing at all"):
        load(tmp_path / "src")
    for name in ("a.psd", "deep/b.PSD", "LICENSE"):
        (tmp_path / "src" / name).write_text("not data")
    with pytest.raises(DataError, match=r"there are 3 files: 2 \.psd, 1 without a suffix"):
        load(tmp_path / "src")
