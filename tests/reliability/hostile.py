"""Models, checkpoints and stores of somebody else: used or refused in words, soon, in little memory."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from campaign import Report
from fuzz_bytes import BYTES
from fuzz_mutations import exploits
from fuzz_run import alarm, heard, listen, peak_memory
from safetensors.torch import load_file, save_file

from detectors import detector
from factories import CLASSES, JOINTS, LAYOUT, small_store, tiny
from hitrs import Detector, HiTRS, Recognizer
from hitrs.data import Store
from hitrs.errors import HitrsError
from hitrs.files import sha256_of
from hitrs.models.card import ModelCard
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.training.checkpoint import load_checkpoint, save_checkpoint
from hitrs.training.log import Averages

COUNT = 200
MEGABYTES = 512
_VALUES: list[Any] = [
    None, True, 0, -1, 1, 7.5, 1e9, 10**9, 10**400, float("nan"), float("inf"), "", "x" * 100_000, [], {},
    [[]], [None], {"a": 1}, ["a", "a"], [1, 2], {"x": {"y": []}}, "../../x", "\ud800", [0] * 100_000,
]  # fmt: skip


@dataclass(frozen=True)
class Target:
    """Something good, and what reads and uses it."""

    name: str
    folder: Path
    use: Callable[[Path], object]


def reports(count: int, seed: int, folder: Path) -> list[Report]:
    listen()
    return [_report(target, count, seed, folder / "spoiled") for target in targets(folder)]


def targets(folder: Path) -> list[Target]:
    store = small_store(folder / "store", count=6)
    recording = store[0]
    card = ModelCard(tiny(), LAYOUT, classes=CLASSES)
    recognizer = RecognitionModel(HiTRS(tiny(), JOINTS), card)
    network, optimizer = _training()
    network(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    at = {"step": 3, "seconds": 1.0, "averages": None}
    checkpoint = save_checkpoint(folder / "checkpoints", network, optimizer, at, card)
    return [
        Target(
            "recognizer",
            recognizer.save_pretrained(folder / "recognizer"),
            lambda path: Recognizer(path)(recording, as_is=True),
        ),
        Target(
            "detector",
            detector().save_pretrained(folder / "detector"),
            lambda path: Detector(path).detect(recording),
        ),
        Target("checkpoint", checkpoint, _resume),
        Target("store", store.path, _read_store),
    ]


def _training() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    return network, torch.optim.AdamW(network.parameters())


def _resume(path: Path) -> None:
    state = load_checkpoint(path.parent, *_training())
    if state is not None:
        assert state["step"] + 1 + state["seconds"] > 0
        Averages(state["averages"]).take()


def _read_store(path: Path) -> None:
    store = Store.open(path)
    for recording in store:
        recording.positions.sum()
    for protocol in store.protocols:
        store.split(protocol, "train")


def _report(target: Target, count: int, seed: int, place: Path) -> Report:
    report = Report(f"a {target.name} that is spoiled or hostile")
    slowest, largest = (0.0, ""), (0.0, "")
    for number in range(count):
        dice = random.Random(f"{seed} {target.name} {number}")
        shutil.rmtree(place, ignore_errors=True)
        copy = place / target.folder.name
        shutil.copytree(target.folder, copy)
        how = _spoil(copy, dice, place / "canary")
        title = f"{target.name}, seed {seed}, {number} ({how})"
        before, start = peak_memory(reset=True), time.process_time()
        try:
            with heard() as events, alarm():
                warnings.simplefilter("error")
                target.use(copy)
            report.add("used")
        except HitrsError as error:
            report.add("refused")
            if not 10 < len(str(error)) < 2000:
                report.fault(f"{title}: a message of {len(str(error))} characters: {error}"[:500])
        except BaseException as error:
            report.add("foreign error")
            report.fault(f"{title}: {''.join(traceback.format_exception(error)[-4:])}")
        took, grown = time.process_time() - start, peak_memory() - before
        # a folder is looked for that a kill left aside: there is none
        done = [event for event in events if ".old'" not in event]
        if done or (place / "canary").exists():
            report.fault(f"{title}: did {done[:3]}")
        if grown > MEGABYTES:
            report.fault(f"{title}: took {grown:.0f} MB")
        slowest, largest = max(slowest, (took, how)), max(largest, (grown, how))
    report.measured = (
        f"slowest {slowest[0]:.1f} s ({slowest[1]}), most memory {largest[0]:.0f} MB ({largest[1]})"
    )
    return report


def _spoil(folder: Path, dice: random.Random, canary: Path) -> str:
    """One way, or now and then two; a checksum is brought up to date, so that it does not hide the rest."""
    ways = [_value, _value, _value, _deep, _bytes, _weights, _weights, _column, _other_file]
    names = []
    for _ in range(dice.choice((1, 1, 1, 2))):
        way = dice.choice(ways)
        names.append(f"{way.__name__.strip('_')} {way(folder, dice, canary)}")
    if dice.random() < 0.8:
        _sums(folder)
    return ", ".join(names)


def _files(folder: Path, suffix: str = "") -> list[Path]:
    return sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file())


def _value(folder: Path, dice: random.Random, canary: Path) -> str:
    path = dice.choice(_files(folder, ".json") or [folder])
    try:
        content = json.loads(path.read_text())
        holders: list[tuple[Any, Any]] = []
        _collect(content, holders)
        holder, key = dice.choice(holders)
    except (OSError, ValueError, IndexError, RecursionError):
        return "nowhere"
    if dice.random() < 0.1:
        del holder[key]
    else:
        holder[key] = dice.choice(_VALUES)
    path.write_text(json.dumps(content))
    return f"of {path.name}: {key}"


def _collect(node: Any, into: list[tuple[Any, Any]]) -> None:
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        into.append((node, key))
        _collect(node[key], into)


def _deep(folder: Path, dice: random.Random, canary: Path) -> str:
    path = dice.choice(_files(folder, ".json") or [folder / "x.json"])
    opening, closing = dice.choice((("[", "]"), ('{"a":', "}")))
    depth = dice.choice((900, 5000, 200_000))
    path.write_text('{"version": ' + opening * depth + "1" + closing * depth + "}")
    return path.name


def _bytes(folder: Path, dice: random.Random, canary: Path) -> str:
    path = dice.choice(_files(folder))
    way = dice.choice(BYTES)
    path.write_bytes(way(path.read_bytes(), b"other", dice))
    return f"{way.__name__} of {path.name}"


def _weights(folder: Path, dice: random.Random, canary: Path) -> str:
    files = _files(folder, ".safetensors")
    if not files:
        return _column(folder, dice, canary)
    path = dice.choice(files)
    try:
        tensors = load_file(path)
    except Exception:  # spoiled before
        return "nowhere"
    name = dice.choice(sorted(tensors))
    value = tensors[name]
    ways: dict[str, Callable[[], torch.Tensor | None]] = {
        "nan": lambda: torch.full_like(value, float("nan")) if value.is_floating_point() else value - 7,
        "huge": lambda: value * 1e38,
        "shape": lambda: torch.zeros(*value.shape, 2),
        "empty": lambda: torch.zeros(0),
        "large": lambda: torch.zeros(3_000_000),
        "integers": lambda: value.to(torch.int64),
        "complex": lambda: value.to(torch.complex64),
        "missing": lambda: None,
    }
    way = dice.choice(sorted(ways))
    tensors[name] = ways[way]()  # type: ignore[assignment]
    if dice.random() < 0.2:
        tensors["another"] = torch.zeros(3)
    save_file({key: each.contiguous() for key, each in tensors.items() if each is not None}, path)
    return f"{way}: {name}"


def _column(folder: Path, dice: random.Random, canary: Path) -> str:
    files = _files(folder, ".npy")
    if not files:
        return _value(folder, dice, canary)
    path = dice.choice(files)
    kinds = ("<f8", "<i8", "<i4", "i1", "<U5", "?", "c16")
    shapes = ((), (0,), (6,), (7,), (6, 2), (1, 1, 1), (10**6,))
    kind, shape, fill = dice.choice(kinds), dice.choice(shapes), dice.choice((0, 1, 100))
    file = io.BytesIO()
    np.save(file, np.full(shape, fill).astype(kind))
    path.write_bytes(file.getvalue())
    return f"{path.name}: {shape} {kind}"


def _other_file(folder: Path, dice: random.Random, canary: Path) -> str:
    """A pickle, a link, a pipe, a folder or nothing where a file should be."""
    path = dice.choice(_files(folder))
    path.unlink()
    way = dice.choice(("pickle", "zero", "loop", "nowhere", "pipe", "folder", "nothing", "/proc"))
    if way == "pickle":
        path.write_bytes(dice.choice(exploits(canary)))
    elif way == "pipe":
        os.mkfifo(path)
    elif way == "folder":
        path.mkdir()
    elif way != "nothing":
        to = {"zero": "/dev/zero", "loop": path, "nowhere": "/nowhere/x", "/proc": "/proc/self/mem"}
        path.symlink_to(to[way])
    return f"{way} in place of {path.name}"


def _sums(folder: Path) -> None:
    """Write the checksums that fit, of weights and of the files of a checkpoint or store."""
    for card in _files(folder, ".json"):
        try:
            content = json.loads(card.read_text())
            if "weights_sha256" in content:
                content["weights_sha256"] = sha256_of(folder / "model.safetensors")
            files = content.get("files")
            for name in files if isinstance(files, dict) else ():
                file = folder / name
                if isinstance(files[name], str):
                    files[name] = sha256_of(file)
                elif isinstance(files[name], dict):
                    files[name] = {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
            content.pop("sha256", None)
            card.write_text(json.dumps(content))
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            continue
