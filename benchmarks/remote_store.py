"""What training on a store of another machine costs, and what an outage, a wrong key and a changed object do.

    pip install "hitrs[remote]" "moto[server]"
    python benchmarks/remote_store.py STORE [--steps 64] [--batch 16] [--config tiny] [--shard 24]

A server that speaks S3 (moto's, a process of its own) holds the store, written anew in shards of so many
recordings; what is asked of it passes a relay in this process, which counts bytes and can be pulled out like
a cable. Pre-training is updated for some steps from the local disk, with caches of a tenth of the store and
of all of it, cold and warm, and once with the cable out for ten seconds. What it prints last is the table of
docs/large.md.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import fsspec
import numpy as np
import torch

from hitrs.config import load_config
from hitrs.data.store import Store, write_store
from hitrs.errors import DataError
from hitrs.pretext.job import PretrainJob
from hitrs.training.batches import make_batch
from hitrs.training.config import OptimConfig
from hitrs.transforms.dataset import SkeletonDataset

OUTAGE = 10.0
ADDRESS = "s3://bucket/store"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Relay:
    """What stands between the training and the server: it counts, and can be pulled out."""

    def __init__(self, behind: int) -> None:
        self.behind, self.port, self.bytes, self.out = behind, free_port(), 0, False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve() -> None:
            await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            ready.set()

        self._loop.create_task(serve())
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        ready.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.out:
            writer.transport.abort()
            return
        back, forth = await asyncio.open_connection("127.0.0.1", self.behind)
        self._writers |= {writer, forth}
        await asyncio.gather(self._passed(reader, forth, False), self._passed(back, writer, True))
        self._writers -= {writer, forth}

    async def _passed(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, counted: bool) -> None:
        with suppress(OSError):
            while piece := await source.read(1 << 16):
                self.bytes += counted * len(piece)
                sink.write(piece)
                await sink.drain()
        sink.transport.abort() if self.out else sink.close()

    def pull(self, seconds: float) -> None:
        """Break all connections and refuse new ones for some seconds."""

        def out() -> None:
            self.out = True
            for writer in self._writers:
                writer.transport.abort()
            self._loop.call_later(seconds, back)

        def back() -> None:
            self.out = False

        self._loop.call_soon_threadsafe(out)


def train(store: Store, options: argparse.Namespace, window: int, relay: Relay, outage_at: int = -1) -> dict:
    """Updates of pre-training on all recordings: how many a second, what was read, and what was learned."""
    config = load_config(options.config)
    optim = OptimConfig(batch_size=options.batch, shuffle_mib=window / 2**20)
    before = relay.bytes
    dataset = SkeletonDataset(store, np.arange(len(store)), store.layout, config.preprocessing)
    job = PretrainJob([dataset], config)
    opened = relay.bytes - before
    optimizer = torch.optim.AdamW(job.module.parameters(), lr=1e-4)
    times, before = [], relay.bytes
    for step in range(options.steps):
        began = time.perf_counter()
        if step == outage_at:
            relay.pull(OUTAGE)
        torch.manual_seed(step)
        loss, _ = job.module(*make_batch(job, optim, step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - began)
    digest = hashlib.sha256()
    for value in job.module.state_dict().values():
        digest.update(value.numpy().tobytes())
    return {
        "rate": options.steps / sum(times),
        "opened": opened,
        "read": (relay.bytes - before) / options.steps,
        "longest": max(times),
        "weights": digest.hexdigest()[:12],
    }


def refused(action) -> str:
    try:
        action()
    except DataError as error:
        return str(error)
    raise SystemExit("nothing was refused")


def start_server(**environment: str) -> tuple[subprocess.Popen, Relay]:
    """An S3 server and the relay before it, to which the libraries of this process are sent."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in itertools.count():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        if server.poll() is not None:
            raise SystemExit("the S3 server did not start; `pip install 'moto[server]'`")
        time.sleep(0.2)
    relay = Relay(port)
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{relay.port}"
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # they keep to the server before
    return server, relay


def bucket(folder: Path) -> None:
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdir("bucket")
    system.put(f"{folder}/", "bucket/store/", recursive=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store")
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--config", default="tiny")
    parser.add_argument("--shard", type=int, default=24)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    folder = Path(tempfile.mkdtemp(prefix="remote-store-"))
    given = Store.open(options.store)
    here = write_store(
        folder / "store",
        given,
        layout=given.layout,
        classes=given.classes,
        shards=[options.shard] * len(given),
    )
    size = sum(file.stat().st_size for file in (folder / "store").rglob("*") if file.is_file())
    tenth = size // 10
    server, relay = start_server()
    try:
        bucket(folder / "store")
        rows: list[tuple[str, dict]] = []

        def row(name: str, store: Store, window: int, outage_at: int = -1) -> None:
            rows.append((name, train(store, options, window, relay, outage_at)))
            print(f"{name}: {rows[-1][1]}", flush=True)

        def cache(name: str, limit: int) -> None:
            os.environ |= {"HITRS_CACHE": str(folder / name), "HITRS_CACHE_SIZE": str(limit)}

        row("local disk", here, size)
        cache("tenth", tenth)
        row("S3, cache of a tenth, cold", Store.open(ADDRESS), tenth // 2)
        row("the same, warm", Store.open(ADDRESS), tenth // 2)
        held = sum(f.stat().st_size for f in (folder / "tenth").iterdir())
        cache("outage", tenth)
        row(f"cold, {OUTAGE:.0f} s without the server", Store.open(ADDRESS), tenth // 2, options.steps // 2)
        cache("whole", 2 * size)
        row("S3, cache for all of it, cold", Store.open(ADDRESS), size)
        row("the same, warm", Store.open(ADDRESS), size)

        # the last object of the store is changed; a new cache has none of it
        cache("changed", 2 * size)
        changed = Store.open(ADDRESS)
        last = f"bucket/store/shards/{len(here.shards) - 1:05}/positions.f32"
        fsspec.filesystem("s3", skip_instance_cache=True).pipe_file(last, b"something else")
        told = [("an object changed", refused(lambda: changed.positions(len(here) - 1)))]
        told.append(("no such bucket", refused(lambda: Store.open("s3://no-such-bucket/store"))))
        told.append(("no store there", refused(lambda: Store.open("s3://bucket/other"))))
    finally:
        server.terminate()
        server.wait()
    server, relay = start_server(INITIAL_NO_AUTH_ACTION_COUNT="0")  # this one asks who it is
    try:
        told.append(("wrong key", refused(lambda: Store.open("s3://bucket/denied"))))
        del os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        told.append(("no credentials", refused(lambda: Store.open("s3://bucket/without"))))
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)

    print(
        f"\n{len(given)} recordings, {size / 1e6:.1f} MB in {len(here.shards)} shards; the cache of a tenth"
    )
    print(f"({tenth / 1e6:.2f} MB) held {held / 1e6:.2f} MB at the end\n")
    print(
        "| | updates a second | longest update | KB an update | KB before | weights |\n"
        "|---|---|---|---|---|---|"
    )
    for name, facts in rows:
        print(
            f"| {name} | {facts['rate']:.2f} | {facts['longest']:.1f} s | {facts['read'] / 1e3:.0f} | "
            f"{facts['opened'] / 1e3:.0f} | {facts['weights']} |"
        )
    print()
    for name, sentence in told:
        print(f"- {name}: {sentence}")


if __name__ == "__main__":
    main()
