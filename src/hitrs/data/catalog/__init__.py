"""Public data sets and own folders: what their files are, which classes they have and how they are split."""

from hitrs.data.catalog.importing import import_dataset

__all__ = ["import_dataset"]
