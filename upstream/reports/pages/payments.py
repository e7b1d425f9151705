"""The payment analysis: how long payers take, how much of what is billed they pay, and what still waits."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from upstream.reports import charts, words
from upstream.reports.content import PAYER, STEP, Column, Content, KeyFigure, NoData, Table
from upstream.reports.measures.payments import AGES, Payments
from upstream.reports.measures.spread import quantile, ratio
from upstream.reports.words import Cell, Kind, Who

_BINS = 14
_APART = 2
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def content(found: Payments) -> Content:
    """The report on what was measured.

    Raises:
        NoData: no claim was answered, and none was open.
    """
    start, end = found.steps.start, found.steps.ends[-1]
    if not found.amounts and not found.waiting:
        raise NoData(f"no claim was answered from {start} to {end}, and none was open at its end")
    return Content(
        subject="Payment analysis",
        start=start,
        end=end,
        headline=_headline(found),
        lead=_lead(found),
        figures=_figures(found),
        charts=_charts(found),
        tables=[_payers(found), _waiting(found), _trend(found), _distribution(found)],
        notes=[
            "Days to payment run from the submission of a claim to its payment. The median is the number of days "
            "within which at least half of the payments came, the 90th percentile that within which nine in ten came.",
            "Paid share: what was paid of what all answered claims billed, denied ones included. "
            "Adjustment: what was not paid of what the paid claims billed.",
            f"Open claims are those without an answer at the end of {words.day(end)}.{_on_file(found)}",
        ],
    )


def _on_file(found: Payments) -> str:
    last = found.last_answer
    if last is None:
        return " No dated answer is on file."
    if last >= found.steps.ends[-1]:
        return ""
    return f" Answers are on file up to {words.day(last)} only: some of these claims may have been answered since."


def _headline(found: Payments) -> str:
    later, everything = found.later, found.everything
    if later:
        compared = found.steps.compared(f"a median of {words.days(later.now)}", str(later.before))
        return f"{later.who.name} pays later: {compared}"
    if everything:
        median, p90 = quantile(everything, 0.5) or 0, quantile(everything, 0.9) or 0
        return f"Half of the payments came within {words.days(median)}, nine in ten within {words.days(p90)}"
    count = sum(one.count for one in found.open_by_age)
    return f"No payment came, and {words.counted(count, 'claim')} {'waits' if count == 1 else 'wait'} for an answer"


def _lead(found: Payments) -> str:
    total, old = found.total, found.open_by_age[-1:] or []
    overdue = words.money(old[0].billed) if old else "nothing"
    answered = words.counted(total.answered, "claim")
    return (
        f"{words.opening(words.counted(len(found.amounts), 'payer'))} answered {answered} and paid "
        f"{words.money(total.paid)} of the {words.money(total.billed)} billed. On {words.day(found.steps.ends[-1])}, "
        f"{overdue} had been waiting for an answer for more than 90 days."
    )


def _figures(found: Payments) -> list[KeyFigure]:
    everything, total, waiting = found.everything, found.total, found.open_by_age
    return [
        KeyFigure(words.show(quantile(everything, 0.5), Kind.DAYS), "days to payment", "median"),
        KeyFigure(words.show(quantile(everything, 0.9), Kind.DAYS), "days to payment", "90th percentile"),
        KeyFigure(words.show(total.paid_share, Kind.SHARE), "of billed was paid", words.money(total.paid)),
        KeyFigure(words.show(total.adjustment, Kind.SHARE), "adjustment", "on paid claims"),
        KeyFigure(
            words.money(sum((one.billed for one in waiting), Decimal(0))),
            "waits for an answer",
            words.counted(sum(one.count for one in waiting), "open claim"),
        ),
    ]


def _charts(found: Payments) -> list[charts.Chart]:
    by_payer = found.by_payer
    most = sorted(by_payer, key=lambda who: (-by_payer[who].total(), who))[: charts.MOST]
    shown: list[charts.Chart] = []
    if most:
        shown += [_spread(found, by_payer, most), _medians(found, most), _histogram(found.everything)]
    if found.waiting:
        shown.append(_ageing(found))
    return shown


def _spread(found: Payments, by_payer: dict[Who, Counter[int]], most: list[Who]) -> charts.Chart:
    spreads = {who: _quantiles(by_payer[who]) for who in most}
    slow = sorted(most, key=lambda who: (spreads[who][2], spreads[who][4], who), reverse=True)
    later = found.later
    marked = later.who if later else slow[0]
    slowest, fastest = spreads[slow[0]][2], spreads[slow[-1]][2]
    if slowest - fastest >= _APART:
        title = f"{slow[0].name} is the slowest: a median of {words.days(slowest)}"
    elif slowest > fastest:
        title = f"Over the whole period payers are alike: medians of {fastest} to {words.days(slowest)}"
    else:
        title = f"A median of {words.days(slowest)}" + (", whoever pays" if len(slow) > 1 else "")
    return charts.Ranges(
        title=title,
        note="Days to payment: median, middle half and middle 80%",
        ranges=tuple(charts.Range(who.name, spreads[who], who == marked) for who in slow),
    )


def _medians(found: Payments, most: list[Who]) -> charts.Chart:
    later = found.later
    return charts.Lines(
        title=f"{later.who.name} went from {later.before} to {later.now} days"
        if later
        else "No clear delay with any payer",
        note=f"Median days to payment, {found.steps.by}",
        days=found.steps.ends,
        series=tuple(
            charts.Series(
                who.name,
                tuple(quantile(counts, 0.5) for counts in found.delays[who]),
                later is not None and who == later.who,
            )
            for who in most
        ),
        kind=Kind.DAYS,
    )


def _quantiles(counts: Counter[int]) -> tuple[int, int, int, int, int]:
    p10, p25, p50, p75, p90 = (quantile(counts, share) or 0 for share in _QUANTILES)
    return p10, p25, p50, p75, p90


def _bins(counts: Counter[int]) -> list[tuple[int, int | None, int]]:
    """First day, last day and payments: a few bins over nearly all of them, and one for those that took longer."""
    if not counts:
        return []
    high = quantile(counts, 0.995) or 0
    width = next((width for width in (1, 2, 5, 10, 15, 30) if width * _BINS > high), 1 + high // _BINS)
    beyond = high // width + 1
    bins = Counter(dict.fromkeys(range(beyond), 0))
    for days, count in counts.items():
        bins[min(days // width, beyond)] += count
    return [
        (number * width, None if number == beyond else (number + 1) * width - 1, count)
        for number, count in sorted(bins.items())
    ]


def _histogram(counts: Counter[int]) -> charts.Chart:
    bins = _bins(counts)
    width = (bins[0][1] or 0) + 1
    median, p90 = quantile(counts, 0.5) or 0, quantile(counts, 0.9) or 0
    marks = [((median + 0.5) / width, f"median {median}")]
    if p90 > median:
        marks.append(((p90 + 0.5) / width, f"nine in ten by {p90}"))
    return charts.Columns(
        title=f"Nine in ten payments come within {words.days(p90)}",
        note="Payments by days since submission, all payers",
        columns=tuple(charts.Column(f"{low}+" if high is None else str(low), (count,)) for low, high, count in bins),
        marks=tuple(marks),
        foot="days" if width == 1 else f"days, in steps of {width}",
    )


def _ageing(found: Payments) -> charts.Chart:
    amounts = {who: sum((one.billed for one in ages), Decimal(0)) for who, ages in found.waiting.items()}
    old = found.open_by_age[-1].billed
    share = words.show(ratio(old, sum(amounts.values(), Decimal(0))), Kind.SHARE)
    return charts.Bars(
        title=f"{share} of what is open is older than 90 days" if old else "Nothing open is older than 90 days",
        note="Billed on open claims, by days since submission",
        parts=tuple(f"{name} days" for name, _, _ in AGES),
        bars=tuple(
            charts.Bar(who.name, tuple(float(one.billed) for one in found.waiting[who]), words.money(amounts[who]))
            for who in sorted(amounts, key=lambda who: (-amounts[who], who))[: charts.MOST]
        ),
    )


def _payers(found: Payments) -> Table:
    by_payer = found.by_payer
    rows: list[tuple[Cell, ...]] = []
    for who, one in found.amounts.items():
        counts = by_payer.get(who, Counter())
        rows.append((
            *who, one.answered, one.denied, counts.total(), quantile(counts, 0.5), quantile(counts, 0.9),
            one.billed, one.paid, one.paid_share, one.adjustment,
        ))  # fmt: skip
    return Table(
        "payers",
        "By payer",
        (
            *PAYER,
            Column("answered", "Answered", Kind.COUNT),
            Column("denied", "Denied", Kind.COUNT),
            Column("payments", "Paid", Kind.COUNT),
            Column("median_days", "Median days", Kind.DAYS),
            Column("p90_days", "90th perc.", Kind.DAYS),
            Column("billed", "Billed", Kind.MONEY),
            Column("paid", "Paid amount", Kind.MONEY),
            Column("paid_share", "Paid share", Kind.SHARE),
            Column("adjustment", "Adjustment", Kind.SHARE),
        ),
        rows,
    )


def _waiting(found: Payments) -> Table:
    columns = [*PAYER]
    for name, low, high in AGES:
        key = f"from_{low}" if high is None else f"{low}_to_{high}"
        columns.append(Column(f"open_{key}", f"{name} days", Kind.COUNT))
        columns.append(Column(f"open_billed_{key}", "Billed", Kind.MONEY))
    rows: list[tuple[Cell, ...]] = [
        (*who, *(cell for one in ages for cell in (one.count, one.billed))) for who, ages in found.waiting.items()
    ]
    return Table("open_claims", "Open claims by days since submission", tuple(columns), rows)


def _trend(found: Payments) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (*found.steps.days(step), *who, counts.total(), quantile(counts, 0.5), quantile(counts, 0.9))
        for who, by_step in found.delays.items()
        for step, counts in enumerate(by_step)
    ]
    return Table(
        "trend",
        f"By {found.steps.word}",
        (
            *STEP,
            *PAYER,
            Column("payments", "Paid", Kind.COUNT),
            Column("median_days", "Median days", Kind.DAYS),
            Column("p90_days", "90th perc.", Kind.DAYS),
        ),
        rows,
        shown=0,
    )


def _distribution(found: Payments) -> Table:
    return Table(
        "distribution",
        "Payments by days",
        (
            Column("days_from", "From day", Kind.DAYS),
            Column("days_to", "To day", Kind.DAYS),
            Column("payments", "Paid", Kind.COUNT),
        ),
        list(_bins(found.everything)),
        shown=0,
    )
