"""Cleaning: explicit repairs of recordings, each counted, the raw values kept beside the result."""

from hitrs.data.cleaning.apply import clean_store
from hitrs.data.cleaning.axis import TurnUp
from hitrs.data.cleaning.gaps import FillGaps
from hitrs.data.cleaning.identity import Unflip, Unswap
from hitrs.data.cleaning.operation import Change, Operation, describe
from hitrs.data.cleaning.rate import Resample
from hitrs.data.cleaning.spikes import RejectSpikes
from hitrs.data.cleaning.units import ToMeters

__all__ = [
    "Change", "FillGaps", "Operation", "RejectSpikes", "Resample", "ToMeters", "TurnUp", "Unflip", "Unswap",
    "clean_store", "describe",
]  # fmt: skip
