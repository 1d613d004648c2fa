"""``hitrs bench recognize``: from an array to a named action."""

from __future__ import annotations

import dataclasses
import tempfile

import numpy as np
import torch
from torch import Tensor

from hitrs.bench.case import Case
from hitrs.bench.measurement import Measurement, chain_layout, count_flops, device, peak_memory, time_steps
from hitrs.bench.plain import PlainHiTRS
from hitrs.models.authors import to_authors
from hitrs.models.card import ModelCard
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.recognizer import Recognizer

CLASSES = 60


def measure(case: Case) -> Measurement:
    """Seconds from the arrays of ``batch_size`` recordings to their classes."""
    torch.manual_seed(0)
    layout = chain_layout(case.joints)
    classes = tuple(f"action {n}" for n in range(CLASSES))
    head = dataclasses.asdict(case.config.section("recognition").head)
    card = ModelCard(case.config.model, layout, case.config.preprocessing, classes, head=head)
    model = RecognitionModel.untrained(card)
    shape = (case.batch_size, case.frames, case.persons, case.joints, 3)
    recordings = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    if case.side == "plain":
        plain = PlainHiTRS(case.config.model, case.joints, classes=CLASSES)
        plain.load_state_dict(to_authors(model.state_dict()))
        plain.to(device()).eval()

        def recognize() -> object:
            return recognize_plainly(plain, recordings)

    else:
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(f"{folder}/model")
            recognizer = Recognizer(f"{folder}/model", device=device().type)

        def recognize() -> object:
            return recognizer.recognize_many(recordings)

    def step() -> object:
        with torch.autocast(device().type, torch.bfloat16, enabled=case.precision == "bf16"):
            return recognize()

    times = time_steps(step, case.seconds)
    # counted in float32: the counter, in inference mode, hides from autocast what it takes apart
    return Measurement(tuple(times), float(case.batch_size), peak_memory(), count_flops(recognize))


@torch.inference_mode()
def recognize_plainly(plain: PlainHiTRS, recordings: np.ndarray) -> Tensor:
    """Probabilities (B, classes) of raw recordings (B, T, P, J, C), of whose bodies two take part."""
    positions = torch.from_numpy(recordings).transpose(1, 2)[:, :2].to(device())  # (B, P, T, J, C)
    missing = 2 - positions.shape[1]
    positions = torch.nn.functional.pad(positions, (0, 0, 0, 0, 0, 0, 0, missing))
    lengths = torch.full((len(positions),), positions.shape[2], device=positions.device)
    return plain.recognize(positions, lengths).softmax(1)
