"""This side of the process that opens videos: its start, messages with time limits, and its end.

``video_process`` says what the messages are.
"""

from __future__ import annotations

import json
import queue
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from hitrs.errors import DataError

PROTOCOL = 1
SECONDS = 120.0
"""Until a message comes: a cold disk and a machine that is busy are slow, but not so slow."""
_MAX_HEADER, _MAX_ARRAYS = 1 << 20, 1 << 28
_DTYPES = ("<f4", "|u1")
_AHEAD = 4  # messages that are read before they are asked for
_LAST_WORDS = 300  # characters of standard error


class ProcessEndedError(DataError):
    """The process ended, or said nothing for too long: it may be tried again."""


@dataclass(frozen=True)
class Message:
    """One of the process."""

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def kind(self) -> str:
        return str(self.header.get("kind"))


class VideoProcess:
    """A process that speaks the protocol; made by ``start``, which also ends it.

    Args:
        name: what messages for people call the video or camera.
    """

    def __init__(self, process: subprocess.Popen[bytes], name: str, said: IO[bytes]) -> None:
        self._process, self._name, self._said = process, name, said
        self._queue: queue.Queue[Message | Exception | None] = queue.Queue(_AHEAD)
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, header: dict[str, Any], **arrays: np.ndarray) -> None:
        """Send a message.

        Raises:
            ProcessEndedError: if the process has ended.
        """
        listed = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
        text = json.dumps({**header, "arrays": listed}).encode()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(struct.pack("<I", len(text)) + text)
            for array in arrays.values():
                self._process.stdin.write(np.ascontiguousarray(array).data)
            self._process.stdin.flush()
        except OSError as error:
            refusal = self._refusal()
            raise (refusal or self._ended()) from error

    def receive(self) -> Message:
        """The next message, which is no error.

        Raises:
            ProcessEndedError: if the process has ended, or says nothing for so long.
            DataError: with what it refuses, or if it does not speak the protocol.
        """
        try:
            answer = self._queue.get(timeout=SECONDS)
        except queue.Empty:
            raise ProcessEndedError(
                f"{self._name}: the pose process said nothing for {SECONDS:g} s"
            ) from None
        if answer is None:
            raise self._ended()
        if isinstance(answer, Exception):
            raise DataError(
                f"{self._name}: the pose process does not speak the protocol of this version ({answer}). Is "
                "the Python that HITRS_VIDEO_PYTHON names the right one? `hitrs video-setup` makes it anew."
            ) from answer
        if answer.kind == "error":
            raise DataError(f"{self._name}: {answer.header.get('message')}.")
        return answer

    def close(self) -> None:
        """End the process."""
        self._closed.set()
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):  # what could not be flushed any more
            self._process.stdin.close()
        self._reader.join()
        self._process.stdout.close()

    def _refusal(self) -> DataError | None:
        """What the process said before it ended, where it was a refusal."""
        with suppress(queue.Empty):
            while isinstance(answer := self._queue.get(timeout=1), Message):
                if answer.kind == "error":
                    return DataError(f"{self._name}: {answer.header.get('message')}.")
        return None

    def _ended(self) -> ProcessEndedError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        self._said.seek(0)
        words = self._said.read().decode(errors="replace").strip()[-_LAST_WORDS:]
        code = self._process.returncode
        last = f"; its last words: {words}" if words else ""
        return ProcessEndedError(f"{self._name}: the pose process ended (exit code {code}){last}")

    def _read(self) -> None:
        """Messages into the queue, in a thread of its own: a pipe has no time limit on all systems."""
        stream = self._process.stdout
        assert stream is not None
        try:
            while (message := _message(stream)) is not None:
                if not self._put(message):
                    return
            self._put(None)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._put(error)

    def _put(self, item: Message | Exception | None) -> bool:
        while not self._closed.is_set():
            with suppress(queue.Full):
                self._queue.put(item, timeout=0.1)
                return True
        return False


@contextmanager
def start(command: Sequence[str], request: dict[str, Any], name: str) -> Iterator[VideoProcess]:
    """Start the process, ask it for something, and end it when the context ends.

    Args:
        command: its command line.
        request: the first message.
        name: what messages for people call the video or camera.

    Raises:
        ProcessEndedError: if it ends, or does not answer in time.
        DataError: if it cannot be started, or does not speak the protocol.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, bufsize=1 << 16
            )
        except OSError as error:
            raise DataError(f"cannot start the pose process {command[0]}: {error.strerror}.") from error
        talk = VideoProcess(process, name, said)
        try:
            hello = talk.receive()
            if hello.header.get("protocol") != PROTOCOL:
                raise DataError(
                    f"{name}: the pose process speaks protocol {hello.header.get('protocol')}, expected "
                    f"{PROTOCOL}."
                )
            talk.send(request)
            yield talk
        finally:
            talk.close()


def _message(stream: IO[bytes]) -> Message | None:
    """The next message; None where the process has ended (also in the middle of one).

    Raises:
        ValueError: for what is no message.
    """
    size = stream.read(4)
    if len(size) < 4:
        return None
    (length,) = struct.unpack("<I", size)
    if length > _MAX_HEADER:
        raise ValueError(f"a header of {length} bytes")
    text = stream.read(length)
    if len(text) < length:
        return None
    header = json.loads(text)
    arrays: dict[str, np.ndarray] = {}
    room = _MAX_ARRAYS
    for name, (dtype, shape) in header.get("arrays", {}).items():
        if dtype not in _DTYPES or not all(isinstance(side, int) and side >= 0 for side in shape):
            raise ValueError(f"an array of {dtype} and shape {shape}")
        bytes_ = np.dtype(dtype).itemsize
        for side in shape:
            bytes_ *= side
        room -= bytes_
        if room < 0:
            raise ValueError(f"an array of shape {shape}")
        data = stream.read(bytes_)
        if len(data) < bytes_:
            return None
        arrays[name] = np.frombuffer(data, dtype).reshape(shape)
    return Message(header, arrays)
