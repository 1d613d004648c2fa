"""Checkpoints: whole or not at all, and what is damaged is named."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from hitrs.errors import CheckpointError
from hitrs.files import sha256_of
from hitrs.training import checkpoint
from hitrs.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint


def make(seed: int = 0, width: int = 3) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(width, 4), nn.Linear(4, 2))
    return module, torch.optim.AdamW(
        [{"params": module[0].parameters(), "weight_decay": 0.1}, {"params": module[1].parameters()}]
    )


def update(module: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)
    module(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def weights(module: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def test_training_goes_on_exactly_where_it_was(tmp_path: Path) -> None:
    module, optimizer = make()
    for seed in range(3):
        update(module, optimizer, seed)
    save_checkpoint(tmp_path, module, optimizer, {"step": 3, "seconds": 1.5})
    again, its_optimizer = make(seed=9)
    assert load_checkpoint(tmp_path, again, its_optimizer) == {"version": 2, "step": 3, "seconds": 1.5}
    for seed in range(3, 6):
        update(module, optimizer, seed)
        update(again, its_optimizer, seed)
    assert all(torch.equal(a, b) for a, b in zip(weights(module), weights(again), strict=True))


def test_there_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "checkpoints", *make()) is None
    assert list_checkpoints(tmp_path / "checkpoints") == []


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    module, optimizer = make()
    (tmp_path / ".step-00000001.partial").mkdir()  # a kill came in between
    for step in (1, 2, 30):
        save_checkpoint(tmp_path, module, optimizer, {"step": step})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000030"]
    save_checkpoint(tmp_path, module, optimizer, {"step": 30})  # the same again
    assert [p.name for p in list_checkpoints(tmp_path)] == ["step-00000002", "step-00000030"]


def test_the_newest_of_two_is_taken(tmp_path: Path) -> None:
    # a kill between writing the new one and removing the old one leaves both
    module, optimizer = make()
    save_checkpoint(tmp_path, module, optimizer, {"step": 9})
    (tmp_path / "step-00000009").rename(tmp_path / "kept")
    save_checkpoint(tmp_path, module, optimizer, {"step": 10})
    (tmp_path / "kept").rename(tmp_path / "step-00000009")
    assert load_checkpoint(tmp_path, module, optimizer)["step"] == 10


@pytest.mark.parametrize("failing", ["model.safetensors", "optimizer.safetensors"])
def test_a_full_disk_keeps_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    module, optimizer = make()
    update(module, optimizer, 0)
    save_checkpoint(tmp_path, module, optimizer, {"step": 1})
    before = weights(module)
    update(module, optimizer, 1)
    really = checkpoint.save_file

    def full(tensors, path: Path) -> None:
        if path.name == failing:
            path.write_bytes(b"half of it")
            raise OSError(28, "No space left on device")
        really(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(CheckpointError, match=r"could not write .*step-00000002.*No space left.*--resume"):
        save_checkpoint(tmp_path, module, optimizer, {"step": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
    assert load_checkpoint(tmp_path, module, optimizer)["step"] == 1
    assert all(torch.equal(a, b) for a, b in zip(weights(module), before, strict=True))


def test_a_checkpoint_without_its_end_does_not_count(tmp_path: Path) -> None:
    module, optimizer = make()
    save_checkpoint(tmp_path, module, optimizer, {"step": 1})
    (tmp_path / "step-00000002").mkdir()
    assert [p.name for p in list_checkpoints(tmp_path)] == ["step-00000001"]


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_damage_is_named(tmp_path: Path, name: str) -> None:
    module, optimizer = make()
    update(module, optimizer, 0)
    file = save_checkpoint(tmp_path, module, optimizer, {"step": 1}) / name
    whole = file.read_bytes()
    for content in (whole[:-20], b"", b"\xff\xfe\x81"):
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"step-00000001 cannot be read"):
            load_checkpoint(tmp_path, module, optimizer)
    if name != "state.json":
        file.unlink()
        with pytest.raises(CheckpointError, match=r"step-00000001 cannot be read"):
            load_checkpoint(tmp_path, module, optimizer)


def test_another_version_or_model(tmp_path: Path) -> None:
    module, optimizer = make()
    update(module, optimizer, 0)
    path = save_checkpoint(tmp_path, module, optimizer, {"step": 1})
    with pytest.raises(CheckpointError, match=r"belongs to another model: .* is .* and not "):
        load_checkpoint(tmp_path, *make(width=5))
    state = json.loads((path / "state.json").read_text())
    for wrong in ({**state, "version": 7}, []):
        (path / "state.json").write_text(json.dumps(wrong))
        with pytest.raises(CheckpointError, match=r"format version (7|None), this release goes on with 2"):
            load_checkpoint(tmp_path, module, optimizer)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_changed_number_is_damage_and_the_older_one_is_named(tmp_path: Path, name: str) -> None:
    """Also where the file can still be read."""
    module, optimizer = make()
    for step in (1, 2, 3):
        update(module, optimizer, step)
        file = save_checkpoint(tmp_path, module, optimizer, {"step": step, "seconds": 1.5}) / name
    content = bytearray(file.read_bytes())
    place = content.index(b"1.5") if name == "state.json" else len(content) - 1
    content[place] ^= 1
    file.write_bytes(content)
    message = (
        rf"step-00000003 cannot be read: {name} does not match its checksum; step-00000002 beside it is "
    )
    with pytest.raises(CheckpointError, match=f"{message}whole: remove step-00000003, and --resume goes on"):
        load_checkpoint(tmp_path, module, optimizer)
    (tmp_path / "step-00000002" / "optimizer.safetensors").write_bytes(b"damaged too")
    with pytest.raises(CheckpointError, match="remove it to start again"):
        load_checkpoint(tmp_path, module, optimizer)


def test_a_checkpoint_without_checksums_goes_on(tmp_path: Path) -> None:
    """The first runs of this format wrote none."""
    module, optimizer = make()
    path = save_checkpoint(tmp_path, module, optimizer, {"step": 1})
    state = json.loads((path / "state.json").read_text())
    del state["sha256"], state["files"]
    (path / "state.json").write_text(json.dumps(state))
    assert load_checkpoint(tmp_path, module, optimizer) == {"version": 2, "step": 1}


def test_a_state_that_is_nested_too_deeply(tmp_path: Path) -> None:
    module, optimizer = make()
    path = save_checkpoint(tmp_path, module, optimizer, {"step": 1})
    (path / "state.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(CheckpointError, match="cannot be read: it is nested too deeply"):
        load_checkpoint(tmp_path, module, optimizer)


@pytest.mark.skipif(os.name == "nt", reason="no modes")
def test_files_have_the_mode_that_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = save_checkpoint(tmp_path, *make(), {"step": 1})
    finally:
        os.umask(before)
    assert {oct(file.stat().st_mode & 0o777) for file in path.iterdir()} == {"0o640"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", None), ("step", -1), ("step", 2.5), ("seconds", "x"), ("seconds", float("nan")),
        ("passes", "2"), ("passes", 0), ("averages", 3), ("averages", {"loss": [1.0, 0]}),
        ("averages", {"loss": None}), ("files", 7),
        ("scalars", []),
    ],
)  # fmt: skip
def test_a_state_of_other_kinds_is_named(tmp_path: Path, key: str, value: object) -> None:
    module, optimizer = make()
    update(module, optimizer, 0)
    at = {"step": 3, "seconds": 1.5, "averages": {"loss": [2.0, 1]}}
    folder = save_checkpoint(tmp_path, module, optimizer, at)
    state = json.loads((folder / "state.json").read_text())
    del state["sha256"]
    (folder / "state.json").write_text(json.dumps({**state, key: value}))
    with pytest.raises(CheckpointError, match=f"'{key}' of state.json is not what a checkpoint has there"):
        load_checkpoint(tmp_path, module, optimizer)


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors"])
def test_complex_numbers_are_no_weights(tmp_path: Path, file: str) -> None:
    module, optimizer = make()
    update(module, optimizer, 0)
    folder = save_checkpoint(tmp_path, module, optimizer, {"step": 3})
    tensors = load_file(folder / file)
    name = sorted(tensors)[0]
    save_file({**tensors, name: tensors[name].to(torch.complex64)}, folder / file)
    state = json.loads((folder / "state.json").read_text())
    state["files"][file] = sha256_of(folder / file)
    del state["sha256"]
    (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(CheckpointError, match=f"belongs to another model: {name} is complex64"):
        load_checkpoint(tmp_path, module, optimizer)
