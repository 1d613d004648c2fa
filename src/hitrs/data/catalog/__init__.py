"""Public data sets and own folders: what their files are, which classes they have and how they are split."""

from hitrs.data.catalog.importing import DATASETS, ImportSummary, import_dataset, summarize_import

__all__ = ["DATASETS", "ImportSummary", "import_dataset", "summarize_import"]
