"""How many live clients a server holds, what it does with hostile ones meanwhile, whether memory is flat.

    python benchmarks/serve_load.py MODEL [--clients 4 8 16 32] [--seconds 60] [--churn 1000]

The server runs as a process of its own; clients, in this one, send 30 frames a second each. A server holds
so many clients if no frame is left out. Meanwhile requests come that are to be refused: they are counted, and
any other answer than a refusal ends the script. What it prints last is the table of docs/serve.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import psutil
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

RATE = 30
START = json.dumps({"type": "start", "as_is": True})  # whatever the model knows of bodies


class Server:
    """`hitrs serve MODEL`, and what it takes."""

    def __init__(self, model: str, clients: int) -> None:
        words = [sys.executable, "-m", "hitrs", "serve", model, "--port", "0", "--clients", str(clients)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "open it in a browser; Ctrl-C ends it\n")
        url = next(line for line in list(lines) if line.startswith("page")).split()[1]
        found = re.fullmatch(r"http://(.*:(\d+))/(.*)/", url)
        assert found is not None
        self.host, self.port, self.token = found[1], int(found[2]), found[3]
        self._measured = psutil.Process(self.process.pid)

    def memory(self) -> float:
        """Megabytes."""
        return self._measured.memory_info().rss / 1e6

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        times = self._measured.cpu_times()
        return times.user + times.system

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


async def follow(
    server: Server, frames: list[str], seconds: float, delays: list[float], lost: list[int]
) -> None:
    """One client: its latencies in seconds go into ``delays``, frames without an answer into ``lost``."""
    sent: dict[int, float] = {}
    counted: list[int] = []
    async with connect(f"ws://{server.host}/live", compression=None) as live:
        await live.send(START)
        assert json.loads(await live.recv())["type"] == "ready"

        async def hear() -> None:
            while True:
                message = json.loads(await live.recv())
                if message["type"] == "finished":
                    return
                assert message["type"] == "answer", message
                lost.append(message["dropped"])
                counted.append(message["frames"] + message["dropped"])
                for number in [each for each in sent if each <= message["frame"]]:
                    delays.append(time.perf_counter() - sent.pop(number))

        hearing = asyncio.create_task(hear())
        begun = time.perf_counter()
        for number in range(int(seconds * RATE)):
            await asyncio.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
            sent[number] = time.perf_counter()
            await live.send(frames[number % len(frames)])
        await live.send('{"type": "finish"}')
        await asyncio.wait_for(hearing, 60)
        assert sum(counted) == int(seconds * RATE), "frames were neither answered nor counted"


async def answer_to(server: Server, data: bytes, *, close: bool = False) -> bytes:
    """The status of the answer to some bytes; b"" where the connection was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with suppress(OSError):
        writer.write(data)
        await writer.drain()
        if close:
            writer.write_eof()
        line = await asyncio.wait_for(reader.readline(), 60)
        writer.close()
        return line.split()[1] if line else b""
    return b""


async def trouble(server: Server, until: asyncio.Event, refused: dict[str, int]) -> None:
    """Hostile requests, each in turn, as long as others are live."""
    head = f"Host: {server.host}\r\n"
    post = f"POST /detect?file=a.npz HTTP/1.1\r\n{head}"
    kinds = {
        "oversize": ((post + "Content-Length: 999999999\r\n\r\n").encode(), {b"413"}),
        "garbage": (os.urandom(2000), {b"400", b""}),
        "garbage as a recording": (
            (post + "Content-Length: 2000\r\n\r\n").encode() + os.urandom(2000),
            {b"422", b"404"},
        ),
        "cross-origin": (
            f"GET /models HTTP/1.1\r\n{head}Origin: https://example.org\r\n\r\n".encode(),
            {b"403"},
        ),
        "another name": (b"GET /models HTTP/1.1\r\nHost: example.org\r\n\r\n", {b"403"}),
        "path traversal": (f"GET /../../../etc/passwd HTTP/1.1\r\n{head}\r\n".encode(), {b"404"}),
        "half-closed": ((post + "Content-Length: 5000\r\n\r\nabc").encode(), {b"400", b""}),
    }
    slow = []
    while not until.is_set():
        for kind, (data, wanted) in kinds.items():
            status = await answer_to(server, data, close=kind == "half-closed")
            assert status in wanted, (kind, status)
            refused[kind] = refused.get(kind, 0) + 1
        with suppress(InvalidStatus):
            async with connect(f"ws://{server.host}/live", origin="https://example.org"):
                raise AssertionError("another site got a websocket")
        refused["cross-origin websocket"] = refused.get("cross-origin websocket", 0) + 1
        if len(slow) < 20:  # they say nothing more, and stay
            slow.append(await asyncio.open_connection("127.0.0.1", server.port))
            slow[-1][1].write(b"POST /detect HTTP/1.1\r\nHos")
        await asyncio.sleep(0.25)
    refused["never finishing"] = len(slow)
    for _, writer in slow:
        writer.close()


async def churn(server: Server, count: int) -> None:
    """Clients that come, send a frame at most, and go, half of them without a goodbye."""
    for number in range(count):
        async with connect(f"ws://{server.host}/live", compression=None) as live:
            if number % 2:
                await live.send(START)
                await live.recv()
            if number % 4 < 2:
                live.transport.abort()


async def measure(server: Server, frames: list[str], clients: int, seconds: float) -> list[str]:
    delays: list[float] = []
    lost: list[int] = []
    refused: dict[str, int] = {}
    ended = asyncio.Event()
    hostile = asyncio.create_task(trouble(server, ended, refused))
    before, cpu, memory = time.perf_counter(), server.cpu(), []

    async def watch() -> None:
        while not ended.is_set():
            memory.append(server.memory())
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(follow(server, frames, seconds, delays, lost) for _ in range(clients)))
    share = (server.cpu() - cpu) / (time.perf_counter() - before)
    ended.set()
    await asyncio.gather(hostile, watching)
    middle, high = 1000 * np.percentile(delays, [50, 99])
    quarter = max(1, len(memory) // 4)
    growth = np.mean(memory[-quarter:]) - np.mean(memory[quarter : 2 * quarter])
    print(f"{clients} clients, refused meanwhile: {refused}", flush=True)
    return [
        str(clients), f"{sum(lost) / (clients * seconds * RATE):.1%}", f"{middle:.1f}", f"{high:.1f}",
        f"{share:.2f}", f"{max(memory):.0f}", f"{growth:+.1f}",
    ]  # fmt: skip


async def run(options: argparse.Namespace) -> None:
    server = Server(options.model, max(options.clients) + 1)
    rows = []
    try:
        async with connect(f"ws://{server.host}/live") as live:
            await live.send(START)
            joints = len(json.loads(await live.recv())["joints"])
        rng = np.random.default_rng(0)
        rest = rng.normal(size=(joints, 3)) * (0.2, 0.5, 0.1) + (0, 1, 0)
        moving = rest + 0.1 * np.sin(np.arange(150)[:, None, None] / 5 + np.arange(joints)[:, None])
        frames = [json.dumps({"type": "frame", "positions": frame}) for frame in np.round(moving, 4).tolist()]
        for clients in options.clients:
            rows.append(await measure(server, frames, clients, options.seconds))
        before = server.memory()
        await churn(server, options.churn)
        await asyncio.sleep(2)
        print(f"{options.churn} connects and disconnects: memory {before:.0f} to {server.memory():.0f} MB")
    finally:
        print(f"exit code on SIGTERM: {server.end()}")
    print("| clients | frames left out | p50, ms | p99, ms | cores | memory, MB | growth, MB |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--clients", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--churn", type=int, default=1000)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
