"""Files of recognized classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hitrs.data.recording import natural_order
from hitrs.tasks.csv_files import write_rows
from hitrs.tasks.recognition.recognizer import Recognition


def write_csv(path: str | Path, recognitions: Sequence[tuple[str, Recognition]]) -> None:
    """A line per recording: what it is called, its class, the probability of that, and those of all classes.

    That of "none of these" is empty: the model does not say how probable it is.

    Args:
        recognitions: (what to call it, its classes).

    Raises:
        DataError: if the file cannot be written.
    """
    classes = sorted(
        {score.label for _, each in recognitions[:1] for score in each.scores}, key=natural_order
    )
    rows = []
    for name, each in recognitions:
        chances = {score.label: score.probability for score in each.scores}
        rows.append(
            [name, each.label, each.probability if each.known else "", *(chances[label] for label in classes)]
        )
    write_rows(Path(path), ["file", "label", "probability", *classes], rows)
