"""Arrays of npz files: sizes are checked before anything is unpacked, and nothing is unpickled."""

from __future__ import annotations

import lzma
import math
import sys
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from hitrs.errors import DataError

MAX_BYTES = 1 << 30
"""Arrays larger than this when unpacked are refused."""


def member_names(path: Path) -> tuple[str, ...]:
    """Names of the arrays in a file; none if it is no npz file. Raises nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name[:-4] for name in archive.namelist() if name.endswith(".npy"))
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile):
        return ()


def load_arrays(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of these names that a file has; others are not looked at.

    Raises:
        DataError: for a file that is missing or damaged, an array of objects (opening it could run code), or
            one that is larger than ``MAX_BYTES`` or than the file says.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {key: _load(archive, path, key) for key in keys if f"{key}.npy" in archive.NameToInfo}
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}.") from error
    except (
        ValueError, TypeError, RuntimeError, NotImplementedError, EOFError, SyntaxError, MemoryError,
        OverflowError, KeyError, IndexError, UnicodeError, zipfile.BadZipFile, zlib.error,
        lzma.LZMAError, tokenize.TokenError,
    ) as error:  # fmt: skip
        raise DataError(
            f"{path} is not an npz file that can be read ({error}); it may be damaged."
        ) from error


def _load(archive: zipfile.ZipFile, path: Path, key: str) -> np.ndarray:
    info = archive.getinfo(f"{key}.npy")
    if info.file_size > MAX_BYTES:
        raise DataError(f"{path}: '{key}' has {info.file_size:,} bytes; at most {MAX_BYTES:,} are read.")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise DataError(f"{path}: '{key}' holds pickled objects, which are never opened; save plain arrays.")
    if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize > info.file_size:
        raise DataError(f"{path}: '{key}' declares shape {shape}, more than is there; the file is damaged.")
    with archive.open(info) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    codes = np.dtype(np.uint32).newbyteorder(dtype.byteorder)
    if dtype.kind == "U" and (np.frombuffer(array.tobytes(), codes) > sys.maxunicode).any():
        raise DataError(f"{path}: '{key}' holds characters that do not exist; the file is damaged.")
    return array
