"""The process that opens videos: it decodes with OpenCV, estimates poses with MediaPipe, and encodes.

It runs in a Python environment of its own (``environment``), because MediaPipe wants older numpy and protobuf
than the rest, and imports nothing of hitrs. Its parent (``process``) speaks with it through pipes. A message
is the length of its header (4 bytes, little-endian), the header (JSON), and the raw bytes of the arrays that
the header lists as ``"arrays": {name: [dtype, shape]}``, in that order::

    child   {"kind": "hello", "protocol": 1}
    parent  {"do": "poses" | "pictures", "path" or "camera", "start", "side"}
    child   {"kind": "opened", "width", "height", "fps", "frames"}
            {"kind": "frame", "number", "seconds"} with points (P, 33, 3), visible (P, 33) and image
                (P, 33, 2), or with picture (H, W, 3)
            {"kind": "end"}, or at any time {"kind": "error", "message"}

    parent  {"do": "estimate", "side"}, then {"kind": "frame"} with picture each, until the pipe closes
    child   {"kind": "frame"} with points, visible and image, for each

    parent  {"do": "write", "path", "fps"}, then {"kind": "frame"} with picture each, then {"kind": "end"}
    child   {"kind": "written"}

Whatever libraries print goes to standard error. When the parent ends, however it ends, its pipe closes, and
this process ends too.
"""

import importlib.util
import json
import os
import signal
import struct
import sys
import threading
import time
import types

PROTOCOL = 1
_SCALE_COST = 1.01  # pictures hardly larger than asked for stay as they are


class Unusable(Exception):
    """A sentence for people."""


def main():
    if "--check" in sys.argv:
        check()
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what C++ libraries print must not come between the messages
    try:
        send(answers, {"kind": "hello", "protocol": PROTOCOL})
        request, _ = receive(sys.stdin.buffer)
        if request["do"] == "write":
            write(request, answers)
        elif request["do"] == "estimate":
            estimate(request, answers)
        else:
            threading.Thread(target=_end_with_parent, daemon=True).start()
            read(request, answers)
    except Unusable as refusal:
        send(answers, {"kind": "error", "message": str(refusal)})
    except (BrokenPipeError, EOFError):
        pass  # nobody listens any more
    answers.close()
    os._exit(0)  # MediaPipe's threads are not waited for


def check():
    """Whether poses can be estimated here; an exception says why not."""
    import cv2
    import numpy as np

    picture = np.zeros((64, 64, 3), np.uint8)
    _mediapipe(np)(_at_most(cv2, picture, 32), 64, 64)
    os._exit(0)


def send(stream, header, arrays=()):
    """Write a message; arrays are (name, array)."""
    header["arrays"] = {name: [array.dtype.str, list(array.shape)] for name, array in arrays}
    text = json.dumps(header).encode()
    stream.write(struct.pack("<I", len(text)) + text)
    for _, array in arrays:
        stream.write(array.tobytes())
    stream.flush()


def receive(stream):
    """Header and arrays of the next message; EOFError where the pipe is closed."""
    header = json.loads(_exactly(stream, *struct.unpack("<I", _exactly(stream, 4))))
    arrays = {}
    for name, (dtype, shape) in header.get("arrays", {}).items():
        import numpy as np

        kind = np.dtype(dtype)
        size = kind.itemsize * int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(_exactly(stream, size), kind).reshape(shape)
    return header, arrays


def _exactly(stream, size):
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _end_with_parent():
    while os.read(0, 1 << 16):
        pass
    os._exit(0)


def read(request, answers):
    """Send the poses, or the pictures, of a video or camera."""
    import cv2
    import numpy as np

    camera = request.get("camera")
    source = _Camera(cv2, camera) if camera is not None else _File(cv2, request["path"])
    estimate = _mediapipe(np) if request["do"] == "poses" else None
    opened = False
    for number, (seconds, picture) in enumerate(source.pictures(request.get("start", 0))):
        number += request.get("start", 0)
        height, width = picture.shape[:2]
        if not opened:
            opened = True
            send(
                answers,
                {
                    "kind": "opened",
                    "width": width,
                    "height": height,
                    "fps": source.fps,
                    "frames": source.frames,
                },
            )
        small = _at_most(cv2, picture, request["side"])
        small = np.ascontiguousarray(small[..., ::-1])  # OpenCV has blue first
        arrays = [("picture", small)] if estimate is None else estimate(small, width, height)
        send(answers, {"kind": "frame", "number": number, "seconds": seconds}, arrays)
    if not opened and not request.get("start"):
        raise Unusable("it holds no picture that can be decoded; it may be damaged")
    if camera is not None:
        raise Unusable("it gives no more pictures; was it unplugged, or taken by another program")
    send(answers, {"kind": "end"})


class _File:
    """The pictures of a file, upright, with the time of each."""

    def __init__(self, cv2, path):
        self._cv2, self._video = cv2, cv2.VideoCapture(path, cv2.CAP_FFMPEG)
        if not self._video.isOpened():
            raise Unusable(
                "it cannot be opened as a video: it is damaged or cut short, or of a codec that OpenCV lacks"
            )
        self._video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # as the camera was held
        fps, frames = self._video.get(cv2.CAP_PROP_FPS), self._video.get(cv2.CAP_PROP_FRAME_COUNT)
        self.fps = fps if 0 < fps < 1e4 else None
        self.frames = int(frames) if 0 < frames < 1e9 else None

    def pictures(self, start):
        for _ in range(start):  # seeking is inexact in many files
            if not self._video.grab():
                return
        while True:
            there, picture = self._video.read()
            if not there:
                return
            yield self._video.get(self._cv2.CAP_PROP_POS_MSEC) / 1000, picture


class _Camera:
    """The newest picture of a camera, each once: whoever is slower than it must not fall behind."""

    _PATIENCE = 5.0  # seconds without a picture

    def __init__(self, cv2, number):
        self._video = cv2.VideoCapture(number)
        if not self._video.isOpened():
            raise Unusable(
                "it is not there, or may not be used (another program has it, or the system "
                "asks for permission)"
            )
        fps = self._video.get(cv2.CAP_PROP_FPS)
        self.fps, self.frames = fps if 0 < fps < 1e4 else None, None
        self._newest, self._ended, self._change = None, False, threading.Condition()

    def pictures(self, start):
        threading.Thread(target=self._grab, daemon=True).start()
        while True:
            with self._change:
                self._change.wait_for(lambda: self._newest is not None or self._ended, self._PATIENCE)
                newest, self._newest = self._newest, None
            if newest is None:
                return
            yield newest

    def _grab(self):
        while True:
            there, picture = self._video.read()
            with self._change:
                self._ended = not there
                if there:
                    self._newest = time.monotonic(), picture
                self._change.notify()
            if not there:
                return


def _at_most(cv2, picture, side):
    """The picture, scaled so that no side is longer."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale * _SCALE_COST >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _mediapipe(np):
    """A function from a picture to the arrays of its frame."""
    # The package's own __init__ imports all of MediaPipe, and with it matplotlib, sounddevice and more, none
    # of which a pose needs: 200 MB. Empty packages in its place leave the rest as it is.
    for name in ("mediapipe", "mediapipe.python.solutions"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise Unusable("MediaPipe is not installed in the pose environment; run `hitrs video-setup`")
        package = types.ModuleType(name)
        package.__path__, package.__spec__ = list(spec.submodule_search_locations), spec
        sys.modules[name] = package
    from mediapipe.python.solutions.pose import Pose

    model = Pose(model_complexity=1)

    def estimate(picture, width, height):
        result = model.process(picture)
        if result.pose_world_landmarks is None:
            shapes = {"points": (0, 33, 3), "visible": (0, 33), "image": (0, 33, 2)}
            return [(name, np.zeros(shape, "<f4")) for name, shape in shapes.items()]
        world, flat = result.pose_world_landmarks.landmark, result.pose_landmarks.landmark
        return [
            ("points", np.array([[[mark.x, mark.y, mark.z] for mark in world]], "<f4")),
            ("visible", np.array([[mark.visibility for mark in world]], "<f4")),
            ("image", np.array([[[mark.x * width, mark.y * height] for mark in flat]], "<f4")),
        ]

    return estimate


def estimate(request, answers):
    """Send the poses in the pictures that come."""
    import cv2
    import numpy as np

    poses = _mediapipe(np)
    while True:
        _, arrays = receive(sys.stdin.buffer)
        picture = arrays["picture"]
        height, width = picture.shape[:2]
        small = np.ascontiguousarray(_at_most(cv2, picture, request["side"]))
        send(answers, {"kind": "frame"}, poses(small, width, height))


def write(request, answers):
    """Encode the pictures that come."""
    import cv2

    video, size = None, None
    while True:
        header, arrays = receive(sys.stdin.buffer)
        if header["kind"] == "end":
            break
        picture = arrays["picture"][..., ::-1]
        if video is None:
            size = picture.shape[1], picture.shape[0]
            codec = cv2.VideoWriter_fourcc(*"mp4v")
            video = cv2.VideoWriter(request["path"], cv2.CAP_FFMPEG, codec, request["fps"], size)
            if not video.isOpened():
                raise Unusable("OpenCV cannot write there")
        video.write(picture.copy())
    if video is not None:
        video.release()
    send(answers, {"kind": "written"})


if __name__ == "__main__":
    main()
