"""Models leave the package as ONNX: ``export_model`` writes a file, ``ExportedModel`` reads and runs one."""

from hitrs.export.exported import ExportedModel
from hitrs.export.job import Export, export_model

__all__ = ["Export", "ExportedModel", "export_model"]
