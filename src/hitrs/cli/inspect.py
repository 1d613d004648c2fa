"""``hitrs inspect``: what is in a store, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

from tyro.conf import Positional

from hitrs.cli.console import say
from hitrs.cli.options import AsJson
from hitrs.data.inspect import inspect_store
from hitrs.data.store import Store


def run(store: Positional[Path], *, as_json: AsJson = False) -> None:
    """Look at every recording of a store; lines that begin with ! need attention.

    Args:
        store: a store that `hitrs import` made.
        as_json: print everything as JSON, with the names of all recordings concerned.
    """
    found = inspect_store(Store.open(store))
    if as_json:
        say(json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        return
    for line in found.lines():
        say(line)
