"""``hitrs inspect``: what is in a store, and what is wrong with it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import say
from hitrs.data.inspect import inspect_store
from hitrs.data.store import Store


def run(store: Positional[Path], *, as_json: Annotated[bool, arg(name="json")] = False) -> None:
    """Look at every recording of a store; lines that begin with ! need attention.

    Args:
        store: a store that `hitrs import` made.
        as_json: print everything as JSON, with the names of all recordings concerned.
    """
    found = inspect_store(Store.open(store))
    if not as_json:
        for line in found.lines():
            say(line)
        return
    values = found.to_dict()
    if math.isnan(values["body_size"]):  # JSON has no word for it
        values["body_size"] = None
    say(json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False))
