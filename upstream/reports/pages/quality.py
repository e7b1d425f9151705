"""The quality dashboard: four scores over time, what was refused and why, and the files."""

from __future__ import annotations

from upstream.models import ClaimBatch
from upstream.reports import charts, words
from upstream.reports.content import STEP, Column, Content, KeyFigure, NoData, Table
from upstream.reports.measures.quality import METRICS, Quality
from upstream.reports.measures.spread import ratio
from upstream.reports.words import Cell, Kind

_WHOLE_ROW = "the row as a whole"
_BARS = 8


def content(found: Quality) -> Content:
    """The report on what was measured.

    Raises:
        NoData: no file was received, and no snapshot taken.
    """
    start, end = found.steps.start, found.steps.ends[-1]
    if not found.batches and not any(found.snapshots.values()):
        raise NoData(f"no file of claims was received from {start} to {end}, and no day's quality is known")
    return Content(
        subject="Data quality",
        start=start,
        end=end,
        headline=_headline(found),
        lead=_lead(found),
        figures=_figures(found),
        charts=_charts(found),
        tables=[_scores(found), _refusals(found), _batches(found), _snapshots(found)],
        notes=[
            "Completeness: required fields that hold something. Accuracy: rows that are well-formed, in range, and "
            "refer to what exists. Timeliness: claims submitted within 30 days of the service. Consistency: rows that "
            "neither contradict themselves nor repeat a claim. Each from 0 to 1, weighted by rows.",
            "A refused row can fail several checks, and counts with each.",
        ],
    )


def _rows(found: Quality) -> tuple[int, int]:
    return sum(stored for stored, _ in found.rows), sum(refused for _, refused in found.rows)


def _weakest(found: Quality) -> tuple[str, float] | None:
    scores = found.scores or {metric: days[-1][1] for metric, days in found.snapshots.items() if days}
    return min(scores.items(), key=lambda item: (item[1], item[0]), default=None)


def _headline(found: Quality) -> str:
    stored, refused = _rows(found)
    weakest = _weakest(found)
    if not found.batches:
        return "No file came in; what is on file stays as it was"
    if weakest is None:
        return f"{words.opening(words.counted(len(found.batches), 'file'))} came in, and none could be read"
    share = ratio(stored, stored + refused) or 0.0
    if not refused and weakest[1] == 1:
        return "Every row was stored, and all four scores are perfect"
    if not refused:
        return f"Every row was stored; {weakest[0]} is the lowest score, at {weakest[1]:.3f}"
    return f"{share:.1%} of rows were stored; {weakest[0]} is the weakest score, at {weakest[1]:.3f}"


def _lead(found: Quality) -> str:
    stored, refused = _rows(found)
    failed = sum(batch.status == ClaimBatch.Status.FAILED for batch in found.batches)
    said = (
        f"{words.opening(words.counted(len(found.batches), 'file'))} with {words.counted(stored + refused, 'row')} "
        f"came in; {words.counted(refused, 'row')} {'was' if refused == 1 else 'were'} refused"
    )
    if failed:
        said += f", and {words.counted(failed, 'file')} failed as a whole"
    if found.refusals:
        (check, column), count = next(iter(found.refusals.items()))
        said += f". The commonest reason: {words.name(check)} in {column or _WHOLE_ROW} ({count:,})"
    return said + "."


def _figures(found: Quality) -> list[KeyFigure]:
    stored, refused = _rows(found)
    latest = {metric: days[-1][1] if days else None for metric, days in found.snapshots.items()}
    figures = [
        KeyFigure(
            words.show(found.scores.get(metric), Kind.SCORE),
            metric,
            f"30 days: {words.show(latest[metric], Kind.SCORE)}" if latest[metric] is not None else "",
        )
        for metric in METRICS
    ]
    share = words.show(ratio(refused, stored + refused), Kind.SHARE)
    return [*figures, KeyFigure(f"{refused:,}", "rows refused", f"{share} of {stored + refused:,}")]


def _charts(found: Quality) -> list[charts.Chart]:
    shown: list[charts.Chart] = []
    weakest = _weakest(found)
    if weakest:
        shown.append(
            charts.Panels(
                title=f"{words.opening(weakest[0])} has the most room to improve"
                if weakest[1] < 1
                else "All four scores are perfect",
                note=f"Scores of the files (dots), {found.steps.by}; grey: over the 30 days before each day",
                wide=True,
                start=found.steps.start,
                days=found.steps.ends,
                panels=tuple(_panel(found, metric, metric == weakest[0] and weakest[1] < 1) for metric in METRICS),
            )
        )
    if found.refusals:
        refusals = list(found.refusals.items())[:_BARS]
        (check, column), _ = refusals[0]
        shown.append(
            charts.Bars(
                title=f"Most is refused for {column or _WHOLE_ROW}: {words.name(check)}",
                note="Failed checks by column",
                bars=tuple(
                    charts.Bar(column or _WHOLE_ROW, (count,), f"{count:,}", number == 0, detail=words.name(check))
                    for number, ((check, column), count) in enumerate(refusals)
                ),
            )
        )
    stored, refused = _rows(found)
    if stored or refused:
        shown.append(
            charts.Columns(
                title=f"{words.opening(words.counted(stored, 'row'))} stored, {refused:,} refused",
                note=f"Rows received {found.steps.by}",
                # Alone it would leave half of the page empty.
                wide=not found.refusals,
                columns=tuple(
                    charts.Column(words.short(end), rows)
                    for end, rows in zip(found.steps.ends, found.rows, strict=True)
                ),
                parts=("stored", "refused"),
            )
        )
    return shown


def _panel(found: Quality, metric: str, strong: bool) -> charts.Panel:
    behind = tuple(found.snapshots[metric])
    score = found.scores.get(metric, behind[-1][1] if behind else None)
    return charts.Panel(
        words.opening(metric), tuple(found.trend[metric]), behind, words.show(score, Kind.SCORE), strong
    )


def _scores(found: Quality) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (*found.steps.days(step), *found.rows[step], *(found.trend[metric][step] for metric in METRICS))
        for step in range(len(found.steps))
        if any(found.rows[step])
    ]
    return Table(
        "scores",
        f"Scores by {found.steps.word}",
        (
            *STEP,
            Column("stored", "Stored", Kind.COUNT),
            Column("refused", "Refused", Kind.COUNT),
            *(Column(metric, words.opening(metric), Kind.SCORE) for metric in METRICS),
        ),
        rows,
    )


def _refusals(found: Quality) -> Table:
    return Table(
        "refusals",
        "Failed checks",
        (
            Column("check_type", "Check", Kind.NAME),
            Column("column", "Column"),
            Column("failures", "Failures", Kind.COUNT),
        ),
        [(check, column, count) for (check, column), count in found.refusals.items()],
    )


def _batches(found: Quality) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (batch.received, batch.filename, batch.status, batch.rows, batch.accepted, batch.rejected, *batch.scores)
        for batch in found.batches
    ]
    return Table(
        "batches",
        "Files, the newest first",
        (
            Column("received", "Received", Kind.DATE),
            Column("file", "File"),
            Column("status", "Status", Kind.NAME),
            Column("rows", "Rows", Kind.COUNT),
            Column("stored", "Stored", Kind.COUNT),
            Column("refused", "Refused", Kind.COUNT),
            *(Column(metric, words.opening(metric), Kind.SCORE) for metric in METRICS),
        ),
        rows,
        shown=15,
    )


def _snapshots(found: Quality) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (day, metric, score) for metric, days in found.snapshots.items() for day, score in days
    ]
    return Table(
        "snapshots",
        "Scores over the 30 days before each day",
        (Column("day", "Day", Kind.DATE), Column("metric", "Score", Kind.NAME), Column("score", "Value", Kind.SCORE)),
        rows,
        shown=0,
    )
