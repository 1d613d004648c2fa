"""A pose process for tests: it speaks the protocol and invents what it sees, as KIND says.

    python fake_video_process.py SCRIPT FOLDER KIND

SCRIPT is the real process, whose messages it shares; in FOLDER it counts how often it was started.
"""

import importlib.util
import os
import sys
import time
from pathlib import Path

import numpy as np

FRAMES, JOINTS = 40, 33


def poses(number: int, persons: int = 1, joints: int = JOINTS):
    """A body that waves: points (P, J, 3), visible (P, J), image (P, J, 2) in pixels."""
    rest = np.random.default_rng(0).normal(size=(joints, 3)) * (0.2, 0.4, 0.1)
    rest = np.repeat(rest[None], persons, 0)
    rest[:, 15] += np.sin(number / 3) * 0.3
    image = 300 + 200 * rest[..., :2] + 400 * np.arange(persons)[:, None, None]
    return rest.astype("<f4"), np.ones((persons, joints), "<f4"), image.astype("<f4")


def main() -> None:
    script, folder, kind = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("video_process", script)
    real = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(real)
    starts = Path(folder, "starts")
    starts.write_text(str(int(starts.read_text() if starts.exists() else 0) + 1))
    Path(folder, "pid").write_text(str(os.getpid()))
    out = sys.stdout.buffer
    if kind == "garbage":
        out.write(b"Hello, I am some other program.\n" * 100)
        out.flush()
        return
    real.send(out, {"kind": "hello", "protocol": 7 if kind == "old" else 1})
    request, _ = real.receive(sys.stdin.buffer)
    if request["do"] == "write":
        write(real, out, request, kind)
        return
    if request["do"] == "estimate":
        estimate(real, out, kind)
        return
    if kind == "refuses":
        real.send(out, {"kind": "error", "message": "it cannot be opened as a video"})
        return
    camera = "camera" in request
    size = (3840, 2160) if kind == "large" else (1280, 720)
    first = request["start"]
    announced = None if camera else 400 if kind == "cut" else FRAMES
    header = {"kind": "opened", "width": size[0], "height": size[1], "fps": 30.0, "frames": announced}
    real.send(out, header)
    for number in range(first, FRAMES):
        if number == 12 and (kind == "always dies" or (kind == "dies" and first == 0)):
            print("F0000 out of memory", file=sys.stderr)
            os._exit(3)
        if number == 12 and kind in ("hangs", "hangs once") and (first == 0 or kind == "hangs"):
            Path(folder, "hangs").touch()
            time.sleep(600)
        seconds = number / 30 + (number > 20 and kind == "variable") * 0.1
        if kind == "still":
            seconds = 0.0
        header = {"kind": "frame", "number": number, "seconds": seconds}
        if request["do"] == "pictures":
            side = min(request["side"], size[0])
            picture = np.zeros((side * size[1] // size[0], side, 3), np.uint8)
            picture[..., 0] = 6 * number
            real.send(out, header, [("picture", picture)])
            continue
        persons = 0 if kind == "nobody" or (kind == "comes" and number < 10) else 1
        joints = 25 if kind == "other joints" else JOINTS
        arrays = dict(zip(("points", "visible", "image"), poses(number, persons, joints), strict=True))
        arrays["visible"][:, 30:] = 0.2
        real.send(out, header, list(arrays.items()))
    if camera:
        real.send(out, {"kind": "error", "message": "it gives no more pictures; was it unplugged"})
    else:
        real.send(out, {"kind": "end"})


def estimate(real, out, kind: str) -> None:
    """A body that waves in every picture but black ones."""
    number = 0
    while True:
        _, arrays = real.receive(sys.stdin.buffer)
        if number == 5 and kind == "dies":
            os._exit(3)
        seen = int(arrays["picture"].max() > 40)
        found = dict(zip(("points", "visible", "image"), poses(number, seen), strict=True))
        found["visible"][:, 30:] = 0.2
        real.send(out, {"kind": "frame"}, list(found.items()))
        number += 1


def write(real, out, request, kind: str) -> None:
    sizes = []
    while True:
        if kind == "dies" and len(sizes) == 5:
            os._exit(3)
        header, arrays = real.receive(sys.stdin.buffer)
        if header["kind"] == "end":
            break
        sizes.append(arrays["picture"])
    np.savez(request["path"] + ".npz", np.stack(sizes))
    Path(request["path"]).write_bytes(b"a video")
    real.send(out, {"kind": "written"})


if __name__ == "__main__":
    main()
