"""Make the weights that the package ships: one encoder from what may be given away.

    python benchmarks/general.py DATA WORK

DATA is the folder with ``precog2016/``, ``cmu_expmap/`` and ``ui_prmd_vicon/``; stores and run go to WORK.
The training parts are used, labels unseen, and synthetic motion beside them. The encoder is written in half
precision to ``src/hitrs/weights/general``, with ``files.txt``, every file that it saw.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

import hitrs
from hitrs.config import dump_config
from hitrs.models.card_files import GENERAL
from hitrs.models.pretrained import save_pretrained

STEPS = 3000
SOURCES = {
    # store: (its protocol, what makes it of DATA)
    "precog_actions": ("odd-even", ("import {data}/precog2016 {work}/precog", "cut {work}/precog {out}")),
    "cmu_windows": (
        "train-test",
        ("import {data}/cmu_expmap {work}/cmu", "cut {work}/cmu {out} --seconds 3"),
    ),
    "ui_prmd": (
        "odd-even",
        ("import {data}/ui_prmd_vicon {work}/ui_prmd_z", "clean {work}/ui_prmd_z {out} --up z"),
    ),
    "synthetic": ("cross-subject", ("import synthetic {out}",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    given = parser.parse_args()
    stores = [made(name, commands, given.data, given.work) for name, (_, commands) in SOURCES.items()]
    protocols = [protocol for protocol, _ in SOURCES.values()]
    began = time.process_time()
    config = hitrs.load_config("light", {"layout": "kinect20", "pretrain.optim.steps": STEPS})
    run = hitrs.pretrain(
        stores,
        given.work / "general",
        config=config,
        protocol=protocols,
        resume=(given.work / "general").exists(),
        notify=print,
    )
    minutes = (time.process_time() - began) / 60
    encoder = hitrs.HiTRS.from_pretrained(run.model)
    facts = {"stores": list(SOURCES), "protocols": protocols, "core_minutes": round(minutes, 1)}
    card = dataclasses.replace(encoder.card, trained={**encoder.card.trained, **facts})
    about = GENERAL / "README.md"
    card_text = about.read_text(encoding="utf-8") if about.exists() else ""
    shutil.rmtree(GENERAL, ignore_errors=True)
    weights = {f"encoder.{name}": value.to(torch.float16) for name, value in encoder.state_dict().items()}
    save_pretrained(GENERAL, card, weights)
    if card_text:
        about.write_text(card_text, encoding="utf-8")
    dump_config(config, GENERAL / "config.yaml", comment="Written by: python benchmarks/general.py DATA WORK")
    (GENERAL / "files.txt").write_text("\n".join(seen_files(stores, protocols)) + "\n", encoding="utf-8")
    size = (GENERAL / "model.safetensors").stat().st_size / 1e6
    print(f"{minutes:.1f} core-minutes, {size:.2f} MB in {GENERAL}")


def made(name: str, commands: Sequence[str], data: Path, work: Path) -> hitrs.Store:
    """The store of a source, made now if it is not there."""
    out = work / name
    if not out.exists():
        for command in commands:
            words = [part.format(data=data, work=work, out=out) for part in command.split()]
            if not (words[0] == "import" and Path(words[2]).exists()):
                subprocess.run([sys.executable, "-m", "hitrs", *words], check=True)
    return hitrs.Store.open(out)


def seen_files(stores: Sequence[hitrs.Store], protocols: Sequence[str]) -> list[str]:
    """The file of every recording that was learned from, each once."""
    files = []
    for store, protocol in zip(stores, protocols, strict=True):
        dataset = store.meta["dataset"]
        names = {store[int(i)].source or store.name(int(i)) for i in store.split(protocol, "train")}
        files += [f"{dataset}: {name}" for name in sorted(names)]
    return files


if __name__ == "__main__":
    main()
