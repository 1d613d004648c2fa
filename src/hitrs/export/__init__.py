"""Models leave the package as ONNX: ``export_model`` writes a file, ``ExportedModel`` reads and runs one."""

from hitrs.export.job import Export, export_model
from hitrs.models.exported import ExportedModel

__all__ = ["Export", "ExportedModel", "export_model"]
