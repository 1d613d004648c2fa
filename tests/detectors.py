"""Random detectors and untrimmed batches."""

from dataclasses import asdict

import torch

from factories import CLASSES, JOINTS, LAYOUT, tiny
from hitrs.models.card import ModelCard
from hitrs.models.encoder import HiTRS
from hitrs.tasks.detection.config import DetectionHeadConfig
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.segments import SegmentSettings
from hitrs.transforms.batch import Batch
from hitrs.transforms.config import PreprocessingConfig


def detector(
    causal: bool = True,
    context: str = "video",
    mode: str = "default",
    preprocessing: PreprocessingConfig | None = None,
    stride: int = 3,
    history: int = 5,
    sizes: dict | None = None,
    **more,
) -> DetectionModel:
    """Random weights, large enough for every part to matter; ``sizes``: of the encoder."""
    torch.manual_seed(0)
    config = tiny(**{"layers": 1, "window": 5, "mode": mode, **(sizes or {})})
    head = DetectionHeadConfig(context, stride, causal, hidden=8, layers=2, history=history)
    segments = asdict(SegmentSettings(min_length=2))
    card = ModelCard(
        config, LAYOUT, preprocessing or PreprocessingConfig(), CLASSES, task="detection",
        head=asdict(head), postprocessing={"segments": segments}, **more,
    )  # fmt: skip
    model = DetectionModel(HiTRS(config, JOINTS, card.channels), card)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and not name.endswith("pos_embed"):
                weight.mul_(2.0)
    return model.eval()


TUBELETS = PreprocessingConfig(stream="fused", tubelet=4)
SIDE_BY_SIDE = {"window": 3, "stride": 3, "dilation": 1, "padded": False}


def light(**changes) -> DetectionModel:
    """A detector as ``--config light`` has it: fused tubelets, clips side by side."""
    return detector(**{"preprocessing": TUBELETS, "sizes": SIDE_BY_SIDE, **changes})


def scene(frames: int, persons: int = 2, seed: int = 0, gap: tuple[int, int] = (0, 0)) -> Batch:
    """One recording with unseen joints; in ``gap`` nobody is there, and the last body does not come back."""
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randn(1, persons, frames, JOINTS, 3, generator=generator).cumsum(2) / 3
    valid = torch.rand(positions.shape[:-1], generator=generator) < 0.8
    valid[:, :, gap[0] : gap[1]] = False
    if persons > 1:
        valid[:, -1, gap[1] :] &= gap[1] == gap[0]
    valid[:, 0, 0] = True
    return Batch(positions.masked_fill(~valid[..., None], 0.0), valid, torch.tensor([frames]))
