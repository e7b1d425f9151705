"""What an alert says."""

from __future__ import annotations

from upstream.models import Alert, DriftEvent

_TITLE_LENGTH = Alert._meta.get_field("title").max_length


def words(event: DriftEvent) -> tuple[str, str]:
    """The title, on one line, and the body of the alert on a drift event."""
    title = " ".join(_title(event).split())
    # A subject is what a file says it is, so it may be long.
    return title[:_TITLE_LENGTH], f"{_compared(event)}\n{_measured(event)}\n"


def _title(event: DriftEvent) -> str:
    kind, payer, subject = DriftEvent.DriftType(event.drift_type), event.payer.name, event.subject
    on_code = f" on procedure {subject}" if subject else ""
    shares = f"{event.baseline:.1%} to {event.current:.1%}"
    days = f"{event.baseline:g} to {event.current:g} days"
    more = "more" if event.current >= event.baseline else "fewer"
    match kind:
        case DriftEvent.DriftType.DENIAL_RATE:
            reason = f' for "{subject}"' if subject else ""
            return f"{payer} denies {more} claims{reason}: {shares}"
        case DriftEvent.DriftType.PAYMENT_DELAY:
            return f"{payer} pays later{on_code}: median {days}"
        case DriftEvent.DriftType.ADJUSTMENT_PATTERN:
            less = "more" if event.current >= event.baseline else "less"
            return f"{payer} leaves {less} of the bill unpaid{on_code}: mean {shares}"
        case DriftEvent.DriftType.CODE_MAPPING_CHANGE:
            return f"{payer} answers {more} claims{on_code} under another code: {shares}"
        case DriftEvent.DriftType.AR_AGING:
            return f"Claims{on_code} wait longer for {payer}: median age {days}"


def _compared(event: DriftEvent) -> str:
    payer = event.payer.name
    if event.drift_type == DriftEvent.DriftType.AR_AGING:
        days = (event.window_end - event.window_start).days + 1
        # Where answers are on file only up to an earlier day, that day is meant.
        now = f"claims that waited for {payer} up to {event.window_end} ({event.current_size:,})"
        then = f"those that waited {days} days earlier ({event.baseline_size:,}), age by age"
    else:
        now = f"claims that {payer} answered from {event.window_start} to {event.window_end} ({event.current_size:,})"
        then = f"the {event.baseline_size:,} before"
    return f"{event.product} compared the {now} with {then}."


def _measured(event: DriftEvent) -> str:
    return f"Severity {event.severity:.2f}, effect size {event.effect:.2f}, p = {event.p_value:.2g}."
