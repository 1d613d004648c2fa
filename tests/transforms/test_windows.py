"""Windows against the rule spelled out as a loop."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hitrs.transforms.windows import batch_windows, window_table


def loop_table(frames: int, window: int, stride: int, dilation: int, pad: int) -> list[list[int]]:
    total = frames + 2 * pad
    table, begin = [], 0
    while True:
        row = []
        for place in range(window):
            row.append(min(begin + place * dilation, total - 1))
        table.append(row)
        reached = row[-1] >= total - pad - 1
        begin += stride
        if reached and begin + (window - 1) * dilation > total - 1:
            return table


@given(
    frames=st.integers(1, 90),
    window=st.integers(1, 11),
    stride=st.integers(1, 12),
    dilation=st.integers(1, 5),
    padded=st.booleans(),
)
def test_equals_the_loop(frames: int, window: int, stride: int, dilation: int, padded: bool) -> None:
    pad = (window // 2) * dilation if padded else 0
    table = window_table(frames, window, stride, dilation, pad)
    assert table.tolist() == loop_table(frames, window, stride, dilation, pad)
    assert table.dtype == np.int64


@given(frames=st.integers(1, 400))
def test_paper_windows(frames: int) -> None:
    sparse, dense = window_table(frames), window_table(frames, stride=1)
    assert len(sparse) == -(-frames // 7)
    assert len(dense) == frames
    for table in (sparse, dense):  # no index was clamped: the steps are all the dilation
        assert (np.diff(table) == 2).all()
    # with stride 1 every real frame stands in the middle of its own window
    assert (dense[:, 3] == np.arange(frames) + 6).all()


@given(clips=st.integers(1, 20), window=st.integers(1, 8))
def test_clips_side_by_side_have_every_frame_once(clips: int, window: int) -> None:
    table = window_table(clips * window, window, window, 1, 0)
    assert table.ravel().tolist() == list(range(clips * window))


def test_tables_are_shared_and_cannot_be_changed() -> None:
    table = window_table(20)
    with pytest.raises(ValueError, match="read-only"):
        table[0, 0] = 1


def test_no_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        window_table(0)


@given(lengths=st.lists(st.integers(1, 40), max_size=6), stride=st.integers(1, 8))
def test_batch_is_the_tables_one_after_another(lengths: list[int], stride: int) -> None:
    frames, counts = batch_windows(torch.tensor(lengths, dtype=torch.int64), 7, stride, 2, 6)
    expected = [row for n in lengths for row in loop_table(n, 7, stride, 2, 6)]
    assert frames.tolist() == expected
    assert frames.shape[1] == 7
    assert counts.tolist() == [len(loop_table(n, 7, stride, 2, 6)) for n in lengths]
