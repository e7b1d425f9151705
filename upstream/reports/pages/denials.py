"""The denial analysis: who denies, how often, why, and what it costs."""

from __future__ import annotations

from upstream.reports import charts, words
from upstream.reports.content import PAYER, STEP, Column, Content, KeyFigure, NoData, Table
from upstream.reports.measures.denials import MIN_CLAIMS, OTHER, Denials, total
from upstream.reports.measures.spread import ratio
from upstream.reports.words import Cell, Kind

_PAIRS = 6


def content(found: Denials) -> Content:
    """The report on what was measured.

    Raises:
        NoData: no claim was answered.
    """
    start, end = found.steps.start, found.steps.ends[-1]
    if not found.rates:
        raise NoData(f"no claim was answered from {start} to {end}")
    return Content(
        subject="Denial analysis",
        start=start,
        end=end,
        headline=_headline(found),
        lead=_lead(found),
        figures=_figures(found),
        charts=_charts(found),
        tables=[_payers(found), _pairs(found), _reasons(found), _trend(found)],
        notes=[
            "The denial rate is the share of answered claims that were denied. A claim counts on the day of its "
            "answer; a denial of which the file does not tell the day, on the day of its submission.",
            f"Denied amounts are what the denied claims billed. Reasons of fewer than {MIN_CLAIMS} denials are "
            f"together as “{OTHER}”.",
        ],
    )


def _headline(found: Denials) -> str:
    overall, risen = total(found.by_payer.values()), found.risen
    if not overall.denied:
        return f"No claim was denied, of {overall.answered:,} answered"
    if risen:
        compared = found.steps.compared(f"{risen.now:.1%} of claims", f"{risen.before:.1%}")
        return f"{risen.who.name} denies more: {compared}"
    return f"{overall.rate or 0:.1%} of claims were denied, worth {words.money(found.cost.billed)}"


def _lead(found: Denials) -> str:
    overall = total(found.by_payer.values())
    if not overall.denied:
        return ""
    (who, reason), cost = next(iter(found.pairs.items()))
    return (
        f"Of {overall.answered:,} claims that {words.counted(len(found.rates), 'payer')} answered, "
        f"{overall.denied:,} were denied, worth {words.money(found.cost.billed)}. The costliest combination is "
        f"{who.name} with “{reason}”: {words.money(cost.billed)}."
    )


def _figures(found: Denials) -> list[KeyFigure]:
    overall, cost = total(found.by_payer.values()), found.cost
    figures = [
        KeyFigure(words.show(overall.rate, Kind.SHARE), "denial rate", "all payers"),
        KeyFigure(f"{overall.denied:,}", "denied claims", f"of {overall.answered:,} answered"),
        KeyFigure(words.money(cost.billed), "denied amount", "as billed"),
    ]
    if found.reasons:
        reason, most = max(found.reasons.items(), key=lambda item: (item[1].denied, item[0]))
        share = words.show(ratio(most.denied, overall.denied), Kind.SHARE)
        figures.append(KeyFigure(share, "have the commonest reason", words.shorten(reason, 40)))
    return figures


def _charts(found: Denials) -> list[charts.Chart]:
    by_payer, risen = found.by_payer, found.risen
    most = sorted(by_payer, key=lambda who: (-by_payer[who].answered, who))[: charts.MOST]
    order = sorted(most, key=lambda who: (-(by_payer[who].rate or 0), who))
    if not found.pairs:
        return []
    top = risen.who if risen else order[0]
    pairs = list(found.pairs.items())[:_PAIRS]
    reasons = list(found.reasons.items())[:_PAIRS]
    return [
        charts.Lines(
            title=f"{risen.who.name} went from {risen.before:.1%} to {risen.now:.1%}"
            if risen
            else "No clear rise with any payer",
            note=f"Denied share of answered claims, {found.steps.by}",
            days=found.steps.ends,
            series=tuple(
                charts.Series(who.name, tuple(one.rate for one in found.rates[who]), bool(risen) and who == top)
                for who in most
            ),
            kind=Kind.SHARE,
        ),
        charts.Bars(
            title=f"{order[0].name} has the highest rate: {by_payer[order[0]].rate or 0:.1%}",
            note="Denied share of answered claims, over the whole period",
            bars=tuple(
                charts.Bar(who.name, (by_payer[who].rate or 0.0,), f"{by_payer[who].rate or 0:.1%}", who == top)
                for who in order
            ),
        ),
        charts.Bars(
            title=f"{words.shorten(words.opening(reasons[0][0]), 40)} costs most: {words.money(reasons[0][1].billed)}",
            note="Denied amount by reason",
            bars=tuple(charts.Bar(reason, (float(cost.billed),), words.money(cost.billed)) for reason, cost in reasons),
        ),
        charts.Bars(
            title=f"{pairs[0][0][0].name} leads the costliest combinations",
            note="Denied amount by payer and reason",
            bars=tuple(
                charts.Bar(who.name, (float(cost.billed),), words.money(cost.billed), number == 0, detail=reason)
                for number, ((who, reason), cost) in enumerate(pairs)
            ),
        ),
    ]


def _payers(found: Denials) -> Table:
    by_payer, costs = found.by_payer, found.payer_costs
    rows: list[tuple[Cell, ...]] = [
        (*who, one.answered, one.denied, one.rate, costs[who].billed if who in costs else 0)
        for who, one in by_payer.items()
    ]
    return Table(
        "payers",
        "By payer",
        (
            *PAYER,
            Column("answered", "Answered", Kind.COUNT),
            Column("denied", "Denied", Kind.COUNT),
            Column("denial_rate", "Denial rate", Kind.SHARE),
            Column("denied_billed", "Denied amount", Kind.MONEY),
        ),
        rows,
    )


def _pairs(found: Denials) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (*who, reason, cost.denied, cost.billed, ratio(cost.billed, found.cost.billed))
        for (who, reason), cost in found.pairs.items()
    ]
    return Table(
        "pairs",
        "By payer and reason, the costliest first",
        (
            *PAYER,
            Column("reason", "Reason"),
            Column("denied", "Denied", Kind.COUNT),
            Column("denied_billed", "Denied amount", Kind.MONEY),
            Column("denied_billed_share", "Share", Kind.SHARE),
        ),
        rows,
        shown=15,
    )


def _reasons(found: Denials) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (reason, cost.denied, cost.billed, ratio(cost.billed, found.cost.billed))
        for reason, cost in found.reasons.items()
    ]
    return Table(
        "reasons",
        "By reason",
        (
            Column("reason", "Reason"),
            Column("denied", "Denied", Kind.COUNT),
            Column("denied_billed", "Denied amount", Kind.MONEY),
            Column("denied_billed_share", "Share", Kind.SHARE),
        ),
        rows,
    )


def _trend(found: Denials) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (*found.steps.days(step), *who, one.answered, one.denied, one.rate)
        for who, tallies in found.rates.items()
        for step, one in enumerate(tallies)
    ]
    return Table(
        "trend",
        f"By {found.steps.word}",
        (
            *STEP,
            *PAYER,
            Column("answered", "Answered", Kind.COUNT),
            Column("denied", "Denied", Kind.COUNT),
            Column("denial_rate", "Denial rate", Kind.SHARE),
        ),
        rows,
        shown=0,
    )
