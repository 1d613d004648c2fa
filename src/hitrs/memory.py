"""Memory that was freed stays with the process, so that the arrays of a step serve the next one.

glibc hands large arrays back to the system when they are freed, and the system clears every page of the next
one: about a tenth of an update. MALLOC_TRIM_THRESHOLD_ and the like in the environment do the same, and win.
"""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
_LARGE = 2**30


def keep_freed_memory() -> None:
    """For the whole process, on Linux with glibc; elsewhere, and where the environment decides, nothing."""
    if sys.platform != "linux" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _LARGE)
        library.mallopt(_TOP_PAD, 2**26)
