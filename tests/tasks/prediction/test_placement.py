"""Preprocessing of what is observed: the same as elsewhere, and undone exactly."""

import pytest
import torch

from factories import sequences
from hitrs.skeleton.layout import get_layout
from hitrs.tasks.prediction.placement import place
from hitrs.transforms.batch import Batch
from hitrs.transforms.preprocess import Preprocessing, preprocess

LAYOUT = get_layout("ntu25")


def observed(frames: int = 8):
    positions, valid, lengths = sequences([frames, frames], seen=0.9, joints=LAYOUT.n_joints)
    valid[:, -1, list(LAYOUT.center)] = True
    return positions, valid, lengths


@pytest.mark.parametrize("center", ["none", "first", "frame"])
@pytest.mark.parametrize("align", ["none", "yaw"])
@pytest.mark.parametrize("scale", ["none", "body"])
def test_what_was_done_is_undone(center, align, scale) -> None:
    positions, valid, _ = observed()
    placement = place(positions, valid, Preprocessing(center=center, align=align, scale=scale), LAYOUT)
    torch.testing.assert_close(placement.undo(placement.apply(positions)), positions, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "settings", [Preprocessing(), Preprocessing(center="first", align="yaw", scale="body")]
)
def test_it_is_what_preprocessing_does(settings) -> None:
    positions, valid, lengths = observed()
    expected = preprocess(Batch(positions[:, None], valid[:, None], lengths), settings, LAYOUT).positions[
        :, 0
    ]
    found = place(positions, valid, settings, LAYOUT).apply(positions).masked_fill(~valid[..., None], 0.0)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_centering_in_each_frame_puts_the_last_frame_at_the_origin() -> None:
    positions, valid, _ = observed()
    placed = place(positions, valid, Preprocessing(center="frame"), LAYOUT).apply(positions)
    middle = placed[:, -1, list(LAYOUT.center)].mean(1)
    torch.testing.assert_close(middle, torch.zeros_like(middle), atol=1e-6, rtol=0)
