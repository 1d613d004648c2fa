"""Cleaning: explicit repairs of recordings, each counted, the raw values kept beside the result."""

from hitrs.data.cleaning.apply import clean_store
from hitrs.data.cleaning.operations import (
    Change,
    FillGaps,
    MaskLost,
    Operation,
    RejectSpikes,
    Resample,
    ToMeters,
    TurnUp,
    Unflip,
    Unswap,
    describe,
)

__all__ = [
    "Change", "FillGaps", "MaskLost", "Operation", "RejectSpikes", "Resample", "ToMeters", "TurnUp", "Unflip",
    "Unswap", "clean_store", "describe",
]  # fmt: skip
