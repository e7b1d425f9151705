"""What is planted: a word, an address and a number, and a file of claims that is made of them."""

from __future__ import annotations

import csv
import io
from importlib import import_module

WORD = "zebra"
EMAIL = f"{WORD}@example.org"
SSN = "123-45-6789"
PLANTED = (WORD, SSN)
API, ADMIN = "/api/v1/", "/admin/"


def claims() -> bytes:
    """A file of claims: two good rows, and one for each column with the word in it."""
    columns = import_module("upstream.ingestion.reader").COLUMNS
    good = {
        "customer": "mercy", "payer": "aetna", "claim_id": f"{WORD}-1", "procedure_code": "99213",
        "billed_amount": "125.50", "paid_amount": "", "service_date": "2025-01-31", "submitted_date": "2025-02-01",
        "paid_date": "", "denied": "true", "denial_reason": f"{WORD} Roe, SSN {SSN}",
    }  # fmt: skip
    rows = [good, good, *(good | {"claim_id": f"{WORD}-{column}", column: WORD} for column in columns)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
