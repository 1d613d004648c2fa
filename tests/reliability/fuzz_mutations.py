"""Spoils files: in bytes and text (``fuzz_bytes``), or inside what they pack (JSON, arrays, pickles, HDF5).

Most random changes hit what every reader checks first. So most files are spoiled in one place only,
behind the header, and inside of what packs them: what comes to the numbers themselves.
"""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import random
import struct
import zipfile
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_bytes import BYTES, HUGE, TEXT, behind
from scipy.io import loadmat, savemat

SUFFIXES = (
    ".skeleton", ".txt", ".csv", ".tsv", ".bvh", ".amc", ".c3d", ".trc", ".npz", ".json", ".jsonl", ".pkl",
    ".pickle", ".mat", ".yaml", "",
)  # fmt: skip
BOMB_MEGABYTES = (100, 1100)
"""What bombs unpack to: below and above the limits of the readers."""
BOMBS = 0.01
"""Share of bombs among what is done to archives; they take longest."""
BEHIND = 0.6
"""Share of files that are spoiled in one place behind the header."""


def mutate(data: bytes, kind: str, other: bytes, random: random.Random, canary: Path) -> tuple[bytes, str]:
    """``data`` spoiled once to four times, and in which ways.

    Args:
        kind: "text", "json", "zip", "pickle", "mat", "hdf5", "npy" or "binary": what the file is.
        other: another good file, of which parts may be taken.
        canary: file that appears if something in the result is carried out.
    """
    if random.random() < BEHIND:
        with suppress(Exception):  # where there is no such place
            return _BEHIND.get(kind, behind)(data, other, random)
    inside = {"json": _json, "zip": _zip, "pickle": _pickle, "mat": _mat, "hdf5": _hdf5}.get(kind)
    ways = list(BYTES) + (list(TEXT) * 2 if kind in ("text", "json") else [])
    names = []
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        # the library of HDF5 may crash where it changes a file that is spoiled already
        if inside is not None and not (kind == "hdf5" and names) and random.random() < 0.5:
            with suppress(Exception):  # what was spoiled before may have no inside any more
                data, name = inside(data, random, canary)
                names.append(name)
                continue
        way = random.choice(ways)
        names.append(way.__name__.strip("_"))
        data = way(data, other, random)
    return data[: 1 << 24], "+".join(names)


# JSON


def _json(data: bytes, random: random.Random, canary: Path) -> tuple[bytes, str]:
    content = json.loads(data)
    holders: list[tuple[Any, Any]] = []
    _collect(content, holders)
    holder, key = random.choice(holders[: random.choice((10, len(holders)))] or [([content], 0)])
    values = (
        None, True, -1, 1.5, 2**31, 10**18, 10**400, 1e308, float("nan"), float("inf"), "", "12",
        "x" * 10_000, "\ud800", [], {}, [[]], {"a": 1}, [0] * 100_000, [None] * 75, [[1, 2, 3]] * 20,
        holder[key], [holder[key]] * 50,
    )  # fmt: skip
    holder[key] = random.choice(values)
    if isinstance(holder, dict) and random.random() < 0.2:
        del holder[key]
    return json.dumps(content).encode("utf-8", "surrogatepass"), "json value"


def _collect(node: Any, into: list[tuple[Any, Any]]) -> None:
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        into.append((node, key))
        if len(into) < 5000:
            _collect(node[key], into)


# Archives of arrays


def _zip(data: bytes, random: random.Random, canary: Path) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {
            name: archive.read(name) for name in archive.namelist() if archive.getinfo(name).file_size < 1e6
        }
    name = random.choice(list(members))
    if random.random() < BOMBS:
        return _bomb(
            name if name in ("Jtr.npy", "poses.npy", "J_template.npy") else "positions.npy",
            random.choice(BOMB_MEGABYTES),
        ), "zip bomb"
    way = random.choice(("member", "member", "array", "array", "shape", "object", "lie", "method"))
    method = zipfile.ZIP_DEFLATED
    if way == "member":
        members[name] = random.choice(BYTES)(members[name], members[name], random)
    elif way == "array":
        shape = random.choice(
            ((), (0,), (3,), (1, 1), (3, 20, 3), (3, 0, 3), (3, 1, 20, 3), (1,) * 32, (2, 24, 3))
        )
        kind = random.choice(
            ("f8", "f2", "i8", "u1", "?", "c16", "U9", "S3", "M8[s]", "f4,i4", "V7", ">f4", "U2000")
        )
        array = np.zeros(shape, kind) if kind != "M8[s]" else np.zeros(shape, "i8").astype(kind)
        if kind in ("f8", "f2"):
            array = array + random.choice((1, np.nan, np.inf, 6e4))
        members[name] = _npy(array)
    elif way == "shape":
        shape = random.choice(
            ("(99999999999, 20, 3)", "(-1,)", "(3, 20, 3", "()", "(2**40,)", "(1,)*99", "(1e3,)")
        )
        kind = random.choice(("<f8", "|O", "<U999999999", "|V1000000000", "f", "<f8,<i4", "x" * 3000))
        head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        members[name] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) & 0xFFFF) + head + bytes(400)
    elif way == "object":
        array = np.array([None])
        members[name] = _npy(array)[:-20] + random.choice(exploits(canary))
    elif way == "method":
        method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    found = file.getvalue()
    if way == "lie":  # other sizes, offsets, flags in the directory at the end
        start = found.rindex(b"PK\x01\x02") + random.randrange(6, 46)
        found = found[:start] + random.choice(HUGE) + found[start + 4 :]
    return found, f"zip {way}"


@cache
def _bomb(name: str, megabytes: int) -> bytes:
    """An array of zeros, a thousand times as large as its archive."""
    file = io.BytesIO()
    rows = (megabytes << 20) // 480
    head = (
        f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, 20, 3), }}".ljust(117).encode() + b"\n"
    )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(name, "w") as member:
            member.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head)
            piece = bytes(480 << 10)
            for _ in range(rows >> 10):
                member.write(piece)
            member.write(bytes(480 * (rows & 1023)))
        if name != "layout.npy":
            archive.writestr("layout.npy", _npy(np.array("kinect20")))
    return file.getvalue()


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


# Pickles


class _Runs:
    def __init__(self, call: tuple[Any, ...]) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@cache
def exploits(canary: Path) -> tuple[bytes, ...]:
    """Pickles that make ``canary`` when they are opened, by several ways and in every protocol."""
    import os
    import pathlib
    import subprocess

    write = f"open({str(canary)!r}, 'w').close()"
    calls = (
        (os.system, (f"touch {canary}",)),
        (os.mkdir, (str(canary),)),
        (eval, (write,)),
        (exec, (write,)),
        (subprocess.call, (["touch", str(canary)],)),
        (pathlib.Path.touch, (pathlib.Path(canary),)),
        (getattr, (pathlib.Path(canary), "touch")),
        (np.save, (str(canary), [1])),
        (np.load, (str(canary),)),
        (bytearray, (1 << 40,)),
    )
    found = [pickle.dumps(_Runs(call), protocol) for call in calls for protocol in (0, 2, 4)]
    inner = [pickle.dumps({"annotations": [_Runs(call)], "split": {}}, 4) for call in calls]
    frames = [pickle.dumps({"split": {}, "annotations": [{"keypoint": _Runs(call)}]}, 2) for call in calls]
    return tuple(found + inner + frames)


def _pickle(data: bytes, random: random.Random, canary: Path) -> tuple[bytes, str]:
    way = random.choice(("exploit", "graft", "opcode", "opcode", "argument", "deep"))
    if way == "exploit":
        return random.choice(exploits(canary)), "pickle exploit"
    places = [place for _, _, place in pickletools.genops(data)]
    start = random.choice(places[1:] or places)
    if way == "graft":  # the exploit's instructions in the midst, its result left on the stack or dropped
        body = random.choice(exploits(canary))
        body = body[2:-1] if body[:1] == b"\x80" else body[:-1]
        return data[:start] + body + random.choice((b"", b"0")) + data[start:], "pickle graft"
    if way == "opcode":
        code = random.choice(pickletools.opcodes).code.encode("latin-1")
        return data[:start] + code + data[start + random.randrange(2) :], "pickle opcode"
    if way == "argument":
        return data[: start + 1] + random.choice(HUGE) + data[start + 5 :], "pickle argument"
    depth = random.choice((100, 100_000))
    deep = random.choice(
        (b"]" * depth + b"a" * (depth - 1), b")" + b"\x85" * depth, b"(" * depth, b"2" * depth)
    )
    return data[:start] + deep + data[start:], "pickle deep"


# MATLAB


def _mat(data: bytes, random: random.Random, canary: Path) -> tuple[bytes, str]:
    if len(data) > 100_000:
        raise ValueError("it is a bomb already")
    place = 128
    starts = []
    while place + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, place)
        starts.append(place)
        place += 8 + size
    start = random.choice(starts)
    kind, size = struct.unpack_from("<II", data, start)
    body = data[start + 8 : start + 8 + size]
    if kind == 15:
        body = zlib.decompress(body)
    if random.random() < BOMBS:
        return data[:start] + _mat_bomb(random.choice(BOMB_MEGABYTES)), "mat bomb"
    way = random.choice(("element", "dims", "dims", "class", "many"))
    if way == "element":
        body = random.choice(BYTES)(body, body, random)
    elif way == "dims":  # tag, flags 16, tag of dims 8, dims
        at = random.choice((32, 36, 40, 28)) + (0 if kind == 15 else -8)
        body = body[:at] + random.choice(HUGE)[:4].ljust(4, b"\xff") + body[at + 4 :]
    elif way == "class":
        at = 16 if kind == 15 else 8
        body = body[:at] + bytes([random.randrange(20)]) + body[at + 1 :]
    else:
        body = body * random.choice((2, 20))
    packed = zlib.compress(body) if kind == 15 else body
    return data[:start] + struct.pack("<II", kind, len(packed)) + packed + data[
        start + 8 + size :
    ], f"mat {way}"


@cache
def _mat_bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(1)
    head = struct.pack("<IIIIII", 6, 8, 6, 0, 5, 12) + struct.pack("<iii", 20, 3, megabytes << 20 // 480)
    head += bytes(4) + struct.pack("<II", 1, 6) + b"d_skel\0\0" + struct.pack("<II", 9, megabytes << 20)
    packed = [packer.compress(struct.pack("<II", 14, len(head) + (megabytes << 20)) + head)]
    packed += [packer.compress(bytes(1 << 20)) for _ in range(megabytes)]
    packed.append(packer.flush())
    body = b"".join(packed)
    return struct.pack("<II", 15, len(body)) + body


# HDF5


def _hdf5(data: bytes, random: random.Random, canary: Path) -> tuple[bytes, str]:
    """One array or attribute replaced by another, deleted, or linked to elsewhere."""
    import h5py

    file = io.BytesIO(data)
    with h5py.File(file, "r+") as opened:
        name, found = random.choice(_datasets(opened))
        way = random.choice(("array", "array", "delete", "link", "attribute", "bomb"))
        if way == "attribute" and len(found.attrs):
            key = random.choice(sorted(found.attrs))
            found.attrs[key] = random.choice(
                (0, -1, 1e308, "x" * 999, [1, 2], "{", np.void(exploits(canary)[0]))
            )
            return _closed(opened, file), "hdf5 attribute"
        shape = found.shape
        del opened[name]
        if way == "link":
            opened[name] = random.choice((h5py.ExternalLink("/etc/passwd", "x"), h5py.SoftLink(f"/{name}")))
        elif way == "bomb":
            kind = {"dtype": "f8", "chunks": (1 << 16,), "compression": "gzip"}
            opened.create_dataset(name, (random.choice(BOMB_MEGABYTES) << 17,), **kind)
        elif way == "array":
            shape = random.choice(((), (0,), (3,), shape, shape[:-1], (*shape, 1), shape[::-1]))
            kinds = ("f8", "f2", "i8", "u1", "?", "c16", "S3", h5py.string_dtype(), "f4,i4", ">f4")
            opened.create_dataset(name, shape, random.choice(kinds))
        return _closed(opened, file), f"hdf5 {way}"


def _datasets(opened: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    opened.visititems(lambda name, each: found.append((name, each)) if hasattr(each, "shape") else None)
    return found


def _closed(opened: Any, file: io.BytesIO) -> bytes:
    opened.close()
    return file.getvalue()


# Behind the header


def _json_behind(data: bytes, other: bytes, random: random.Random) -> tuple[bytes, str]:
    """A number at the end of a branch."""
    content = json.loads(data)
    holders: list[tuple[Any, Any]] = []
    _collect(content, holders)
    numbers = [(holder, key) for holder, key in holders if type(holder[key]) in (int, float)]
    holder, key = random.choice(numbers)
    holder[key] = random.choice((None, 0, -1, 7, 1e6, 1e38, 1e308, float("nan"), "1", True, holder[key] + 1))
    return json.dumps(content).encode(), "json number"


def _values(array: np.ndarray, random: random.Random) -> np.ndarray:
    """Some numbers of an array replaced, or a frame doubled, dropped or exchanged with another."""
    array = np.array(array)
    if array.ndim and len(array) > 1 and random.random() < 0.3:
        kept = list(range(len(array)))
        way, place = random.randrange(3), random.randrange(len(kept))
        if way == 0:
            del kept[place]
        elif way == 1:
            kept[place:place] = [place] * random.choice((1, 50))
        else:
            kept.reverse()
        return array[kept]
    if array.dtype.kind not in "fiu" or not array.size:
        return array
    for _ in range(random.choice((1, 1, 5, 50))):
        value = random.choice((0, -1, 1, 127, 1e5, 1e30, 1e300, np.nan, np.inf, -np.inf))
        with np.errstate(all="ignore"):
            array.reshape(-1)[random.randrange(array.size)] = np.array(value).astype(array.dtype)
    return array


def _npy_behind(data: bytes, other: bytes, random: random.Random) -> tuple[bytes, str]:
    array = np.load(io.BytesIO(data))
    return _npy(_values(array, random)), "npy values"


def _zip_behind(data: bytes, other: bytes, random: random.Random) -> tuple[bytes, str]:
    with np.load(io.BytesIO(data)) as archive:
        members = dict(archive)
    name = random.choice([name for name, array in members.items() if array.dtype.kind in "fiub"])
    members[name] = _values(members[name], random)
    file = io.BytesIO()
    np.savez(file, **members)
    return file.getvalue(), "npz values"


def _pickle_behind(data: bytes, other: bytes, random: random.Random) -> tuple[bytes, str]:
    """The numbers of an array: bytes of some length among the instructions."""
    long = [
        place
        for code, value, place in pickletools.genops(data)
        if isinstance(value, bytes | str) and len(value) > 40
    ]
    start = random.choice(long) + 9
    return _flipped(data, start, start + 30, random), "pickle values"


def _flipped(data: bytes, start: int, stop: int, random: random.Random) -> bytes:
    found = bytearray(data)
    found[random.randrange(start, stop)] ^= 1 << random.randrange(8)
    return bytes(found)


def _mat_behind(data: bytes, other: bytes, random: random.Random) -> tuple[bytes, str]:
    content = {name: value for name, value in loadmat(io.BytesIO(data)).items() if name[0] != "_"}
    name = random.choice(sorted(content))
    content[name] = _values(content[name], random)
    file = io.BytesIO()
    savemat(file, content)
    return file.getvalue(), "mat values"


def _hdf5_behind(data: bytes, other: bytes, random: random.Random) -> tuple[bytes, str]:
    import h5py

    file = io.BytesIO(data)
    with h5py.File(file, "r+") as opened:
        name, found = random.choice([(n, d) for n, d in _datasets(opened) if d.dtype.kind in "fiuV"])
        array, attributes = found[()], dict(found.attrs)
        if array.dtype.kind == "V":
            field = random.choice([f for f in array.dtype.names if array.dtype[f].base.kind in "fiu"])
            array[field] = _values(array[field], random)[: len(array[field])]
        else:
            array = _values(array, random)
        del opened[name]
        opened[name] = array
        opened[name].attrs.update(attributes)
        return _closed(opened, file), "hdf5 values"


_BEHIND = {
    "json": _json_behind,
    "zip": _zip_behind,
    "npy": _npy_behind,
    "pickle": _pickle_behind,
    "mat": _mat_behind,
    "hdf5": _hdf5_behind,
}
