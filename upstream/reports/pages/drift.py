"""The drift summary: which payers drift, how, how gravely, and what was alerted."""

from __future__ import annotations

from collections import defaultdict

from upstream.models import DriftEvent
from upstream.reports import charts, words
from upstream.reports.content import PAYER, Column, Content, KeyFigure, NoData, Table
from upstream.reports.measures.drift import Drift, Drifts, Outcomes
from upstream.reports.words import Cell, Kind

_GRAVEST = 6
_TYPES = DriftEvent.DriftType
_IN_DAYS = {_TYPES.PAYMENT_DELAY, _TYPES.AR_AGING}
"""The drift types whose values are median days; those of the others are shares of claims, or of their bills."""
_OUTCOMES = ("alerted", "duplicate", "cooldown", "noise", "below threshold")


def content(found: Drifts) -> Content:
    """The report on what was measured.

    Raises:
        NoData: no detection pass looked at the period.
    """
    if not found.passes and not found.drifts:
        raise NoData(f"no detection pass compared days that end from {found.start} to {found.end}")
    return Content(
        subject="Drift summary",
        start=found.start,
        end=found.end,
        headline=_headline(found),
        lead=_lead(found),
        figures=_figures(found),
        charts=_charts(found),
        points=[sentence(drift) for drift in found.drifts[:_GRAVEST]],
        tables=[_drifts(found), _outcomes(found), _payers(found), _days(found)],
        notes=[
            "A drift is one payer that behaves otherwise, in one way, than in the days before; each detection pass "
            "that finds it again is an event of its own. The values are those of the gravest event.",
            "Events belong to the last day that their pass compared. Severity is from 0 to 1: medium from 0.4, high "
            "from 0.7, critical from 0.9 on.",
            "An alert is suppressed as a duplicate when the same was alerted for the same days, by cooldown when it "
            "was alerted shortly before, and as noise when it comes and goes.",
        ],
    )


def what(drift: Drift) -> str:
    """What drifts, in two or three words, such as `denial rate (not covered)`."""
    name = words.name(drift.drift_type)
    return f"{name} ({drift.subject})" if drift.subject else name


def change(drift: Drift) -> str:
    """Who does what, and by how much, such as `Aetna denies more claims: 27.1%, up from 8.0%`."""
    up, kind = drift.current >= drift.baseline, _kind(drift)
    more = "more" if up else "fewer"
    on_code = f" on procedure {drift.subject}" if drift.subject else ""
    does = {
        _TYPES.PAYMENT_DELAY: f"pays {'later' if up else 'sooner'}{on_code}: a median of",
        _TYPES.DENIAL_RATE: f"denies {more} claims" + (f" for “{drift.subject}”:" if drift.subject else ":"),
        _TYPES.ADJUSTMENT_PATTERN: f"leaves {'more' if up else 'less'} of the bill unpaid{on_code}:",
        _TYPES.CODE_MAPPING_CHANGE: f"answers {more} claims{on_code} under another code:",
        _TYPES.AR_AGING: f"leaves claims{on_code} open {'longer' if up else 'less long'}: a median age of",
    }[DriftEvent.DriftType(drift.drift_type)]
    now = words.days(drift.current) if kind is Kind.DAYS else words.show(drift.current, kind)
    return f"{drift.who.name} {does} {now}, {'up' if up else 'down'} from {words.show(drift.baseline, kind)}"


def sentence(drift: Drift) -> str:
    """One drift in a sentence or two."""
    seen = "once" if drift.events == 1 else f"{drift.events:,} times"
    told = "alerted" if drift.alerted else "not alerted"
    return (
        f"{change(drift)}. Severity {drift.severity:.2f} ({words.severity(drift.severity)}); {drift.current_size:,} "
        f"claims of {words.period(drift.window_start, drift.window_end)} against {drift.baseline_size:,} before; "
        f"found {seen}, {told}."
    )


def _kind(drift: Drift) -> Kind:
    return Kind.DAYS if drift.drift_type in _IN_DAYS else Kind.SHARE


def _headline(found: Drifts) -> str:
    if not found.drifts:
        return "No payer drifts"
    return change(found.drifts[0])


def _lead(found: Drifts) -> str:
    passes = words.counted(found.passes, "detection pass", "detection passes")
    if not found.drifts:
        return f"{words.opening(passes)} compared every payer with its own past and found no change that matters."
    return (
        f"{words.opening(words.counted(len(found.by_payer), 'payer'))} "
        f"{'drifts' if len(found.by_payer) == 1 else 'drift'} in {words.counted(len(found.drifts), 'way')}, found in "
        f"{words.counted(found.outcomes.events, 'event')} by {passes}."
        if len(found.drifts) > 1
        else f"It is the only drift, found in {words.counted(found.outcomes.events, 'event')} by {passes}."
    )


def _figures(found: Drifts) -> list[KeyFigure]:
    outcomes = found.outcomes
    grave = sum(drift.severity >= floor for drift in found.drifts for name, floor in words.SEVERITIES if name == "high")
    return [
        KeyFigure(f"{len(found.drifts):,}", "drifts", words.counted(len(found.by_payer), "payer")),
        KeyFigure(f"{grave:,}", "high or critical", "by their gravest event"),
        KeyFigure(f"{outcomes.events:,}", "events", words.counted(found.passes, "pass", "passes")),
        KeyFigure(f"{outcomes.alerted:,}", "alerted", f"{outcomes.below_threshold:,} below the threshold"),
        KeyFigure(f"{outcomes.suppressed:,}", "suppressed", "duplicate, cooldown or noise"),
    ]


def _charts(found: Drifts) -> list[charts.Chart]:
    if not found.drifts:
        return []
    kinds = {kind: [drift for drift in found.drifts if _kind(drift) is kind] for kind in (Kind.SHARE, Kind.DAYS)}
    shown: list[charts.Chart] = [
        charts.Changes(
            title="The shares that changed" if kind is Kind.SHARE else "The times that changed",
            note="Share of claims, or of their bills" if kind is Kind.SHARE else "Median days",
            # Alone it would leave half of the page empty.
            wide=len(drifts) == len(found.drifts),
            changes=tuple(
                charts.Change(
                    drift.who.name, drift.baseline, drift.current, drift == found.drifts[0], detail=what(drift)
                )
                for drift in drifts[: charts.MOST]
            ),
            kind=kind,
        )
        for kind, drifts in kinds.items()
        if drifts
    ]
    return [*shown, _outcome_bars(found), _severity_bars(found), _timeline(found)]


def _severity_bars(found: Drifts) -> charts.Chart:
    order = sorted(found.by_payer, key=lambda who: (-sum(found.by_payer[who]), who))
    most = sum(found.by_payer[order[0]])
    return charts.Bars(
        title=f"{order[0].name} has the most events: {most:,} of {found.outcomes.events:,}"
        if len(order) > 1
        else f"All events are {order[0].name}'s",
        note="Events by payer and severity",
        parts=tuple(name for name, _ in words.SEVERITIES),
        bars=tuple(
            charts.Bar(who.name, found.by_payer[who], f"{sum(found.by_payer[who]):,}") for who in order[: charts.MOST]
        ),
    )


def _outcome_bars(found: Drifts) -> charts.Chart:
    outcomes = found.outcomes
    return charts.Bars(
        title=f"{outcomes.alerted:,} of {words.counted(outcomes.events, 'event')} "
        f"{'was' if outcomes.alerted == 1 else 'were'} alerted",
        note="Events by drift type, and what became of them",
        parts=_OUTCOMES,
        bars=tuple(
            charts.Bar(words.name(drift_type), _cells(one), f"{one.events:,}")
            for drift_type, one in sorted(found.by_type.items(), key=lambda item: (-item[1].events, item[0]))
        ),
    )


def _cells(one: Outcomes) -> tuple[int, ...]:
    return one.alerted, one.duplicate, one.cooldown, one.noise_pattern, one.below_threshold


def _timeline(found: Drifts) -> charts.Chart:
    rows = defaultdict(list)
    for day, who, drift_type, _, gravest in found.by_day:
        rows[who, drift_type].append((day, gravest))
    order = sorted(rows, key=lambda key: (-max(score for _, score in rows[key]), key))[: 2 * charts.MOST]
    days = len({day for day, *_ in found.by_day})
    return charts.Dots(
        title=f"Drift was found on {words.counted(days, 'day')}",
        note="Each dot is the gravest event of a day: the graver, the larger and darker",
        wide=True,
        start=found.start,
        end=found.end,
        rows=tuple(
            (f"{who.name}: {words.name(drift_type)}", tuple(rows[who, drift_type])) for who, drift_type in order
        ),
    )


def _drifts(found: Drifts) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for drift in found.drifts:
        in_days = _kind(drift) is Kind.DAYS
        values = (drift.baseline, drift.current)
        rows.append((
            *drift.who, drift.drift_type, drift.subject, drift.severity,
            *((None, None) if in_days else values), *(values if in_days else (None, None)),
            drift.effect, drift.events, drift.alerted, drift.first, drift.last,
        ))  # fmt: skip
    return Table(
        "drifts",
        "Drifts, the gravest first",
        (
            *PAYER,
            Column("drift_type", "What", Kind.NAME),
            Column("subject", "Of"),
            Column("severity", "Severity", Kind.SCORE),
            Column("share_before", "Before", Kind.SHARE),
            Column("share_now", "Now", Kind.SHARE),
            Column("days_before", "Days before", Kind.DAYS),
            Column("days_now", "Days now", Kind.DAYS),
            Column("effect", "", Kind.SCORE),
            Column("events", "Events", Kind.COUNT),
            Column("alerted", "Alerted", Kind.COUNT),
            Column("first", "First", Kind.DATE),
            Column("last", "Last", Kind.DATE),
        ),
        rows,
    )


def _outcomes(found: Drifts) -> Table:
    return Table(
        "outcomes",
        "What became of the events",
        (
            Column("drift_type", "What", Kind.NAME),
            Column("events", "Events", Kind.COUNT),
            Column("alerted", "Alerted", Kind.COUNT),
            Column("duplicate", "Duplicate", Kind.COUNT),
            Column("cooldown", "Cooldown", Kind.COUNT),
            Column("noise_pattern", "Noise pattern", Kind.COUNT),
            Column("below_threshold", "Below the threshold", Kind.COUNT),
        ),
        [(drift_type, one.events, *_cells(one)) for drift_type, one in found.by_type.items()],
    )


def _payers(found: Drifts) -> Table:
    return Table(
        "payers",
        "Events by payer and severity",
        (*PAYER, *(Column(name, words.opening(name), Kind.COUNT) for name, _ in words.SEVERITIES)),
        [(*who, *counts) for who, counts in found.by_payer.items()],
    )


def _days(found: Drifts) -> Table:
    return Table(
        "days",
        "By day",
        (
            Column("day", "Day", Kind.DATE),
            *PAYER,
            Column("drift_type", "What", Kind.NAME),
            Column("events", "Events", Kind.COUNT),
            Column("severity", "Severity", Kind.SCORE),
        ),
        [(day, *who, drift_type, count, gravest) for day, who, drift_type, count, gravest in found.by_day],
        shown=0,
    )
