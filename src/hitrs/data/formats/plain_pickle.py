"""Pickles without code: plain containers and numpy arrays of numbers, anything else is refused.

Opening a pickle can run whatever its author likes. So it is not opened: its instructions are listed and the
few that build containers, numbers, text and arrays are carried out here. No object of the file's choice is
imported or called, arrays must have the bytes that their shape says, and nothing is larger than the file.
"""

from __future__ import annotations

import math
import pickletools
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hitrs.data.formats.memory import reserve
from hitrs.errors import DataError

FREE_STEPS, BYTES_OF_STEP = 1_000_000, 16
"""A pickle may have so many instructions, and one more for so many bytes: arrays are few instructions and
many bytes, and a file that is all instructions would take minutes."""
_STEP_BYTES = 96
_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_VALUES = frozenset((
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
))  # fmt: skip
_WRONG = (
    ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError, struct.error,
    RecursionError,
)  # fmt: skip


class _Refused(Exception):
    """Something that is neither a plain value nor an array."""


class _Global(tuple[str, str]):
    """(module, name) of what a pickle would import."""


class _Box:
    """An array or dtype that is filled in after it was made."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


def load_plain(path: Path) -> Any:
    """The content of a pickle: dict, list, tuple, str, bytes, numbers, None; arrays through ``as_array``.

    Raises:
        DataError: for a file that is missing, cut short, damaged, or that holds anything else, naming it.
    """
    try:
        size = path.stat().st_size
        reserve(path, 2 * size + _STEP_BYTES * min(size, _steps(size)), f"a pickle of {size:,} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    return plain_value(data, str(path))


def plain_value(data: bytes, path: str) -> Any:
    """The same of a pickle that stands inside of a file, whose name messages begin with."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of pickletools, about escapes in old texts
            return _Machine().run(data)
    except _Refused as error:
        raise DataError(
            f"{path} holds {error}; only plain containers and arrays of numbers are read, because opening "
            "other pickles could run code."
        ) from error
    except _WRONG as error:
        raise DataError(f"{path} is not a pickle that can be read ({error}); it seems damaged.") from error


def _steps(size: int) -> int:
    return FREE_STEPS + size // BYTES_OF_STEP


def as_array(value: Any) -> np.ndarray | None:
    """The array that a value of ``load_plain`` stands for, None if it is none."""
    content = boxed(value)
    return content if isinstance(content, np.ndarray) else None


def boxed(value: Any) -> Any:
    """What an array of a single object holds, another value as it is."""
    return value.value if isinstance(value, _Box) else value


class _Machine:
    """The stack and memory of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        most = _steps(len(data))
        for steps, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            name = opcode.name
            if steps > most:
                raise _Refused(f"more than {most:,} instructions, far more than arrays need")
            if name == "STOP":
                (result,) = self.stack
                return result
            if name in _VALUES:
                self.stack.append(argument)
            elif name in _STEPS:
                _STEPS[name](self, argument)
            else:
                raise _Refused(f"an instruction {name}")
        raise ValueError("it has no end")

    def above_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("a tuple of more than there is")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.stack.append(items)

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError("items for something that is no list")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise TypeError("items for something that is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int | float | bytes | None):
                raise _Refused(f"a key of type {type(key).__name__}")  # hashing others may take for ever
            target[key] = value

    def push_global(self, module: Any, name: Any) -> None:
        reference = _Global((str(module), str(name)))
        if _known(reference) is None:
            raise _Refused(f"'{module}.{name}'"[:120])
        self.stack.append(reference)

    def reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        make = _known(called) if isinstance(called, _Global) else None
        if make is None or type(arguments) is not tuple:
            raise _Refused("a call")
        self.stack.append(make(*arguments))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, _Box) or type(state) is not tuple:
            raise _Refused("an object with a state")
        if isinstance(target.value, np.dtype):
            order = state[1]
            if order in ("<", ">", "=", "|") and all(each is None for each in state[2:5]):
                target.value = target.value.newbyteorder(order)
                return
            raise _Refused("a dtype of several fields")
        _, shape, dtype, fortran, raw = state
        target.value = _filled(raw, dtype, shape, "F" if fortran else "C")


def _filled(raw: Any, dtype: Any, shape: Any, order: str) -> Any:
    if isinstance(raw, str):
        raw = raw.encode("latin-1")  # as Python 2 wrote it
    kind = dtype.value if isinstance(dtype, _Box) else None
    if kind == np.dtype(object) and shape == () and type(raw) is list and len(raw) == 1:
        return raw[0]  # a single object, as numpy.save wraps a dict
    if (
        not isinstance(kind, np.dtype)
        or kind.hasobject
        or not isinstance(raw, bytes | bytearray)
        or type(shape) is not tuple
    ):
        raise _Refused("an array of objects")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"an array of shape {shape}")
    if math.prod(shape) * kind.itemsize != len(raw):
        raise ValueError(f"an array of shape {shape} in {len(raw)} bytes")
    return np.frombuffer(raw, kind).reshape(shape, order="F" if order == "F" else "C")


def _dtype(name: Any, *_: Any) -> _Box:
    if not isinstance(name, str) or len(name) > 4 or (name[:1] not in "fiub" and name != "O8"):
        raise _Refused(f"an array of dtype '{str(name)[:20]}'")
    return _Box(np.dtype(name))


def _scalar(dtype: Any, raw: Any) -> Any:
    return _filled(raw, dtype, (1,), "C")[0].item()


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _Refused("an encoded text")
    return text.encode("latin-1")


def _known(name: tuple[str, str]) -> Callable[..., Any] | None:
    """What stands in for something that a pickle may name; None for everything else."""
    module, attribute = name
    if module in _MODULES and attribute in ("_reconstruct", "scalar"):
        return _scalar if attribute == "scalar" else lambda *_: _Box()
    if module in _NUMERIC and attribute == "_frombuffer":
        return lambda raw, dtype, shape, order: _Box(_filled(raw, dtype, shape, order))
    others: dict[tuple[str, str], Callable[..., Any]] = {
        ("numpy", "ndarray"): _refuse_call,
        ("numpy", "dtype"): _dtype,
        ("_codecs", "encode"): _encode,
        ("__builtin__", "bytes"): lambda: b"",  # as protocol 2 writes no bytes
        ("collections", "OrderedDict"): dict,
    }
    return others.get((module, attribute))


def _refuse_call(*_: Any) -> Any:
    raise _Refused("a call of numpy.ndarray")


def _pop(machine: _Machine, _: Any) -> None:
    machine.stack.pop()


def _memoize(machine: _Machine, place: Any) -> None:
    machine.memo[len(machine.memo) if place is None else int(place)] = machine.stack[-1]


def _recall(machine: _Machine, place: Any) -> None:
    machine.stack.append(machine.memo[int(place)])


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.push_global(module, name)


def _setitem(machine: _Machine, _: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _dict(machine: _Machine, _: Any) -> None:
    items = machine.above_mark()
    machine.stack.append({})
    machine.set_items(items)


_STEPS: dict[str, Callable[[_Machine, Any], Any]] = {
    "PROTO": lambda m, _: None,
    "FRAME": lambda m, _: None,
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "POP": _pop,
    "POP_MARK": lambda m, _: m.above_mark(),
    "NONE": lambda m, _: m.stack.append(None),
    "NEWTRUE": lambda m, _: m.stack.append(True),
    "NEWFALSE": lambda m, _: m.stack.append(False),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_TUPLE": lambda m, _: m.stack.append(()),
    "LIST": lambda m, _: m.stack.append(m.above_mark()),
    "DICT": _dict,
    "TUPLE": lambda m, _: m.stack.append(tuple(m.above_mark())),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
    "APPEND": lambda m, _: m.append([m.stack.pop()]),
    "APPENDS": lambda m, _: m.append(m.above_mark()),
    "SETITEM": _setitem,
    "SETITEMS": lambda m, _: m.set_items(m.above_mark()),
    "MEMOIZE": _memoize,
    "PUT": _memoize,
    "BINPUT": _memoize,
    "LONG_BINPUT": _memoize,
    "GET": _recall,
    "BINGET": _recall,
    "LONG_BINGET": _recall,
    "GLOBAL": lambda m, text: m.push_global(*text.split(" ", 1)),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.build(),
}
