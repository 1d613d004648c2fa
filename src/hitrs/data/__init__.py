"""Recordings on the way in and on disk."""

from hitrs.data.formats import read_recording, register_format, write_npz
from hitrs.data.importing import ImportOptions, ImportSummary, import_dataset, summarize_import
from hitrs.data.inspection.inspect import Inspection, inspect_store
from hitrs.data.recording import Recording, Segment
from hitrs.data.store import Store, write_store

__all__ = [
    "ImportOptions", "ImportSummary", "Inspection", "Recording", "Segment", "Store", "import_dataset",
    "inspect_store", "read_recording", "register_format", "summarize_import", "write_npz", "write_store",
]  # fmt: skip
