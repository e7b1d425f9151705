"""Claims come in as CSV: received, then by a job read, validated row by row, stored in bulk and scored."""

from upstream.ingestion.orphans import remove_orphans
from upstream.ingestion.reader import COLUMNS, FileRejected
from upstream.ingestion.service import KIND, give_up, ingest, ingest_now, progress, receive

__all__ = [
    "COLUMNS",
    "KIND",
    "FileRejected",
    "give_up",
    "ingest",
    "ingest_now",
    "progress",
    "receive",
    "remove_orphans",
]
