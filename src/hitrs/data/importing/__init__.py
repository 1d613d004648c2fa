"""From a folder of files to a store, over all cores, going on after a kill; and what was imported."""

from hitrs.data.catalog.dataset import ImportOptions
from hitrs.data.importing.job import ImportJob, import_dataset
from hitrs.data.importing.summary import ImportSummary, summarize_import

__all__ = ["ImportJob", "ImportOptions", "ImportSummary", "import_dataset", "summarize_import"]
