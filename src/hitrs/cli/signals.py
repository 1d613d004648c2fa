"""How commands end that run until they are told to."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from hitrs.cli.console import print_line


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
