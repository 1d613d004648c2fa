"""A client that sends frames over a websocket: messages in, answers out, in order.

One task reads, one answers; between them wait at most 10 frames, of which the oldest give way. What computes
does so in a thread (``frames``), and a client that takes no answers is let go: it costs the others nothing.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hitrs.errors import ConfigError, HitrsError
from hitrs.schema import read_settings, whole
from hitrs.serve.frames import FrameStream, SentFrame, message
from hitrs.serve.pictures import Poses
from hitrs.serve.scene import LiveScene
from hitrs.serve.service import Service, sentence
from hitrs.serve.worker import Worker
from hitrs.tasks.serving import LiveSettings
from hitrs.viz.show.drawing import sides

_AHEAD = 10
"""Frames that wait: a third of a second, so that what is shown is not long past."""
_CONTROLS = 8
"""Other messages that wait."""
_MOST_TEXT = 65_536
"""Characters of a message."""
_PER_SECOND, _AT_ONCE = 120.0, 240.0
"""Messages that are read."""
_IDLE, _PATIENCE = 600.0, 20.0
"""Seconds without a message, and until an answer is taken."""
_MOST_PERSONS, _MOST_WINDOW = 5, 600
POLICY, TOO_MANY = 1008, 1013
"""Codes with which a connection is closed."""


@dataclass(frozen=True)
class Start:
    """What a client says first."""

    task: str = ""
    layout: str = ""
    persons: int = 1
    window: int = 60
    unit: str = ""
    up: str = ""
    as_is: bool = False
    pictures: bool = False
    skeleton: bool = False


async def follow(socket: WebSocket, service: Service, *, trusted: bool) -> None:
    """Answer a client until it goes.

    Args:
        trusted: it has the token, so it may have moments kept.
    """
    await socket.accept()
    if service.clients >= service.limits.clients:
        await _closed(socket, TOO_MANY, f"{service.clients} clients are live already; try again later")
        return
    service.clients += 1
    client = _Client(socket, service, trusted)
    try:
        await client.run()
    finally:
        service.clients -= 1


class _Refusal(Exception):
    """An error for the client: code and sentence."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class _Client:
    def __init__(self, socket: WebSocket, service: Service, trusted: bool) -> None:
        self._socket, self._service, self._trusted = socket, service, trusted
        self._waiting: deque[SentFrame | dict[str, Any] | _Refusal] = deque()
        self._lock = threading.Lock()  # the thread that computes takes frames
        self._news = asyncio.Event()
        self._heard = time.monotonic()
        self._sending: float | None = None  # since when an answer waits to be taken
        self._number = self._dropped = 0
        self._stream: FrameStream | None = None
        self._start = Start()
        self._own: Worker | None = None  # of a client with pictures
        self._allowed, self._paced = _AT_ONCE, time.monotonic()

    async def run(self) -> None:
        """Until the client goes, or is let go."""
        tasks = [asyncio.create_task(each()) for each in (self._read, self._answer, self._watch)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.shield(self._end_stream())
        whys = [end for end in ends if isinstance(end, str)]
        if whys:
            await _closed(self._socket, POLICY, whys[0])
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, WebSocketDisconnect):
                raise end

    async def _watch(self) -> str:
        """Why the client is let go, when it is."""
        while True:
            await asyncio.sleep(min(1.0, _PATIENCE / 4))
            now = time.monotonic()
            if now - self._heard > _IDLE:
                return f"no message for {_IDLE:g} s"
            if self._sending is not None and now - self._sending > _PATIENCE:
                return "answers were not taken"

    # ---- Reading: in the event loop, cheap.

    async def _read(self) -> str | None:
        """Until the client goes; why it is let go."""
        while (got := await self._socket.receive())["type"] != "websocket.disconnect":
            self._heard = time.monotonic()
            await self._pace()
            if not self._put(self._read_item(got)):
                return "too many messages beside frames"
        return None

    async def _pace(self) -> None:
        """Read no faster than allowed: the connection then holds the client back."""
        now = time.monotonic()
        self._allowed = min(_AT_ONCE, self._allowed + (now - self._paced) * _PER_SECOND)
        self._paced = now
        self._allowed -= 1
        if self._allowed < 0:
            await asyncio.sleep(-self._allowed / _PER_SECOND)

    def _read_item(self, got: Any) -> SentFrame | dict[str, Any] | _Refusal:
        if (data := got.get("bytes")) is not None:
            return SentFrame(self._numbered(), time.perf_counter(), message=data)
        text = got.get("text") or ""
        if len(text) > _MOST_TEXT:
            return _Refusal("message", f"a message has at most {_MOST_TEXT:,} characters, got {len(text):,}")
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            return _Refusal("message", "the message is no JSON")
        if not isinstance(values, dict) or not isinstance(kind := values.pop("type", None), str):
            return _Refusal("message", 'a message is an object with a "type": {"type": "frame", ...}')
        if kind != "frame":
            return {"type": kind, **values}
        if unknown := sorted(set(values) - {"positions", "seconds"}):
            return _Refusal("frame", f"a frame has positions and seconds, no {unknown[0][:80]}")
        seconds = values.get("seconds")
        return SentFrame(self._numbered(), time.perf_counter(), values.get("positions"), seconds)

    def _numbered(self) -> int:
        self._number += 1
        return self._number - 1

    def _put(self, item: SentFrame | dict[str, Any] | _Refusal) -> bool:
        """Let it wait; False if there is no room, which there always is for a frame."""
        with self._lock:
            frames = [each for each in self._waiting if isinstance(each, SentFrame)]
            if isinstance(item, SentFrame) and len(frames) >= _AHEAD:
                self._waiting.remove(frames[0])
                self._dropped += 1 + frames[0].dropped
            elif not isinstance(item, SentFrame) and len(self._waiting) - len(frames) >= _CONTROLS:
                return False
            self._waiting.append(item)
        self._news.set()
        return True

    # ---- Answering.

    async def _answer(self) -> None:
        while True:
            self._news.clear()
            with self._lock:
                item = self._waiting[0] if self._waiting else None
            busy = self._stream is not None and self._stream.unfinished
            if isinstance(item, SentFrame) or busy:
                await self._frames()
            elif item is not None:
                with self._lock:
                    self._waiting.remove(item)
                await self._control(item)
            else:
                await self._news.wait()

    async def _frames(self) -> None:
        stream = self._stream
        if stream is None:
            frame = self._take()
            assert frame is not None
            await self._refuse("start", 'say {"type": "start"} before the first frame', frame=frame.number)
            return
        for text in await self._worker.run(lambda: stream.work(self._take)):
            await self._send(text)
        if stream.keeping and stream.moment is not None and stream.moment.full:
            stream.keeping = False
            await self._send(message("recording", state="full", frames=len(stream.moment)))

    def _take(self) -> SentFrame | None:
        with self._lock:
            if not self._waiting or not isinstance(self._waiting[0], SentFrame):
                return None
            frame = self._waiting.popleft()
            assert isinstance(frame, SentFrame)
            frame.dropped, self._dropped = self._dropped, 0
            return frame

    @property
    def _worker(self) -> Worker:
        return self._own or self._service.live

    async def _control(self, item: dict[str, Any] | _Refusal) -> None:
        try:
            if isinstance(item, _Refusal):
                raise item
            kind = item.pop("type")
            if kind == "start":
                await self._begin(item)
            elif kind == "finish":
                stream = self._begun()
                await self._send(await self._worker.run(stream.finish))
            elif kind == "record":
                await self._record(item)
            else:
                raise _Refusal("message", f"there is no message of type '{kind[:80]}'")
        except _Refusal as refusal:
            await self._refuse(refusal.code, str(refusal))
        except HitrsError as error:
            await self._refuse("record" if kind == "record" else "start", sentence(error))

    def _begun(self) -> FrameStream:
        if self._stream is None:
            raise _Refusal("start", 'say {"type": "start"} first')
        return self._stream

    async def _begin(self, values: dict[str, Any]) -> None:
        start = read_settings(Start, values, "start")
        whole(start.persons, "start.persons", 1, _MOST_PERSONS)
        whole(start.window, "start.window", 1, _MOST_WINDOW)
        chosen = self._service.chosen(start.task)
        live = chosen.served.live
        if live is None:
            raise ConfigError(chosen.served.needs)
        layout = self._service.pose_layout if start.pictures else chosen.layout_of(start.layout)
        settings = LiveSettings(layout, start.window, start.unit or None, start.up or None, start.as_is)
        model = await self._service.live.run(
            lambda: live(settings)
        )  # what is wrong with it costs nothing else
        await self._end_stream()
        poses = await self._poses() if start.pictures else None
        fps, scene = chosen.card.fps, LiveScene(layout) if start.skeleton else None
        persons = 1 if start.pictures else start.persons
        self._stream = FrameStream(model, layout, persons, fps, poses, scene)
        self._start, self._number, self._dropped = start, self._numbered_from(), 0
        drawn = {
            "bones": [list(bone) for bone in layout.bones()],
            "sides": sides(layout),
            "dims": layout.dims,
        }
        await self._send(
            message(
                "ready",
                task=chosen.task.name,
                classes=list(chosen.card.classes),
                labels=list(model.labels),
                layout=layout.name,
                joints=list(layout.joints),
                fps=fps,
                window=start.window,
                persons=persons,
                recording=self._service.moments is not None and self._trusted,
                **(drawn if start.skeleton else {}),
            )
        )

    def _numbered_from(self) -> int:
        """Frames that wait already are the first ones of this recording."""
        with self._lock:
            frames = [each for each in self._waiting if isinstance(each, SentFrame)]
            for number, frame in enumerate(frames):
                frame.number = number
            return len(frames)

    async def _poses(self) -> Poses:
        service = self._service
        if why := service.no_pictures():
            raise _Refusal("pictures", why)
        if service.cameras >= service.limits.cameras:
            raise _Refusal("pictures", f"{service.cameras} cameras are looked at already; try again later")
        service.cameras += 1
        self._own = Worker("camera")
        try:
            return await self._own.run(lambda: Poses(service.estimator))
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        if self._own is not None:
            self._own.close()
            self._own = None
            self._service.cameras -= 1

    async def _end_stream(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            await self._worker.run(stream.close)
        self._release()

    async def _record(self, values: dict[str, Any]) -> None:
        moments = self._service.moments
        if not self._trusted:
            raise _Refusal(
                "token", "keeping a moment needs the token: use the address that hitrs serve printed"
            )
        if moments is None:
            raise _Refusal("record", "moments are not kept here; start the server with --record FOLDER")
        stream, do = self._begun(), values.pop("do", None)
        known: dict[str, set[str]] = {
            "start": {"pictures"},
            "stop": set(),
            "save": {"label", "subject"},
            "discard": set(),
        }
        if not isinstance(do, str) or do not in known or set(values) - known[do]:
            words = "; ".join(f"{each} {' '.join(sorted(more))}".strip() for each, more in known.items())
            raise _Refusal("record", f'"do" is one of these, with: {words}')
        if do == "start":
            if stream.moment is not None:
                stream.moment.discard()
            stream.moment = moments.begin(stream.layout, pictures=values.get("pictures") is True)
            stream.keeping = True
        elif stream.moment is None:
            raise _Refusal("record", "nothing is being recorded")
        elif do == "stop":
            stream.keeping = False
        elif do == "discard":
            await self._worker.run(stream.moment.discard)
            stream.moment = None
        else:
            moment, stream.keeping = stream.moment, False
            label, subject = values.get("label", ""), values.get("subject", "")
            path = await self._worker.run(lambda: moment.save(label, subject))
            stream.moment = None
            await self._send(message("recording", state="saved", frames=len(moment), file=path.name))
            return
        state = {"start": "recording", "stop": "stopped", "discard": "discarded"}[do]
        frames = 0 if stream.moment is None else len(stream.moment)
        await self._send(message("recording", state=state, frames=frames))

    async def _refuse(self, code: str, why: str, **more: Any) -> None:
        await self._send(message("error", code=code, message=why, **more))

    async def _send(self, text: str) -> None:
        if self._socket.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnect
        self._sending = time.monotonic()
        await self._socket.send_text(text)
        self._sending = None


async def _closed(socket: WebSocket, code: int, why: str) -> None:
    """Close a connection, if it is open still; who takes nothing is not waited for."""
    with suppress(RuntimeError, WebSocketDisconnect, asyncio.TimeoutError):
        await asyncio.wait_for(socket.close(code, why), 1.0)
