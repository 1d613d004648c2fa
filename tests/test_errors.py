"""Messages stay fit for a terminal, whatever the file holds that they quote."""

import pytest

from hitrs.errors import LONGEST_MESSAGE, MOST_LINES, DataError, counted, located


def test_long_and_odd_quotes() -> None:
    plain = "a.csv, line 3: 'é' is no number.\nGet it again."
    assert str(DataError(plain)) == plain
    long = str(DataError(f"a.csv has '{chr(0) * 10_000}', expected a number."))
    assert len(long) == LONGEST_MESSAGE
    assert long.startswith(r"a.csv has '\x00\x00")
    assert long.endswith("', expected a number.")
    assert str(DataError("name '\x1b[2J\ud800'")) == r"name '\x1b[2J\ud800'"


def test_long_lines_and_many() -> None:
    several = str(DataError("two files:\n" + "a" * 5000 + "\nshort"))
    assert [len(line) for line in several.split("\n")] == [10, LONGEST_MESSAGE, 5]
    many = str(DataError("\n".join(map(str, range(1000))))).split("\n")
    assert len(many) == MOST_LINES
    assert (many[0], many[-2:]) == ("0", ["...", "999"])


def test_counted() -> None:
    assert [counted(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert counted(1, "class", "classes") == "1 class"
    assert counted(3, "class", "classes") == "3 classes"


def test_located() -> None:
    with pytest.raises(DataError, match=r"^a\.npz: has no frames\.$"), located("a.npz"):
        raise DataError("has no frames.")
