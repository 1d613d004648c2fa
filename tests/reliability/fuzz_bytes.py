"""Ways to spoil bytes and text of any kind: each takes the file, another good one, and dice."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable

NUMBERS = (
    "0", "-1", "1e999", "-1e308", "1e38", "nan", "inf", "-inf", "99999999999", str(2**31), str(2**63),
    "9" * 5000, "1e-320", "1_000", "0x10", "١٢", "", "1.5", "1e6", "268435456", "--1", "1,5", "null", "\x00",
)  # fmt: skip
_NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")
HUGE = (
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\x00\x00\x00\x01",
    b"\xff\xff",
    b"\xff" * 8,
)


# Bytes


def _place(data: bytes, random: random.Random) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 2, 4, 8, 32, 200, 4000)))


def flip(data: bytes, other: bytes, random: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8, 64)) if data else 0):
        found[random.randrange(len(found))] ^= 1 << random.randrange(8)
    return bytes(found)


def overwrite(data: bytes, other: bytes, random: random.Random) -> bytes:
    start, stop = _place(data, random)
    return (
        data[:start] + bytes([random.choice((0, 255, random.randrange(256)))]) * (stop - start) + data[stop:]
    )


def huge_count(data: bytes, other: bytes, random: random.Random) -> bytes:
    value = random.choice(HUGE)
    start = random.randrange(max(1, min(len(data), random.choice((64, 600, len(data) or 1)))))
    return data[:start] + value + data[start + len(value) :]


def cut(data: bytes, other: bytes, random: random.Random) -> bytes:
    start, _ = _place(data, random)
    return data[start:] if random.random() < 0.2 else data[:start]


def delete(data: bytes, other: bytes, random: random.Random) -> bytes:
    start, stop = _place(data, random)
    return data[:start] + data[stop:]


def repeat(data: bytes, other: bytes, random: random.Random) -> bytes:
    start, stop = _place(data, random)
    return data[:start] + data[start:stop] * random.choice((2, 3, 100)) + data[stop:]


def insert(data: bytes, other: bytes, random: random.Random) -> bytes:
    start, _ = _place(data, random)
    count = random.choice((1, 4, 1000))
    return data[:start] + random.choice((b"\0" * count, random.randbytes(count))) + data[start:]


def splice(data: bytes, other: bytes, random: random.Random) -> bytes:
    (start, _), (_, stop) = _place(data, random), _place(other, random)
    return data[:start] + other[stop:]


def nothing(data: bytes, other: bytes, random: random.Random) -> bytes:
    return random.choice((b"", b" \n", b"\0" * 1000, random.randbytes(300)))


BYTES = (flip, flip, overwrite, huge_count, cut, delete, repeat, insert, splice, nothing)


# Text


def number(data: bytes, other: bytes, random: random.Random) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    place = random.choice(found[: random.choice((5, 50, len(found)))])
    return data[: place.start()] + random.choice(NUMBERS).encode() + data[place.end() :]


def line(data: bytes, other: bytes, random: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, two = random.randrange(len(lines)), random.randrange(len(lines))
    way = random.randrange(5)
    if way == 0:
        del lines[one]
    elif way == 1:
        lines[one] *= random.choice((2, 500))
    elif way == 2:
        lines[one], lines[two] = lines[two], lines[one]
    elif way == 3:
        lines[one:one] = [lines[two]] * random.choice((1, 300))
    else:
        lines[one] = b""
    return b"\n".join(lines)


def encoding(data: bytes, other: bytes, random: random.Random) -> bytes:
    text = data.decode("latin-1")
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-16-le"),
        lambda: text.encode("utf-32"),
        lambda: text.encode("cp037", "replace"),
        lambda: b"\xef\xbb\xbf" * 2 + data,
        lambda: data.replace(b"a", "é".encode("latin-1")),
        lambda: data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\x0b", "\u2028".encode(), b""))),
        lambda: data.replace(b" ", random.choice((b"\t", "\u00a0".encode(), b"\0"))),
        lambda: data.replace(b",", random.choice((b";", b"\t", b'","'))),
        lambda: data.replace(b'"', b"'", random.choice((1, 1000))),
        lambda: gzip.compress(data, 1),
    )
    return random.choice(ways)()


def nest(data: bytes, other: bytes, random: random.Random) -> bytes:
    start, _ = _place(data, random)
    opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"JOINT a {\n", b"}\n"), (b"(", b")")))
    depth = random.choice((10, 2000, 200_000))
    return data[:start] + opening * depth + closing * random.choice((0, depth)) + data[start:]


def aliases(data: bytes, other: bytes, random: random.Random) -> bytes:
    """In place of a value, YAML of few bytes that stands for ten billion."""
    many = "x"
    for level in range(10):
        again = f", *a{level - 1}" if level else ", x"
        many = f"&a{level} [{many}{again * 9}]"
    head, colon, tail = data.partition(random.choice((b"name: ", b"dims: ", b"center: ", b"- - ", b": ")))
    return head + colon + many.encode() + b"\n" + tail.partition(b"\n")[2]


TEXT = (number, number, number, line, line, encoding, nest, aliases)


# Behind the header


def behind(data: bytes, other: bytes, random: random.Random) -> tuple[bytes, str]:
    """One number, line or byte in the last two thirds of a file."""
    start = len(data) // 3
    head, body = data[:start], data[start:]
    ways: list[Callable[[bytes, bytes, random.Random], bytes]] = [
        number,
        number,
        line,
        number_like,
        flip,
        cut,
    ]
    if b"\0" in data:  # no text
        ways = [flip, overwrite, cut]
    way = random.choice(ways)
    return head + way(body, other, random), f"{way.__name__} behind"


def number_like(data: bytes, other: bytes, random: random.Random) -> bytes:
    """A number in place of another one, as it could stand there."""
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    place = random.choice(found)
    value = random.choice(
        ("0", "-1", "1", "2", "3.25", "-0.5", "1e4", "12345", random.choice(found).group().decode())
    )
    return data[: place.start()] + value.encode() + data[place.end() :]
