"""This process: what it keeps in memory, how its threads wait, and whether it is the one that writes."""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
_LARGE = 2**30
_SPINS = 10_000
"""Of a thread that waits for the others, before it sleeps; libgomp's own are 300,000. Where other work runs
on the machine, a thread that spins keeps the one that it waits for from its core: a step of two threads took
more than five times as long. On an idle machine this costs a tenth of a step or less."""
_PRODUCTS = 512
"""Of the 1,024 that oneDNN keeps by itself; a step has about 250 shapes."""


def arrange() -> None:
    """For the whole process, before it computes anything; where the environment decides, nothing."""
    keep_freed_memory()
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(_SPINS))
    # Products prepared for shapes that do not come back take half a megabyte each.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(_PRODUCTS))


def keep_freed_memory() -> None:
    """Memory that was freed stays with the process, so that the arrays of a step serve the next one.

    glibc hands large arrays back to the system when they are freed, and the system clears every page of the
    next one: about a tenth of a step. MALLOC_TRIM_THRESHOLD_ and the like in the environment do the same,
    and win. Without glibc nothing is done.
    """
    if sys.platform != "linux" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _LARGE)
        library.mallopt(_TOP_PAD, 2**26)


def is_main_process() -> bool:
    """False in all but one of the processes that ``accelerate launch`` or ``torchrun`` start."""
    return int(os.environ.get("RANK", "0")) == 0
