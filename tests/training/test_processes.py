"""Two processes on one machine: the same weights in both, and as in one process with the whole batch."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from factories import LAYOUT, small_store, tiny
from hitrs.config import Config
from hitrs.data.store import Store
from hitrs.models.encoder import HiTRS
from hitrs.models.pretrained import load_pretrained
from hitrs.pretext.future_clip import FutureClip
from hitrs.pretext.job import train_encoder
from hitrs.pretext.views import Views
from hitrs.tasks.base import get_task
from hitrs.tasks.finetune import finetune
from hitrs.tasks.prediction.model import PredictionObjective
from hitrs.tasks.recognition.config import RecognitionConfig
from hitrs.training.config import FinetuneOptimConfig, OptimConfig, PretrainConfig
from hitrs.training.log import read_metrics
from hitrs.transforms.config import AugmentConfig, PreprocessingConfig
from hitrs.transforms.dataset import SkeletonDataset
from predictors import predictor

CHILD = """
import json
import sys
from pathlib import Path

store, run, *folders = sys.argv[1:]
sys.path[:0] = folders
import torch

torch.set_num_threads(1)
from test_processes import contrastive_losses, learn, prediction_loss, train
from accelerate import PartialState

rank = PartialState(cpu=True).process_index
part = slice(0, 6) if rank == 0 else slice(6, 8)  # the processes hold different numbers of sequences
losses = [contrastive_losses(part), prediction_loss(part)]
Path(run, f"losses-{rank}.json").write_text(json.dumps(losses))
model = train(store, Path(run), batch_size=2)
torch.save(model.state_dict(), Path(run, f"weights-{rank}.pt"))
learn(store, Path(run, "pretrained"), batch_size=2)
"""


def contrastive_losses(part: slice) -> list[float]:
    torch.manual_seed(0)
    encoder = HiTRS(tiny(), LAYOUT.n_joints)
    future, views = FutureClip(encoder), Views(encoder)
    videos, following = torch.randn(8, encoder.video_width), torch.randn(8, encoder.clip_width)
    identity = torch.tensor([0, 1, 2, 0, 1, 2, 3, 3])
    return [
        future.result(videos[part], following[part]).loss.item(),
        views.result(videos[part], identity[part]).loss.item(),
    ]


def prediction_loss(part: slice) -> float:
    """Of windows in which more and more joints are not seen."""
    torch.manual_seed(0)
    positions, chance = torch.randn(8, 15, LAYOUT.n_joints, 3), torch.rand(8, 15, LAYOUT.n_joints)
    valid = chance > torch.linspace(0.1, 0.9, 8)[:, None, None]
    return PredictionObjective(predictor(), velocity=0.5)(positions[part], valid[part])[0].item()


def learn(store: str, folder: Path, batch_size: int) -> None:
    """Fifty steps of pre-training with everything that is drawn at random, dropout off."""
    data = Store.open(store)
    optim = OptimConfig(
        steps=50,
        batch_size=batch_size,
        accumulation_steps=1,
        lr=1e-3,
        warmup_steps=5,
        log_every=1,
        checkpoint_seconds=1e9,
    )
    config = Config(
        model=tiny(),
        augment=AugmentConfig("views"),
        pretext={"views": 1.0},
        pretrain=PretrainConfig(optim),
        max_frames=20,
    )
    train_encoder([SkeletonDataset(data, range(len(data)), LAYOUT, PreprocessingConfig())], config, folder)


def train(store: str, folder: Path, batch_size: int) -> torch.nn.Module:
    data = Store.open(store)
    optim = FinetuneOptimConfig(
        steps=4,
        batch_size=batch_size,
        accumulation_steps=2,
        lr=1e-3,
        warmup_steps=0,
        schedule="halving",
        log_every=1,
        checkpoint_seconds=0,
    )
    config = Config(
        model=tiny(), augment=AugmentConfig("none"), tasks={"recognize": RecognitionConfig(optim)}
    )
    dataset = SkeletonDataset(data, range(len(data)), LAYOUT, PreprocessingConfig())
    return finetune(get_task("recognition"), dataset, config, folder)


@pytest.mark.skipif(sys.platform == "win32", reason="the processes' meeting point is not tried on Windows")
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    small_store(tmp_path / "store")
    (tmp_path / "two").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = Path(__file__).parent
    command = [sys.executable, "-c", CHILD, tmp_path / "store", tmp_path / "two", here, here.parent]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    children = [
        subprocess.Popen(
            command, env={**os.environ, **common, "RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE
        )
        for rank in ("0", "1")
    ]
    errors = [child.communicate()[1].decode() for child in children]
    assert [child.returncode for child in children] == [0, 0], errors

    # the contrastive tasks see the targets of both: their means over all are those of one process
    first, second = (json.loads((tmp_path / "two" / f"losses-{rank}.json").read_text()) for rank in (0, 1))
    together = contrastive_losses(slice(0, 8))
    for a, b, both in zip(first[0], second[0], together, strict=True):
        assert (6 * a + 2 * b) / 8 == pytest.approx(both, rel=1e-5)
    # the others weigh what each process has: training takes the mean over processes
    assert (first[1] + second[1]) / 2 == pytest.approx(prediction_loss(slice(0, 8)), rel=1e-5)

    weights = [torch.load(tmp_path / "two" / f"weights-{rank}.pt") for rank in (0, 1)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    _, saved = load_pretrained(tmp_path / "two")
    assert all(torch.equal(saved[name], value) for name, value in weights[0].items())
    one = train(str(tmp_path / "store"), tmp_path / "one", batch_size=4).state_dict()
    for name, value in one.items():
        torch.testing.assert_close(weights[0][name], value, atol=2e-4, rtol=0)
    logs = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("one", "two")]
    assert [row["step"] for row in logs[1]] == [1, 2, 3, 4]
    assert [row["epoch"] for row in logs[1]] == [row["epoch"] for row in logs[0]]

    # pre-training: the processes hold different numbers of bodies, chosen joints and clips that moved
    learn(str(tmp_path / "store"), tmp_path / "one" / "pretrained", batch_size=4)
    one, two = (read_metrics(tmp_path / name / "pretrained" / "metrics.jsonl") for name in ("one", "two"))
    clock = {"seconds", "recordings_per_second"}
    assert len(one) == len(two) == 51  # the probe's row at the end
    for alone, shared in zip(one, two, strict=True):
        assert alone.keys() == shared.keys()
        for name in alone.keys() - clock:
            assert shared[name] == pytest.approx(alone[name], rel=1e-4, abs=1e-4), name
