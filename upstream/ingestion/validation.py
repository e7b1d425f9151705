"""Decides row by row what is a claim, and says of the rest why it is none."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from upstream.ingestion.reader import COLUMNS, OPTIONAL_COLUMNS, Record
from upstream.models.claims import EARLIEST
from upstream.text import shorten

REQUIRED = (
    "customer",
    "payer",
    "claim_id",
    "procedure_code",
    "billed_amount",
    "service_date",
    "submitted_date",
    "denied",
)

# CPT (five digits, or four and a letter) and HCPCS (a letter and four digits).
_CODE = re.compile(r"[0-9A-Z][0-9]{3}[0-9A-Z]")
_FORMATS = {
    "claim_id": (re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}"), "1 to 64 letters, digits and . _ / -"),
    "procedure_code": (_CODE, "a CPT or HCPCS code such as 99213 or J1885"),
    "billed_amount": (re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,2})?"), "an amount such as 125.50"),
    "paid_amount": (re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,2})?"), "an amount such as 125.50, or nothing"),
    "service_date": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "a date such as 2025-01-31"),
    "submitted_date": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "a date such as 2025-01-31"),
    "paid_date": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "a date such as 2025-01-31, or nothing"),
    "denied": (re.compile(r"true|false|yes|no|1|0", re.IGNORECASE), "true or false"),
    "denial_reason": (re.compile(r"[^\x00-\x1f\x7f]{1,200}"), "up to 200 printable characters, or nothing"),
    "adjudicated_code": (_CODE, "a CPT or HCPCS code such as 99213 or J1885, or nothing"),
}


class Check(StrEnum):
    """What is checked; the `check_type` of `upstream_data_quality_check_failed_total`."""

    MISSING = "missing_required_field"
    FORMAT = "invalid_format"
    RANGE = "out_of_range"
    REFERENCE = "referential_integrity"
    DUPLICATE = "duplicate_record"

    @property
    def severity(self) -> str:
        """A repeated row is harmless, an unknown payer costs all rows of that payer."""
        return {Check.DUPLICATE: "warning", Check.REFERENCE: "critical"}.get(self, "error")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row was refused: the column, the check, what was given (shortened), what is valid."""

    column: str
    check: Check
    given: str
    valid: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(slots=True)
class Verdict:
    """What one row came to: the claim's fields, or the reasons for refusing it.

    `filled` counts the required fields that hold something; `contradicts` is set when the row
    contradicts itself, whether that refuses it or not.
    """

    claim: dict[str, Any] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    filled: int = 0
    contradicts: bool = False


def validate(record: Record, customer: str, payers: Mapping[str, int], today: datetime.date) -> Verdict:
    """Check one row against the formats, the ranges, and the known payers (code to primary key).

    Whether the claim is there already is not decided here: that takes the database.
    """
    verdict = Verdict()
    if record.broken:
        verdict.reasons.append(Reason("", Check.FORMAT, record.broken, "as many columns as the header has"))
        return verdict
    texts = {name: value.strip() for name, value in record.values.items()}
    parsed: dict[str, Any] = {}
    for name in COLUMNS + OPTIONAL_COLUMNS:
        text = texts.get(name, "")
        if not text:
            if name in REQUIRED:
                verdict.reasons.append(Reason(name, Check.MISSING, "", "a value"))
            continue
        if name in REQUIRED:
            verdict.filled += 1
        if name in _FORMATS:
            pattern, valid = _FORMATS[name]
            try:
                if not pattern.fullmatch(text):
                    raise ValueError
                parsed[name] = _parse(name, text)
            except ValueError:
                verdict.reasons.append(Reason(name, Check.FORMAT, shorten(text), valid))
    if texts["customer"] and texts["customer"] != customer:
        verdict.reasons.append(Reason("customer", Check.REFERENCE, shorten(texts["customer"]), customer))
    if texts["payer"] and texts["payer"] not in payers:
        verdict.reasons.append(Reason("payer", Check.REFERENCE, shorten(texts["payer"]), "the code of a known payer"))
    _relations(parsed, texts, verdict)
    _ranges(parsed, today, verdict)
    if not verdict.reasons:
        parsed["payer_id"] = payers[texts["payer"]]
        parsed.setdefault("paid_amount", Decimal(0))
        if parsed.get("adjudicated_code") == parsed["procedure_code"]:
            del parsed["adjudicated_code"]
        verdict.claim = parsed
    return verdict


def _parse(name: str, text: str) -> Any:
    if name.endswith("_date"):
        return datetime.date.fromisoformat(text)
    if name.endswith("_amount"):
        return Decimal(text)
    if name == "denied":
        return text.lower() in ("true", "yes", "1")
    return text


def _relations(parsed: dict[str, Any], texts: Mapping[str, str], verdict: Verdict) -> None:
    denied = parsed.get("denied")
    if denied is True and not texts["denial_reason"]:
        verdict.reasons.append(Reason("denial_reason", Check.MISSING, "", "the reason of a denied claim"))
        verdict.contradicts = True
    if denied is False and "paid_date" in parsed and not texts["paid_amount"]:
        verdict.reasons.append(Reason("paid_amount", Check.MISSING, "", "the amount of a paid claim"))
        verdict.contradicts = True
    if denied is False and parsed.get("paid_amount") and not texts["paid_date"]:
        verdict.reasons.append(Reason("paid_date", Check.MISSING, "", "the date of a payment"))
        verdict.contradicts = True
    if denied is False and texts.get("adjudicated_code") and not texts["paid_date"]:
        verdict.contradicts = True
    if (denied is False and texts["denial_reason"]) or (denied is True and parsed.get("paid_amount")):
        verdict.contradicts = True


def _ranges(parsed: dict[str, Any], today: datetime.date, verdict: Verdict) -> None:
    def out_of_range(column: str, valid: str) -> None:
        verdict.reasons.append(Reason(column, Check.RANGE, str(parsed[column]), valid))

    billed, paid = parsed.get("billed_amount"), parsed.get("paid_amount")
    if billed is not None and billed <= 0:
        out_of_range("billed_amount", "more than 0")
    if paid is not None and paid < 0:
        out_of_range("paid_amount", "at least 0")
    elif paid is not None and billed is not None and billed > 0 and paid > billed:
        out_of_range("paid_amount", f"at most the billed {billed}")
        verdict.contradicts = True
    earlier, valid = EARLIEST, f"from {EARLIEST}"
    for name in ("service_date", "submitted_date", "paid_date"):
        date = parsed.get(name)
        if date is None:
            continue
        if date < earlier:
            out_of_range(name, valid)
            verdict.contradicts |= earlier is not EARLIEST
        elif date > today:
            out_of_range(name, f"up to today, {today}")
        else:
            earlier, valid = date, f"from the {name}, {date}"
