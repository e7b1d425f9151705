"""Claims come in as CSV: read, validate row by row, store in bulk, score."""

from upstream.ingestion.reader import COLUMNS, FileRejected
from upstream.ingestion.service import ingest, progress

__all__ = ["COLUMNS", "FileRejected", "ingest", "progress"]
