"""Hi-TRS: a hierarchical Transformer for human-skeleton sequences."""

__version__ = "0.1.0"
