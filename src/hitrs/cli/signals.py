"""Ctrl-C and SIGTERM: how commands end that run until they are told to, and that none of them is lost."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from hitrs.cli.console import print_line

_AGAIN_SECONDS = 0.01


def _interrupt() -> None:
    """A Ctrl-C for the main thread, which also wakes it where it waits."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:  # on Windows
        signal.raise_signal(signal.SIGINT)


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """A Ctrl-C that comes while an object is destroyed comes again a moment later.

    Python cannot raise an exception there: it prints the exception and forgets it, and the command goes on.
    """
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            threading.Timer(_AGAIN_SECONDS, _interrupt).start()
        else:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def telling(said: str) -> Iterator[None]:
    """A Ctrl-C says that, unless it has something to say already."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(str(stop) or said) from None


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM are how the block ends, and no error; a shell's background job ignores SIGINT."""

    def stop(number: int, frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        print_line("ended")
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
