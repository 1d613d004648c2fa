"""Runs on a store at an address: what they learn, how often a shard is read, and an outage in the middle."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import hitrs
from factories import QUICK
from hitrs.config import Config, load_config
from hitrs.data import remote
from hitrs.data.store import Store
from hitrs.errors import ConfigError, DataError
from hitrs.models.encoder import HiTRS
from hitrs.models.pretrained import load_pretrained
from hitrs.tasks.recognition.ridge import encoder_features
from hitrs.transforms.dataset import SkeletonDataset
from remote_stores import CountingFileSystem, bulk_bytes, sharded_store


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[CountingFileSystem]]:
    monkeypatch.setenv("HITRS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "PATIENCE", 0.3)
    CountingFileSystem.reset()
    yield CountingFileSystem
    CountingFileSystem.reset()


def config(tmp_path: Path, **optim: float) -> Config:
    (tmp_path / "quick.yaml").write_text(QUICK, encoding="utf-8")
    changes = {"steps": 9, "checkpoint_seconds": 0, **optim}
    sections = ("pretrain", "recognize")
    return load_config(tmp_path / "quick.yaml").changed(
        {f"{section}.optim.{key}": value for section in sections for key, value in changes.items()}
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_pretrained(folder / "model")[1]


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_small_store_trains_as_here(tmp_path: Path, system: type[CountingFileSystem]) -> None:
    here = sharded_store(tmp_path / "store")
    address = system.upload(tmp_path / "store")
    hitrs.pretrain(here, tmp_path / "here", config=config(tmp_path))
    hitrs.pretrain(address, tmp_path / "there", config=config(tmp_path))
    assert same(weights(tmp_path / "here"), weights(tmp_path / "there"))
    assert json.loads((tmp_path / "there" / "run.json").read_text())["store"] == address
    run = hitrs.finetune(address, tmp_path / "tuned", start=tmp_path / "there", config=config(tmp_path))
    local = hitrs.finetune(here, tmp_path / "local", start=tmp_path / "there", config=config(tmp_path))
    assert run.results is not None
    assert local.results is not None
    assert run.results["metrics"] == local.results["metrics"]


def test_a_round_reads_each_shard_once_through_a_small_cache_and_goes_on_after_an_outage(
    tmp_path: Path, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = sharded_store(tmp_path / "store", count=48)
    address = system.upload(tmp_path / "store")
    limit = bulk_bytes(here) // 3
    monkeypatch.setenv("HITRS_CACHE_SIZE", str(limit))
    chosen = config(tmp_path, shuffle_mib=limit / 2 / 2**20)  # 36 recordings train: 9 steps are a round
    hitrs.pretrain(address, tmp_path / "whole", config=chosen)
    # a round, what is measured of it before, and the probe after it
    assert max(n for name, n in system.read.items() if name.startswith("shards/")) <= 4

    def away(name: str) -> None:
        if name.startswith("shards/") and (tmp_path / "cut" / "checkpoints").exists():
            raise ConnectionResetError("the other machine is away")

    for file in (tmp_path / "cache" / "stores").iterdir():
        file.unlink()
    system.disturb = away
    with pytest.raises(DataError, match=r"could not be had for 0 s: ConnectionResetError.*--resume"):
        hitrs.pretrain(address, tmp_path / "cut", config=chosen)
    system.disturb = None
    assert (tmp_path / "cut" / "checkpoints").exists()
    hitrs.pretrain(address, tmp_path / "cut", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_features_are_read_shard_by_shard(
    tmp_path: Path, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = sharded_store(tmp_path / "store", count=48)
    hitrs.pretrain(here, tmp_path / "run", config=config(tmp_path))
    monkeypatch.setenv("HITRS_CACHE_SIZE", str(bulk_bytes(here) // 4))
    there = Store.open(system.upload(tmp_path / "store"))
    encoder = HiTRS.from_pretrained(tmp_path / "run")
    features = []
    for store in (Store.open(tmp_path / "store"), there):
        dataset = SkeletonDataset(store, range(48), encoder.card.layout, encoder.card.preprocessing)
        system.read.clear()
        features.append(encoder_features(encoder, dataset))
    np.testing.assert_allclose(features[1], features[0], rtol=1e-4, atol=1e-5)
    assert {n for name, n in system.read.items() if name.startswith("shards/")} == {1}
    _, reports = hitrs.probe(here, tmp_path / "run", config=config(tmp_path))
    _, remote_reports = hitrs.probe(there, tmp_path / "run", config=config(tmp_path))
    plain = ("knn", "knn, all levels", "knn on positions")  # what sees no augmented copies
    assert {name: remote_reports[name]["all"]["top1"] for name in plain} == {
        name: reports[name]["all"]["top1"] for name in plain
    }


def test_several_stores_must_fit_the_cache(
    tmp_path: Path, system: type[CountingFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = sharded_store(tmp_path / "store")
    address = system.upload(tmp_path / "store")
    monkeypatch.setenv("HITRS_CACHE_SIZE", str(bulk_bytes(here) - 1))
    with pytest.raises(ConfigError, match=r"must hold all of those on other machines, .*HITRS_CACHE_SIZE"):
        hitrs.pretrain([here, address], tmp_path / "run", config=config(tmp_path))
