"""Recordings on the way in and on disk."""

from hitrs.data.catalog import import_dataset
from hitrs.data.recording import Recording, Segment
from hitrs.data.store import Store, write_store

__all__ = ["Recording", "Segment", "Store", "import_dataset", "write_store"]
