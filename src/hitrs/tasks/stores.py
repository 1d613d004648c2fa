"""Stores that are handed to a model, brought to what it was trained on."""

from __future__ import annotations

from collections.abc import Callable

from hitrs.data.conversion import Conversion, convert
from hitrs.data.store import Store
from hitrs.models.card import ModelCard
from hitrs.transforms.dataset import SkeletonDataset


def store_conversion(store: Store, card: ModelCard) -> Conversion:
    """What brings a store to the unit and up axis that a model was trained on."""
    if not card.space.known:
        return Conversion()
    have = SkeletonDataset(store, range(len(store)), card.layout, card.preprocessing).space
    return convert(have, card.space, scaled=card.preprocessing.scale == "body")


def converted_store(store: Store, card: ModelCard, tell: Callable[[str], None]) -> Store:
    """The store in the unit and with the up axis that a model was trained on.

    Args:
        tell: called with what was converted, and what does not fit.
    Raises:
        LayoutError: if the model cannot read the store.
    """
    conversion = store_conversion(store, card)
    for note in conversion.notes:
        tell(f"note: {store.path}: {note}")
    if conversion.misfit:
        tell(
            f"note: {store.path}: {conversion.misfit}; figures mean little. Bring it to their unit (`hitrs "
            "clean --unit`), or train with `--preprocessing.scale body`, which needs no unit"
        )
    return store.converted(conversion) if conversion.changes else store
