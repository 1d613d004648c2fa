"""The training and test part of a protocol."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitrs.data.store import Store
from hitrs.errors import DataError


@dataclass(frozen=True)
class ProtocolSplit:
    """Training and test recordings of a protocol, as store indices."""

    store: Store
    protocol: str
    train: np.ndarray
    test: np.ndarray
    duplicates: np.ndarray
    """Test recordings whose exact content also stands in the training part."""


def protocol_split(
    store: Store, protocol: str | None = None, usable: np.ndarray | None = None
) -> ProtocolSplit:
    """The labeled recordings of a protocol; the store's first one by default.

    Args:
        usable: (N,) bool, which recordings count as labeled; by default those with a class.
    Raises:
        DataError: if the store has no protocol, or one without labeled recordings in both parts.
    """
    if protocol is None:
        if not store.protocols:
            raise DataError(
                f"{store.path} has no protocol, so nothing tells training from test; import it with a split"
            )
        protocol = store.protocols[0]
    labeled = np.asarray(store.labels) >= 0 if usable is None else usable
    parts = {part: store.split(protocol, part) for part in ("train", "test")}
    parts = {part: indices[labeled[indices]] for part, indices in parts.items()}
    for part, indices in parts.items():
        if not len(indices):
            raise DataError(
                f"protocol {protocol} of {store.path} has no labeled recording in its {part} part"
            )
    return ProtocolSplit(store, protocol, parts["train"], parts["test"], store.duplicates(protocol))
