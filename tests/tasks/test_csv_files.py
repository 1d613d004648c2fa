"""Tables of results that people open with a spreadsheet."""

from pathlib import Path

from hitrs.tasks.csv_files import write_rows


def test_what_is_named_in_data_is_no_formula(tmp_path: Path) -> None:
    rows = [["=1+1", -0.5], ["a\x1b[2Jb", None], ["-walk", 1], ["\t=1", 2], ["@\udce9", 3]]
    write_rows(tmp_path / "a.csv", ["file", "p"], rows)
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == (
        "file,p\n'=1+1,-0.5\na\\x1b[2Jb,\n'-walk,1\n'\\t=1,2\n'@\\udce9,3\n"
    )
