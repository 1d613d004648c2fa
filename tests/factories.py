"""Small made-up things that the tests of the core share: a layout, sequences, a model's sizes, a store."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hitrs.data.recording import Recording, Segment
from hitrs.data.store import Store, write_store
from hitrs.models.config import ModelConfig
from hitrs.skeleton.layout import Layout
from hitrs.transforms.random import KeyedGenerator

LAYOUT = Layout(
    name="toy",
    joints=("pelvis", "head", "left_shoulder", "right_shoulder", "left_hand", "right_hand"),
    parents=(0, 0, 0, 0, 2, 3),
    pairs=((2, 3), (4, 5)),
    center=0,
)
JOINTS = LAYOUT.n_joints
CLASSES = ("wave", "nod", "bow")
QUICK = """
model: {width: 8, heads: 2, head_width: 4, layers: 1, dropout: 0.0}
augment: {policy: views}
pretext: {views: 1.0}
pretrain: {optim: {steps: 4, batch_size: 4, accumulation_steps: 1, lr: 1e-3, warmup_steps: 1, log_every: 1}}
recognize: {optim: {steps: 4, batch_size: 4, accumulation_steps: 1, lr: 1e-3, log_every: 1}}
detect: {optim: {steps: 4, batch_size: 2, log_every: 1}, head: {hidden: 8, layers: 2}}
predict:
  optim: {steps: 4, batch_size: 4}
  head: {observed: 14, predicted: 5, context: 14, width: 8, layers: 1}
"""
"""A configuration that trains in a moment."""


def tiny(**changes) -> ModelConfig:
    """Sizes of a model that computes in a moment."""
    sizes = {"width": 8, "heads": 2, "head_width": 4, "layers": 2, "dropout": 0.0, "max_clips": 12}
    return ModelConfig(**{**sizes, **changes})


def sequences(
    lengths: list[int], seen: float = 1.0, seed: int = 0, joints: int = JOINTS, coords: int = 3
) -> tuple[Tensor, Tensor, Tensor]:
    """Random sequences: positions (S, T, J, C), 0 where not valid; valid (S, T, J); lengths (S,)."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths), joints)
    positions = torch.randn(*shape, coords, generator=generator)
    valid = torch.rand(shape, generator=generator) < seen
    valid &= (torch.arange(shape[1]) < torch.tensor(lengths)[:, None])[..., None]
    valid[:, 0, 0] = True  # every body was seen at least once
    return positions.masked_fill(~valid[..., None], 0.0), valid, torch.tensor(lengths)


def small_store(
    path: Path, count: int = 12, layout: Layout = LAYOUT, seed: int = 0, persons: int = 2
) -> Store:
    """``count`` recordings of 9 to 30 frames and 1 to ``persons`` bodies, three classes, four subjects.

    A class sets the pace of the movement, so that there is something to learn; 10% of the joints are unseen.
    """
    rng = np.random.default_rng(seed)

    def recordings():
        rest = rng.normal(size=(layout.n_joints, layout.dims))
        for number in range(count):
            frames = int(rng.integers(9, 31))
            bodies = 1 + number % persons
            pace = 0.2 + 0.5 * (number % len(CLASSES))
            time = np.arange(frames)[:, None, None, None] * pace + rng.uniform(0, 6)
            moving = rest + 0.5 * np.sin(time + np.arange(layout.n_joints)[:, None])
            positions = moving + 0.05 * rng.normal(size=(frames, bodies, layout.n_joints, layout.dims))
            yield Recording(
                positions=positions.astype(np.float32),
                valid=rng.random((frames, bodies, layout.n_joints)) < 0.9,
                layout=layout,
                name=f"recording-{number}",
                fps=30.0,
                label=CLASSES[number % len(CLASSES)],
                subject=f"person-{number // len(CLASSES) % 4}",
            )

    return write_store(
        path,
        recordings(),
        layout=layout,
        classes=CLASSES,
        protocols={"subjects": lambda r: "test" if r.subject == "person-3" else "train"},
        meta={"dataset": "made up"},
    )


def untrimmed_store(
    path: Path, count: int = 6, protocols: dict | None = None, rates: tuple[float | None, ...] = (30.0,)
) -> Store:
    """``count`` recordings of 30 frames and more with two labeled segments, two subjects, the rates in turn.

    In each frame all joints stand at x = 1 + class, in background at 0, one above the other.
    """

    def recordings():
        for number in range(count):
            frames = 30 + 4 * number
            segments = (Segment(4, 14, CLASSES[number % 3]), Segment(18, 28, CLASSES[(number + 1) % 3]))
            positions = np.zeros((frames, 1, JOINTS, 3), np.float32)
            positions[..., 1] = 0.3 * np.arange(1, JOINTS + 1)  # at 0 they would count as lost
            for each in segments:
                positions[each.start : each.stop, ..., 0] = 1 + CLASSES.index(each.label)
            yield Recording(
                positions=positions,
                valid=np.ones(positions.shape[:3], bool),
                layout=LAYOUT,
                name=f"untrimmed-{number}",
                fps=rates[number % len(rates)],
                segments=segments,
                subject=str(number % 2),
            )

    return write_store(
        path,
        recordings(),
        layout=LAYOUT,
        classes=CLASSES,
        protocols=protocols
        or {
            "subjects": lambda r: "train" if r.subject == "0" else "test",
            "leave-subject-0-out": lambda r: "test" if r.subject == "0" else "train",
        },
        meta={"dataset": "made up"},
    )


def keyed_generator(count: int, seed: int = 0) -> KeyedGenerator:
    """Random numbers for ``count`` samples."""
    return KeyedGenerator.from_seed(seed, range(count))
